// A typed line in words, quoted as docs/protocol.md, "Text", has it.

const PIECE = /[ \t]+|"((?:\\[^]|[^"\\])*)\\?("?)|'((?:\\'|[^'])*)('?)|[^ \t"']+/gu;
/** @type {Record<string, string>} */
const ESCAPES = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The words of a line; whether its quotes are `balanced`, and whether the last word is `open`: no blank follows it yet.
 * @param {string} line
 */
export function parse(line) {
  /** @type {string[]} */
  const words = [];
  let balanced = true;
  let open = false;
  let closed = false; // by a quote, behind which a blank must follow
  for (const [piece, double, end, single, stop] of line.matchAll(PIECE)) {
    const blank = /^[ \t]/.test(piece);
    const quoted = /^["']/.test(piece);
    if (closed && !blank) balanced = false;
    if (quoted && !(end || stop)) balanced = false;
    if (!blank) {
      const text = double === undefined ? (single?.replaceAll("\\'", "'") ?? piece) : unescaped(double);
      if (open) words.push(words.pop() + text);
      else words.push(text);
    }
    open = !blank;
    closed = quoted;
  }
  return { words, balanced, open };
}

/** The words of the line, of which the last is being typed and may be empty. @param {string} line */
export function split(line) {
  const { words, open } = parse(line);
  return open ? words : [...words, ""];
}

/** @param {string} text within double quotes */
function unescaped(text) {
  return text.replace(/((?:\\x[0-9a-fA-F]{2})+)|\\([^])/gu, (_, bytes, letter) => {
    if (!bytes) return ESCAPES[letter] ?? letter;
    const numbers = bytes.slice(2).split("\\x").map((/** @type {string} */ digits) => parseInt(digits, 16));
    return decoder.decode(Uint8Array.from(numbers));
  });
}

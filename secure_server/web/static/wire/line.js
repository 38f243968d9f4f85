// A typed line in words, quoted as docs/protocol.md, "Text", has it; the last one may be unfinished.

/** @type {Record<string, string>} */
const ESCAPES = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

/**
 * The words of the line, of which the last is being typed and may be empty.
 * @param {string} line
 */
export function split(line) {
  const words = [""];
  let quote = "";
  let open = false; // a word has begun
  for (let at = 0; at < line.length; at++) {
    let letter = line[at] ?? "";
    const next = line[at + 1] ?? "";
    const last = words.length - 1;
    if (quote === '"' && letter === "\\") {
      const hex = /^x([0-9a-fA-F]{2})/.exec(line.slice(at + 1, at + 4))?.[1];
      letter = hex ? String.fromCharCode(parseInt(hex, 16)) : (ESCAPES[next] ?? next);
      at += hex ? 3 : 1;
    } else if (quote === "'" && letter === "\\" && next === "'") {
      letter = "'";
      at++;
    } else if (quote ? letter === quote : letter === '"' || letter === "'") {
      quote = quote ? "" : letter;
      open = true;
      continue;
    } else if (!quote && (letter === " " || letter === "\t")) {
      if (open) words.push("");
      open = false;
      continue;
    }
    words[last] += letter;
    open = true;
  }
  return words;
}

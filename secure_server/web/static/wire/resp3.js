// RESP3 as docs/protocol.md has it: words to bytes, and bytes to values, however they are cut.

/** @typedef {string|number|bigint|boolean|null|Failure|Push|any[]|Map<string, any>} Value */
/** @typedef {readonly (string|Uint8Array)[]} Words texts, and bytes as they are, such as a file's */

const ELEMENT_BYTES = 64; // what one value costs beside its own bytes, about
const MOST_BYTES = 64 * 1024 * 1024; // of one reply, ELEMENT_BYTES for each of its values included
const MOST_DEPTH = 32; // of aggregates in aggregates

/** An error: the server's answer to a request, or what keeps one from being answered (`Trouble`). */
export class Failure extends Error {
  /** @param {string} code stable and upper case @param {string} text the sentence, in the session's language */
  constructor(code, text) {
    super(text);
    this.name = code;
    this.code = code;
    this.text = text;
  }
}

/** What the server says unasked. */
export class Push {
  /** @param {string} kind @param {Value[]} items */
  constructor(kind, items) {
    this.kind = kind;
    this.items = items;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A request, as an array of bulk strings. @param {Words} words */
export function encode(words) {
  /** @type {Uint8Array[]} */
  const parts = [encoder.encode(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? encoder.encode(word) : word;
    parts.push(encoder.encode(`$${bytes.length}\r\n`), bytes, encoder.encode("\r\n"));
  }
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Takes bytes and gives values. Each byte is looked at once, however a reply is cut and however deep it is. */
export class Reader {
  #bytes = new Uint8Array(4096);
  #at = 0; // of the first byte that is not decoded
  #end = 0; // behind the last that came
  #searched = 0; // there is no line end before it
  #kind = ""; // of the string whose header came
  #length = -1; // and how long it is; -1: none is awaited
  /** @type {{kind: string, missing: number, items: any[]}[]} */
  #open = []; // outermost first
  #size = 0; // of the current reply
  #simple = false;
  /** @type {Error|null} */
  #broken = null;
  /** The last value was a status such as `+OK`, not a text. */
  simple = false;

  /** @param {Uint8Array} bytes */
  push(bytes) {
    const kept = this.#end - this.#at;
    if (this.#end + bytes.length > this.#bytes.length) {
      const room = kept + bytes.length;
      const target = room * 2 <= this.#bytes.length ? this.#bytes : new Uint8Array(room * 2);
      target.set(this.#bytes.subarray(this.#at, this.#end));
      this.#bytes = target;
      this.#searched = Math.max(0, this.#searched - this.#at);
      this.#at = 0;
      this.#end = kept;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next whole value; undefined where it has not come yet.
   * @returns {Value|undefined}
   * @throws {Error} what came is no reply, and so is all that follows
   */
  next() {
    if (this.#broken) throw this.#broken;
    try {
      let value;
      do {
        value = this.#single();
        if (value === undefined) return undefined;
        value = this.#place(value);
      } while (value === undefined);
      this.simple = this.#simple;
      this.#size = 0;
      return value;
    } catch (error) {
      this.#broken = /** @type {Error} */ (error);
      this.#bytes = new Uint8Array(0);
      this.#at = this.#end = 0;
      throw error;
    }
  }

  /** @returns {Value|undefined} a value that holds no other, after opening the aggregates before it */
  #single() {
    while (this.#length < 0) {
      const line = this.#line();
      if (line === undefined) return undefined;
      const kind = line[0] ?? "";
      const rest = line.slice(1);
      this.#simple = kind === "+" && !this.#open.length;
      if (line === "$-1" || line === "*-1") return null;
      if (kind && "$=!".includes(kind)) {
        this.#kind = kind;
        this.#length = count(rest, MOST_BYTES - this.#size);
      } else if (kind && "*%~>|".includes(kind)) {
        const missing = count(rest, MOST_BYTES);
        if (this.#open.length >= MOST_DEPTH) throw malformed("it is too deep");
        if (missing) this.#open.push({ kind, missing: "%|".includes(kind) ? missing * 2 : missing, items: [] });
        else if (kind !== "|") return finished(kind, []);
      } else return leaf(kind, rest);
    }
    const end = this.#at + this.#length;
    if (this.#end < end + 2) return undefined;
    if (this.#bytes[end] !== 13 || this.#bytes[end + 1] !== 10) throw malformed("it is longer than its length");
    const text = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#size += this.#length;
    this.#at = end + 2;
    this.#length = -1;
    if (this.#kind === "!") return failure(text);
    if (this.#kind !== "=") return text;
    if (text[3] !== ":") throw malformed("it names no format");
    return text.slice(4);
  }

  #line() {
    const came = this.#bytes.subarray(0, this.#end);
    let end = Math.max(this.#at, this.#searched - 1);
    do end = came.indexOf(13, end) + 1;
    while (end > 0 && end < this.#end && came[end] !== 10);
    const whole = end > 0 && end < this.#end;
    const length = (whole ? end - 1 : this.#end) - this.#at;
    if (this.#size + length > MOST_BYTES) throw malformed("it is too long");
    if (!whole) {
      this.#searched = this.#end;
      return undefined;
    }
    this.#size += length + ELEMENT_BYTES;
    if (this.#size > MOST_BYTES) throw malformed("it is too long");
    const line = decoder.decode(this.#bytes.subarray(this.#at, end - 1));
    this.#at = end + 1;
    return line;
  }

  /**
   * Put a value where it is awaited.
   * @param {Value} value
   * @returns {Value|undefined} the reply that this completes
   */
  #place(value) {
    for (let inner = this.#open.at(-1); inner; inner = this.#open.at(-1)) {
      inner.items.push(value);
      if (--inner.missing) return undefined;
      this.#open.pop();
      if (inner.kind === "|") return undefined; // an attribute: what it speaks of follows
      value = finished(inner.kind, inner.items);
    }
    return value;
  }
}

/** @param {string} kind @param {any[]} items @returns {Value} */
function finished(kind, items) {
  if (kind === ">") return new Push(String(items[0] ?? ""), items.slice(1));
  if (kind !== "%") return items;
  const map = new Map();
  for (let at = 0; at < items.length; at += 2) map.set(String(items[at]), items[at + 1]);
  return map;
}

/** @param {string} kind @param {string} rest @returns {Value} */
function leaf(kind, rest) {
  if (kind === "+") return rest;
  if (kind === "-") return failure(rest);
  if ((kind === ":" || kind === "(") && /^[+-]?\d{1,4300}$/.test(rest)) {
    const number = Number(rest);
    return Number.isSafeInteger(number) ? number : BigInt(rest.replace("+", ""));
  }
  if (kind === "," && /^([+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|inf)|nan)$/.test(rest)) {
    return Number(rest.replace("inf", "Infinity")); // of nan it makes NaN
  }
  if (kind === "_" && !rest) return null;
  if (kind === "#" && (rest === "t" || rest === "f")) return rest === "t";
  throw malformed("it is of no known type");
}

/** @param {string} text */
function failure(text) {
  const [code = "", ...words] = text.split(" ");
  return new Failure(code, words.join(" "));
}

/** @param {string} digits @param {number} limit */
function count(digits, limit) {
  if (!/^\d{1,12}$/.test(digits) || Number(digits) > limit) throw malformed("it has no sensible length");
  return Number(digits);
}

/** @param {string} why */
function malformed(why) {
  return new Error(`The server sent what is no reply: ${why}.`);
}

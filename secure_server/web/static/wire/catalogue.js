// The server's commands, as COMMANDS tells them; docs/protocol.md, "Commands".

/** @import { Value } from "./resp3.js" */

/**
 * @typedef {object} Argument
 * @property {string} name
 * @property {string} type `str`, `bytes`, `int`, `float`, `bool`, `datetime`, `duration`
 * @property {string[]} choices
 * @property {boolean} optional
 * @property {boolean} variadic
 * @property {boolean} flag
 * @property {boolean} secret
 * @property {boolean} file
 * @property {string} default
 * @property {number|null} minimum
 * @property {number|null} maximum
 * @property {string} pattern
 * @property {string} summary
 *
 * @typedef {object} Command
 * @property {string} name
 * @property {string} summary
 * @property {string} role
 * @property {Argument[]} arguments
 * @property {boolean} idempotent
 * @property {"text"|"timestamp"|"lines"|"table"|"stream"} reply
 * @property {string} form
 * @property {string[]} columns
 * @property {string} empty
 * @property {string} unmatched
 * @property {string} pages
 * @property {string[]} minor
 * @property {string} confirm
 * @property {boolean} danger
 * @property {string} preview
 * @property {boolean} job
 * @property {string} group
 * @property {string} example
 */

const REPLIES = ["text", "timestamp", "lines", "table", "stream"];

export class Catalogue {
  /** @type {Map<string, Command>} */
  #byName = new Map();

  /** @param {Value} [reply] what is no description in it is passed over */
  constructor(reply) {
    const found = list(reply).map(command).filter(({ name }) => name);
    found.sort((one, other) => (one.name < other.name ? -1 : 1));
    for (const one of found) this.#byName.set(one.name, one);
  }

  /** All commands by name. */
  get commands() {
    return [...this.#byName.values()];
  }

  /**
   * The command that a line of these words calls: one of two words before its first word alone.
   * @param {readonly string[]} words
   */
  find(words) {
    const name = (/** @type {number} */ count) => words.slice(0, count).join(" ").toUpperCase();
    return this.#byName.get(name(2)) ?? this.#byName.get(name(1));
  }
}

/**
 * @param {any} value
 * @returns {any[]}
 */
const list = (value) => (Array.isArray(value) ? value : []);

/**
 * @param {any} wire
 * @returns {{fields: Map<string, any>, text: (name: string) => string, yes: (name: string) => boolean, texts: (name: string) => string[]}}
 */
function fieldsOf(wire) {
  const fields = wire instanceof Map ? wire : new Map();
  return {
    fields,
    text: (name) => String(fields.get(name) ?? ""),
    yes: (name) => Boolean(fields.get(name)),
    texts: (name) => list(fields.get(name)).map(String),
  };
}

/**
 * @param {any} wire
 * @returns {Command}
 */
function command(wire) {
  const { fields, text, yes, texts } = fieldsOf(wire);
  const reply = /** @type {Command["reply"]} */ (text("reply") || "text");
  return {
    name: text("name").trim().split(/\s+/).join(" ").toUpperCase(),
    summary: text("summary"),
    role: text("role"),
    arguments: list(fields.get("arguments")).map(argument).filter(({ name }) => name),
    idempotent: yes("idempotent"),
    reply: REPLIES.includes(reply) ? reply : "lines",
    form: text("form"),
    columns: texts("columns"),
    empty: text("empty"),
    unmatched: text("unmatched"),
    pages: text("pages"),
    minor: texts("minor"),
    confirm: text("confirm"),
    danger: yes("danger"),
    preview: text("preview"),
    job: yes("job"),
    group: text("group"),
    example: text("example"),
  };
}

/**
 * @param {any} wire
 * @returns {Argument}
 */
function argument(wire) {
  const { fields, text, yes, texts } = fieldsOf(wire);
  const bound = (/** @type {string} */ name) => {
    const number = Number(fields.get(name) ?? NaN);
    return Number.isFinite(number) ? number : null;
  };
  return {
    name: text("name"),
    type: text("type") || "str",
    choices: texts("choices"),
    optional: yes("optional"),
    variadic: yes("variadic"),
    flag: yes("flag"),
    secret: yes("secret"),
    file: yes("file"),
    default: text("default"),
    minimum: bound("minimum"),
    maximum: bound("maximum"),
    pattern: text("pattern"),
    summary: text("summary"),
  };
}

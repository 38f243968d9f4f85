// The server's commands, as COMMANDS tells them; docs/protocol.md, "Commands", says what each field means.

/** @import { Value, Words } from "./resp3.js" */

const ARGUMENT = {
  name: "",
  type: "str",
  choices: /** @type {string[]} */ ([]),
  optional: false,
  variadic: false,
  flag: false,
  secret: false,
  file: false,
  default: "",
  minimum: /** @type {number|null} */ (null),
  maximum: /** @type {number|null} */ (null),
  pattern: "",
  summary: "",
};
const COMMAND = {
  name: "",
  summary: "",
  role: "",
  arguments: /** @type {Argument[]} */ ([]),
  idempotent: false,
  reply: "text",
  form: "",
  columns: /** @type {string[]} */ ([]),
  empty: "",
  unmatched: "",
  pages: "",
  minor: /** @type {string[]} */ ([]),
  confirm: "",
  danger: false,
  preview: "",
  job: false,
  group: "",
  example: "",
};
const REPLIES = ["text", "timestamp", "lines", "table", "stream"];

/** @typedef {typeof ARGUMENT} Argument */
/** @typedef {typeof COMMAND} Command */

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
   * @param {Words} words
   */
  find(words) {
    const [two, one] = [2, 1].map((count) => words.slice(0, count).join(" ").toUpperCase());
    return this.#byName.get(two ?? "") ?? this.#byName.get(one ?? "");
  }
}

/** @param {any} value @returns {any[]} */
const list = (value) => (Array.isArray(value) ? value : []);

/**
 * Read a map: each field as its default is, which stands for what is missing.
 * @template {Record<string, any>} T
 * @param {any} wire
 * @param {T} defaults
 * @returns {T}
 */
function read(wire, defaults) {
  const fields = wire instanceof Map ? wire : new Map();
  const found = Object.entries(defaults).map(([name, usual]) => {
    const value = fields.get(name) ?? usual;
    if (usual === null) return [name, value !== null && Number.isFinite(Number(value)) ? Number(value) : null];
    if (Array.isArray(usual)) return [name, list(value)];
    return [name, typeof usual === "boolean" ? Boolean(value) : String(value)];
  });
  return Object.fromEntries(found);
}

/** @param {any} wire */
function command(wire) {
  const found = read(wire, COMMAND);
  found.name = found.name.trim().split(/\s+/).join(" ").toUpperCase();
  found.arguments = found.arguments.map((argument) => {
    const { choices, ...fields } = read(argument, ARGUMENT);
    return { ...fields, choices: choices.map(String) };
  }).filter(({ name }) => name);
  found.columns = found.columns.map(String);
  found.minor = found.minor.map(String);
  if (!REPLIES.includes(found.reply)) found.reply = "lines";
  return found;
}

// @ts-check
/** From a form, a link or a typed line to a command's words, and back; nothing of the page. */

/**
 * @typedef {import("../wire/catalogue.js").Command} Command
 * @typedef {import("../wire/catalogue.js").Argument} Argument
 * @typedef {string | Uint8Array} Word
 * @typedef {Record<string, Word[]>} Values by the arguments' names; a switch that is on is `["yes"]`
 */

export const HIDDEN = "•••";

/** What is missing before a command can be sent. */
export class Missing extends Error {
  /** @param {string} argument @param {string} behind the one that is given, and stands behind it; empty: it is wanted */
  constructor(argument, behind = "") {
    super(argument);
    this.argument = argument;
    this.behind = behind;
  }
}

/** @param {Argument} argument */
export const isSwitch = (argument) => argument.flag && argument.type === "bool";

/**
 * The words to send: flags first, so that no value is ever taken for one.
 *
 * @param {Command} command
 * @param {Values} values
 * @returns {Word[]}
 */
export function wordsOf(command, values) {
  const given = (/** @type {Argument} */ argument) => (values[argument.name] ?? []).filter((value) => value.length > 0);
  /** @type {Word[]} */
  const flags = [];
  for (const argument of command.arguments.filter(({ flag }) => flag)) {
    for (const value of given(argument)) {
      if (!isSwitch(argument)) flags.push(`--${argument.name}=${value}`);
      else flags.push(value === "yes" ? `--${argument.name}` : `--${argument.name}=${value}`);
    }
  }
  /** @type {Word[]} */
  const places = [];
  let skipped = "";
  for (const argument of command.arguments.filter(({ flag }) => !flag)) {
    const found = given(argument);
    if (found.length === 0) {
      if (!argument.optional) throw new Missing(argument.name);
      skipped ||= argument.name;
      continue;
    }
    if (skipped) throw new Missing(skipped, argument.name);
    places.push(...found);
  }
  const ambiguous = command.arguments.some(({ flag }) => flag) && places.some((word) => typeof word === "string" && word.startsWith("--"));
  return [...command.name.split(" "), ...flags, ...(ambiguous ? ["--"] : []), ...places];
}

/**
 * What the words behind a command's name are, as far as they can be told.
 *
 * @param {Command} command
 * @param {readonly string[]} words
 * @returns {Values}
 */
export function valuesOf(command, words) {
  /** @type {Values} */
  const values = {};
  const places = command.arguments.filter(({ flag }) => !flag);
  const flagged = command.arguments.some(({ flag }) => flag);
  let [flags, place] = [flagged, 0];
  const put = (/** @type {string} */ name, /** @type {string} */ value) => (values[name] ??= []).push(value);
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (flags && word === "--") {
      flags = false;
    } else if (flags && word.startsWith("--")) {
      const [name, ...rest] = word.slice(2).split("=");
      const argument = command.arguments.find((one) => one.flag && one.name === name);
      if (rest.length > 0 || !argument || isSwitch(argument)) put(name, rest.length > 0 ? rest.join("=") : "yes");
      else if (at + 1 < words.length) put(name, words[++at]);
    } else if (places[place]) {
      put(places[place].name, word);
      if (!places[place].variadic) place++;
    }
  }
  return values;
}

/**
 * What a link fills: secrets and unknown names are passed over.
 *
 * @param {Command} command
 * @param {URLSearchParams} query
 * @returns {{values: Values, ignored: string[]}}
 */
export function fromLink(command, query) {
  /** @type {Values} */
  const values = {};
  const ignored = [];
  for (const name of new Set(query.keys())) {
    const argument = command.arguments.find((one) => one.name === name);
    if (argument && !argument.secret) values[name] = query.getAll(name).slice(0, argument.variadic ? 100 : 1);
    else ignored.push(name);
  }
  return { values, ignored };
}

/** What a link to a form with these values has: no secrets, no files. @param {Command} command @param {Values} values */
export function toLink(command, values) {
  /** @type {Record<string, string[]>} */
  const query = {};
  for (const { name, secret, file } of command.arguments) {
    const texts = (values[name] ?? []).filter((value) => typeof value === "string" && value !== "");
    if (!secret && !file && texts.length > 0) query[name] = /** @type {string[]} */ (texts);
  }
  return query;
}

/** A line as one might type it; secrets are hidden. @param {Command} command @param {Values} values */
export function shown(command, values) {
  /** @type {Values} */
  const hidden = {};
  for (const { name, secret } of command.arguments) {
    hidden[name] = (values[name] ?? []).map((value) => (secret ? HIDDEN : typeof value === "string" ? value : `(${value.length} B)`));
  }
  try {
    return wordsOf(command, hidden).map((word) => quoted(String(word))).join(" ");
  } catch {
    return command.name;
  }
}

/** A word as it is typed. @param {string} word */
export function quoted(word) {
  if (/^[^\s"'\\\p{Cc}]+$/u.test(word)) return word;
  const escaped = word.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
  return `"${escaped}"`;
}

/**
 * What is asked before a command is sent; empty: nothing.
 *
 * @param {Command} command
 * @param {Values} values
 * @param {string} server what the user calls it
 */
export function question(command, values, server) {
  if (values.yes?.[0] === "yes" && command.arguments.some((one) => isSwitch(one) && one.name === "yes")) return "";
  return command.confirm.replace(/\{\{(\w[\w-]*)\}\}|\{(\w[\w-]*)\}/g, (all, literal, name) => {
    if (literal) return `{${literal}}`;
    if (name === "server") return server;
    const argument = command.arguments.find((one) => one.name === name);
    if (!argument || argument.secret) return all;
    return (values[name] ?? [argument.default]).map(String).join(" ");
  });
}

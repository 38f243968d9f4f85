// @ts-check
/** A command's words: from a form, a link or a typed line, and what they are for; nothing of the page. */

import { t } from "../ui/words.js";

/**
 * @typedef {import("../wire/catalogue.js").Command} Command
 * @typedef {import("../wire/catalogue.js").Argument} Argument
 * @typedef {import("../wire/catalogue.js").Catalogue} Catalogue
 * @typedef {string | Uint8Array} Word
 * @typedef {Record<string, Word[]>} Values by the arguments' names; a switch that is on is `["yes"]`
 * @typedef {{argument: Argument, at: number, value: Word, prefix: string}} Given
 * @typedef {{words: Word[], line: string, secret: boolean, start: number, given: Given[], values: Values, command?: Command}} Order
 *     words to send: `line` may be shown; `command` is what they start, whose arguments begin at `start`
 */

export const HIDDEN = "•••";
const TOKEN = /scs_[0-9A-Za-z]{10}_/; // pasted, even into the wrong place
const LONG = 200; // characters of a value in a question

/** What is missing before a command can be sent: an argument, or what stands before one that is given. */
export class Missing extends Error {
  /** @param {string} argument @param {string} behind the one that is given, and stands behind it; empty: it is wanted */
  constructor(argument, behind = "") {
    super(behind ? t("{behind} stands behind {argument}: fill that in as well.", { argument, behind }) : t("{argument} is missing.", { argument }));
    this.argument = argument;
  }
}

/** @param {Argument} argument */
export const isSwitch = ({ flag, type }) => flag && type === "bool";

/** What holds it to what was shown before. @param {Argument} argument */
export const isShown = ({ flag, name }) => flag && name === "shown";

/** The words to send: flags first, so that no value is ever taken for one. @param {Command} command @param {Values} values @returns {Word[]} */
export function wordsOf(command, values) {
  /** @type {Word[]} */
  const flags = [];
  /** @type {Word[]} */
  const places = [];
  let skipped = "";
  for (const argument of command.arguments) {
    const { name, flag, optional } = argument;
    const given = (values[name] ?? []).filter(({ length }) => length > 0);
    if (flag) {
      for (const value of given) flags.push(isSwitch(argument) && value === "yes" ? `--${name}` : `--${name}=${value}`);
    } else if (given.length === 0) {
      if (!optional) throw new Missing(name);
      skipped ||= name;
    } else {
      if (skipped) throw new Missing(skipped, name);
      places.push(...given);
    }
  }
  const ambiguous = command.arguments.some(({ flag }) => flag) && places.some((word) => String(word).startsWith("--"));
  return [...command.name.split(" "), ...flags, ...(ambiguous ? ["--"] : []), ...places];
}

/**
 * Which words from `start` on are given for which arguments, read as the server reads them.
 *
 * @param {Command} command @param {readonly Word[]} words @param {number} start @returns {Given[]}
 */
export function assigned(command, words, start) {
  const places = command.arguments.filter(({ flag }) => !flag);
  /** @type {Given[]} */
  const given = [];
  /** @type {Argument | undefined} */
  let owner;
  let flags = places.length < command.arguments.length;
  let taken = 0;
  for (let at = start; at < words.length; at++) {
    const value = words[at] ?? "";
    const [, name, equals] = (flags && typeof value === "string" && /^--([^=]*)(=?)/.exec(value)) || [];
    if (owner) {
      given.push({ argument: owner, at, value, prefix: "" });
      owner = undefined;
    } else if (name === "" && !equals) flags = false;
    else if (name !== undefined) {
      const argument = command.arguments.find((one) => one.flag && one.name === name);
      const prefix = `--${name}=`;
      if (argument && equals) given.push({ argument, at, value: String(value).slice(prefix.length), prefix });
      else if (argument && isSwitch(argument)) given.push({ argument, at, value: "yes", prefix: "" });
      else owner = argument;
    } else {
      const last = places.at(-1);
      const argument = places[taken++] ?? (last?.variadic ? last : undefined);
      if (argument) given.push({ argument, at, value, prefix: "" });
    }
  }
  return given;
}

/** What words stand for; of `JOB START` it is what is started. @param {Catalogue} catalogue @param {Word[]} words @returns {Order} */
export function orderOf(catalogue, words) {
  const texts = words.map((word) => (typeof word === "string" ? word : ""));
  let command = catalogue.find(texts);
  let start = 0;
  if (command?.name === "JOB START") {
    let inner = 2;
    while (texts[inner]?.startsWith("--")) inner += texts[inner].includes("=") ? 1 : 2;
    const started = catalogue.find(texts.slice(inner));
    if (started) [command, start] = [started, inner];
  }
  if (command) start += command.name.split(" ").length;
  const given = command ? assigned(command, words, start) : [];
  /** @type {Values} */
  const values = {};
  for (const { argument, value } of given) (values[argument.name] ??= []).push(value);
  const login = /^(auth|hello)$/i.test(texts[0] ?? "");
  const guarded = command?.arguments.some(({ secret }) => secret);
  let secret = false;
  const line = words.map((word, at) => {
    const text = texts[at] ?? "";
    const one = given.find((each) => each.at === at);
    const known = one ? !one.argument.secret : command?.arguments.some(({ flag, name }) => flag && text === `--${name}`) || text === "--";
    // What stands behind a secret, and is for nothing, may be the rest of it.
    if (TOKEN.test(text) || (login && at > 0) || (guarded && at >= start && !known)) {
      secret = true;
      return (one?.prefix ?? "") + HIDDEN;
    }
    return typeof word === "string" ? quoted(word) : `(${word.length} B)`;
  });
  return { words, line: line.join(" "), secret, start, given, values, command };
}

/** Whether it says yes beforehand, which is for who runs a command to say, and not for a link. @param {Argument} argument */
const isYes = (argument) => isSwitch(argument) && argument.name === "yes";

/** What a link fills: secrets, a yes and unknown names are passed over. @param {Command} command @param {URLSearchParams} query */
export function fromLink(command, query) {
  /** @type {Record<string, string[]>} */
  const values = {};
  /** @type {string[]} */
  const ignored = [];
  for (const name of new Set(query.keys())) {
    const argument = command.arguments.find((one) => one.name === name && !one.secret && !isShown(one) && !isYes(one));
    if (argument) values[name] = query.getAll(name).slice(0, argument.variadic ? 100 : 1);
    else ignored.push(name);
  }
  return { values, ignored };
}

/** What a link to a form with these values has: no secrets, no files. @param {Command} command @param {Values} values */
export function toLink(command, values) {
  /** @type {Record<string, string[]>} */
  const query = {};
  for (const argument of command.arguments) {
    const { name, secret, file } = argument;
    const texts = (values[name] ?? []).filter((value) => typeof value === "string" && value !== "");
    if (!secret && !file && !isYes(argument) && texts.length > 0) query[name] = /** @type {string[]} */ (texts);
  }
  return query;
}

/** A word as it is typed. @param {string} word */
export function quoted(word) {
  if (/^[^\s"'\\\p{Cc}]+$/u.test(word)) return word;
  const names = /** @type {Record<string, string>} */ ({ "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"' });
  return `"${word.replace(/[\\"\p{Cc}]/gu, (one) => names[one] ?? `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`;
}

/** Text without what turns, hides or moves text. @param {unknown} text @param {number} [most] characters */
export function visible(text, most = LONG) {
  const all = [...String(text)];
  const shown = all.slice(0, most).join("").replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u${(one.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
  return all.length > most ? `${shown}…` : shown;
}

/** Whether its own `--yes` says yes beforehand. @param {Order} order */
export const saysYes = ({ given }) => given.some(({ argument, value }) => isYes(argument) && value === "yes");

/** What is asked before it is sent; empty: nothing. @param {Order} order @param {string} server what the user calls it */
export function question({ command, values, line }, server) {
  if (!command?.confirm) return command?.danger ? t("Run {command} on {server}? It may do harm.", { command: visible(line), server }) : "";
  const asked = command.confirm.replace(/\{\{(\w[\w-]*)\}\}|\{(\w[\w-]*)\}/g, (all, literal, name) => {
    if (literal) return `{${literal}}`;
    if (name === "server") return server;
    const argument = command.arguments.find((one) => one.name === name);
    if (!argument) return all;
    if (argument.secret) return HIDDEN;
    const given = values[name] ?? [argument.default];
    return visible(given.map((value) => (typeof value === "string" ? value : `(${value.length} B)`)).join(" "));
  });
  return visible(asked, 1000);
}

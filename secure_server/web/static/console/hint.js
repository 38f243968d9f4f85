// @ts-check
/** What helps to find a command, and to type it as at the terminal; nothing of the page. */

import { duration } from "../ui/moments.js";
import { t } from "../ui/words.js";
import { split } from "../wire/line.js";
import { isSwitch, orderOf, visible } from "./words.js";

/**
 * @typedef {import("./words.js").Argument} Argument
 * @typedef {import("./words.js").Catalogue} Catalogue
 * @typedef {import("./words.js").Command} Command
 * @typedef {{pieces: string[], present: number, told: string, fault: string}} Hint
 *     the command's name and each of its arguments, at which of them one is (-1: none), what there is to say of that,
 *     and what is surely wrong
 */

/** Commands that are about the connection, which the page keeps by itself. */
const OURS = /^(AUTH|HELLO|RESET|EXIT|QUIT|ENROLL|CANCEL|DETACH|NOTIFY|LANG|SELECT|COMMANDS?|COMPLETE|CLIENT (REPLY|ID|GETNAME|SETNAME|SETINFO|NO-.*)|PREVIEW .*)( |$)/;

/** Those that all the words of a search are found in. @param {Command[]} commands @param {string} search */
export function matching(commands, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter(({ name, summary, group }) => {
    const all = `${name} ${summary} ${group}`.toLowerCase();
    return !OURS.test(name) && words.every((word) => all.includes(word));
  });
  const rank = (/** @type {Command} */ { name }) => (words[0] && name.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return found.sort((one, other) => rank(one) - rank(other));
}

/** An argument as the terminal writes it. @param {Argument} argument */
export function signature(argument) {
  const { name, flag, optional, variadic, choices } = argument;
  const value = visible(choices.join("|") || name, 120);
  const whole = `${flag ? (isSwitch(argument) ? `--${name}` : `--${name} ${value}`) : value}${variadic ? " …" : ""}`;
  return flag || optional ? `[${whole}]` : whole;
}

/** What an argument may be. @param {Argument} argument */
export function bounds({ minimum: low, maximum: high, type, pattern }) {
  const found = [];
  const [minimum, maximum] = [low, high].map((one) => (type === "duration" ? duration(one ?? 0) : one));
  if (low !== null && high !== null) found.push(t("from {minimum} to {maximum}", { minimum, maximum }));
  else if (low !== null) found.push(t("at least {minimum}", { minimum }));
  else if (high !== null) found.push(t("at most {maximum}", { maximum }));
  if (type === "duration") found.push(t("such as {examples}", { examples: "90s, 5m, 1h" }));
  if (pattern) found.push(t("as {pattern}", { pattern }));
  return found;
}

/** What is surely wrong with what is given for an argument. @param {Argument} argument @param {string} value @param {boolean} finished */
function wrong(argument, value, finished) {
  const { name, choices, type, minimum, maximum, secret } = argument;
  const number = Number(value);
  if (!value || secret) return "";
  if (choices.length > 0) {
    const [typed, all] = [value.toLowerCase(), choices.map((one) => one.toLowerCase())];
    if (finished ? all.includes(typed) : all.some((one) => one.startsWith(typed))) return "";
    return t("{argument} is one of {words}.", { argument: name, words: choices.join(", ") });
  }
  if ((type !== "int" && type !== "float") || (!finished && !/\d$/.test(value))) return "";
  const fits = !Number.isNaN(number) && (maximum === null || number <= maximum) && (minimum === null || !finished || number >= minimum);
  return fits ? "" : t("{argument} is a number {bounds}.", { argument: name, bounds: bounds({ ...argument, pattern: "" }).join(", ") }).replace(" .", ".");
}

/** @param {Catalogue} catalogue @param {string} line as far as the cursor @returns {Hint} */
export function hintOf(catalogue, line) {
  const words = split(line);
  const { command, given, start } = orderOf(catalogue, words);
  const last = words.length - 1;
  const hint = { pieces: /** @type {string[]} */ ([]), present: -1, told: "", fault: "" };
  if (!command) {
    const names = catalogue.commands.map(({ name }) => name);
    const typed = words.slice(0, 2).join(" ").toUpperCase();
    if (names.length > 0 && typed && !names.some((name) => name.startsWith(typed))) hint.fault = t("There is no command {name} for you here.", { name: typed });
    return hint;
  }
  const here = given.find(({ at }) => at === last)?.argument;
  hint.pieces = [command.name, ...command.arguments.map(signature)];
  hint.present = here ? command.arguments.indexOf(here) + 1 : -1;
  hint.told = (here && [here.summary, ...bounds(here), here.default && t("otherwise {value}", { value: here.default })].filter(Boolean).join(", ")) || command.summary;
  const faults = given.map(({ argument, value, at }) => wrong(argument, String(value), at < last));
  const places = command.arguments.filter(({ flag }) => !flag);
  const flags = places.length < command.arguments.length;
  const guarded = command.arguments.some(({ secret }) => secret);
  if (!flags && !guarded && !places.at(-1)?.variadic && last - start + (words[last] ? 1 : 0) > places.length) faults.push(t("That is one argument too many."));
  hint.fault = faults.find(Boolean) ?? "";
  return hint;
}

/** Whether the server may be asked what may follow: never with a secret, which it is told with its command alone. @param {Catalogue} catalogue @param {string} line */
export function mayAsk(catalogue, line) {
  const { secret, given } = orderOf(catalogue, split(line));
  return line.trim() !== "" && !secret && !given.some(({ argument }) => argument.secret);
}

/** What all begin with, whatever the case. @param {string[]} words */
export function common(words) {
  let start = words[0] ?? "";
  for (const word of words) while (!word.toLowerCase().startsWith(start.toLowerCase())) start = start.slice(0, -1);
  return start;
}

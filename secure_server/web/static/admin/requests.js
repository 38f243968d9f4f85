// @ts-check
/** What lists ask the server for; nothing of the page. */

import { parse } from "../wire/line.js";

/**
 * @typedef {object} Asked
 * @property {string} command
 * @property {string} [filter] as it was typed
 * @property {string[]} [words] options that it always has
 * @property {string[]} [columns]
 * @property {string} [sort] a field, `-` before it for the most first
 * @property {number} [limit]
 * @property {string} [from] the last page's last row
 * @property {string} [pages] the option that takes it
 * @property {boolean} [count] only how many there are
 */

/** The words of a request; null where quotes are not balanced. @param {Asked} asked */
export function request({ command, filter = "", words = [], columns = [], sort = "", limit = 0, from = "", pages = "", count = false }) {
  const given = parse(filter);
  if (!given.balanced) return null;
  const flags = [...words];
  if (count) flags.push("--count");
  else {
    if (columns.length) flags.push(`--columns=${columns.join(",")}`);
    if (sort) flags.push(`--sort=${sort}`);
    if (limit) flags.push(`--limit=${limit}`);
    if (pages && from) flags.push(`--${pages}=${from}`);
  }
  return [...command.split(" "), ...flags, ...(given.words.length ? ["--", ...given.words] : [])];
}

/** Whether a list goes on in pages in this order. @param {string} sort @param {string} column that pages go by */
export const goesOn = (sort, column) => sort === "" || sort.replace(/^-/, "") === column;

/**
 * What a filter may become, from what its last word may.
 *
 * @param {string} text that is being typed
 * @param {string[]} words of it, of which the last is being typed
 * @param {{value: string}[]} found
 * @param {(word: string) => string} quoted
 */
export function suggestions(text, words, found, quoted) {
  const last = words.at(-1) ?? "";
  const before = text.slice(0, text.length - last.length);
  if (!text.endsWith(last) || /["']$/.test(before)) return []; // it is quoted, and stands otherwise than it is
  return found.map(({ value }) => before + quoted(value)).filter((whole) => whole !== text);
}

/** An address without its port, as bans take it; empty where it is none. @param {string} address such as `[::1]:5000` */
export function hostOf(address) {
  const host = /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? (address.split(":").length === 2 ? address.split(":")[0] : address);
  return /^(?=.*[.:])[0-9a-fA-F:.]+$/.test(host) ? host : "";
}

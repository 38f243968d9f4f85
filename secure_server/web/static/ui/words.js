// @ts-check
/** The page's own words: English in the code, other languages in dictionaries. */

import { PT_BR } from "./pt-br.js";

/** Languages, by their tags, as they call themselves. */
export const LANGUAGES = { en: "English", "pt-BR": "Português" };

/** @type {Record<string, string>} */
const portuguese = { ...PT_BR };
const KEPT = "secure-command.language";
let current = first();

/**
 * A sentence in the language of the page: `t("Job {number} of {user}", {number: 7, user: "alice"})`.
 *
 * @param {string} sentence in English, as in the dictionaries
 * @param {Record<string, unknown>} [values] for the names in braces
 * @returns {string}
 */
export function t(sentence, values = {}) {
  const found = current === "pt-BR" ? (portuguese[sentence] ?? sentence) : sentence;
  return found.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}

/**
 * One of two sentences, by a number, which both may name as `{count}`.
 * @param {string} one @param {string} many @param {number} count @param {Record<string, unknown>} [values]
 */
export function tn(one, many, count, values = {}) {
  return t(count === 1 ? one : many, { count: number(count), ...values });
}

/** Add a room's words: `learn({"Run again": "Executar de novo"})`. @param {Record<string, string>} words */
export function learn(words) {
  Object.assign(portuguese, words);
}

/** The language's tag: `en` or `pt-BR`. @returns {"en" | "pt-BR"} */
export function language() {
  return current;
}

/** Choose a language, and keep the choice. @param {"en" | "pt-BR"} tag */
export function speak(tag) {
  current = tag;
  document.documentElement.lang = tag;
  try {
    localStorage.setItem(KEPT, tag);
  } catch {} // where nothing may be kept, the choice lasts as long as the page
}

/** A number as people here write it. @param {number | bigint} value @param {Intl.NumberFormatOptions} [options] */
export function number(value, options) {
  return new Intl.NumberFormat(current, options).format(value);
}

/** @returns {"en" | "pt-BR"} */
function first() {
  let wanted = /** @type {readonly string[]} */ (globalThis.navigator?.languages ?? ["en"]);
  try {
    const kept = localStorage.getItem(KEPT);
    if (kept) wanted = [kept];
  } catch {}
  const known = wanted.map((tag) => (/^pt\b/i.test(tag) ? "pt-BR" : /^en\b/i.test(tag) ? "en" : null));
  return known.find((tag) => tag !== null) ?? "en";
}

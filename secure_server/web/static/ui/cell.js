// @ts-check
/** Single values: within a table's cell, and as plain text. */

import { h } from "./dom.js";
import { moment, momentOf } from "./moments.js";
import { t, tn } from "./words.js";

const CELL = 300; // characters of a text that are shown at once
const DEEP = 12; // levels of a value that are looked at

/** Whether a value is a failure of the server (`Failure` of wire/resp3.js). @param {any} value */
export function isFailure(value) {
  return typeof value === "object" && value !== null && typeof value.code === "string" && typeof value.text === "string";
}

/**
 * What a failure says, in the page's language where the page itself says it (`Trouble` of wire/trouble.js).
 *
 * @param {any} failure
 * @returns {string}
 */
export function saying({ code, text, sentence, values = {}, said, cause }) {
  if (!sentence) return text || code;
  const whole = t(sentence, cause ? { ...values, cause: saying(cause) } : values);
  return said ? `${whole} (${said.replace(/\.$/, "")})` : whole;
}

/** A value within a table's cell, or beside a name. @param {unknown} value @returns {Node | string} */
export function cell(value) {
  if (value === null || value === undefined || value === "") return h("span", { class: "muted" }, "–");
  const date = momentOf(value);
  if (date) return moment(date, { short: true });
  if (typeof value === "boolean") return h("span", { class: value ? "badge good" : "badge" }, value ? t("yes") : t("no"));
  if (isFailure(value)) return h("span", { class: "badge bad" }, plain(value));
  if (value instanceof Map || (Array.isArray(value) && value.some((item) => typeof item === "object"))) {
    const items = value instanceof Map ? value.size : value.length;
    if (items === 0) return h("span", { class: "muted" }, "–");
    const title = tn("{count} entry", "{count} entries", items);
    return h("details", null, h("summary", null, title), h("pre", { class: "wrap" }, plain(value)));
  }
  const all = plain(value);
  if (all.length <= CELL) return all;
  return h("details", null, h("summary", null, `${all.slice(0, CELL)}…`), h("pre", { class: "wrap" }, all));
}

/** A value as text, for copying and searching. @param {any} value @param {number} [deep] @returns {string} */
export function plain(value, deep = 0) {
  if (value === null || value === undefined) return "";
  if (isFailure(value)) return `${value.code} ${saying(value)}`;
  if (deep > DEEP) return "…";
  if (value instanceof Map)
    return [...value].map(([key, item]) => `${plain(key, deep + 1)}: ${plain(item, deep + 1)}`).join(deep ? ", " : "\n");
  if (Array.isArray(value)) return value.map((item) => plain(item, deep + 1)).join(deep ? ", " : "\n");
  return String(value);
}

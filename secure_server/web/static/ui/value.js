// @ts-check
/** Answers as people read them. */

import { cell, isFailure, plain, saying } from "./cell.js";
import { h } from "./dom.js";
import { moment } from "./moments.js";
import { table } from "./table.js";
import { t } from "./words.js";

export { cell, isFailure, plain, saying };

/**
 * What COMMANDS says of a command; only this is looked at here.
 *
 * @typedef {{reply?: string, form?: string, columns?: string[], empty?: string, minor?: string[], name?: string}} Description
 */

const DEEP = 12; // levels of a tree; what is deeper is shown as text

/**
 * An answer, or a part of one.
 *
 * @param {unknown} value as wire/resp3.js gives it
 * @param {Description} [description] of the command, so that tables get their columns and moments are known
 * @returns {Node}
 */
export function render(value, description = {}) {
  if (isFailure(value)) return failure(/** @type {any} */ (value));
  if (description.reply === "timestamp" && Array.isArray(value) && value.length === 2) {
    const date = new Date(Number(value[0]) * 1000 + Number(value[1]) / 1000);
    if (!Number.isNaN(date.getTime())) return h("p", { class: "value" }, moment(date));
  }
  if (Array.isArray(value)) return list(value, description);
  if (value instanceof Map) return tree(value);
  if (value === null || value === undefined) return h("p", { class: "value muted" }, t("No value."));
  if (typeof value === "string") return text(formed(value, description));
  return h("p", { class: "value" }, formed(plain(value), description));
}

/**
 * An error of the server, or of the page: its sentence, and its code for who looks it up.
 *
 * @param {{code: string, text: string}} value
 */
export function failure(value) {
  return h("div", { class: "alert bad", role: "alert" }, h("p", null, saying(value)), h("p", { class: "code" }, value.code));
}

/** A map as a tree: what is flat stands beside its name, what is not can be folded. @param {Map<unknown, unknown>} value @param {number} [deep] @returns {Node} */
export function tree(value, deep = 0) {
  if (value.size === 0) return h("p", { class: "muted none" }, t("Nothing to show."));
  const pairs = [...value].map(([key, item]) => {
    const nested = (item instanceof Map && item.size > 0) || (Array.isArray(item) && item.some((one) => typeof one === "object"));
    if (!nested || deep >= DEEP) return h("div", null, h("dt", null, plain(key)), h("dd", null, nested ? plain(item) : cell(item)));
    const below = inner(item, deep + 1);
    const name = h("summary", null, plain(key));
    return h("div", { class: "nested" }, h("dt", { class: "unseen" }, plain(key)), h("dd", null, h("details", { open: deep < 2 }, name, below)));
  });
  return h("dl", { class: "tree" }, pairs);
}

/** @param {unknown[]} items @param {Description} description @param {number} [deep] @returns {Node} */
function list(items, description, deep = 0) {
  if (items.length === 0) return h("p", { class: "muted none" }, description.empty || t("Nothing to show."));
  if (items.every((item) => item instanceof Map)) return rows(/** @type {any} */ (items), description);
  const width = description.columns?.length;
  if (width && items.every((item) => Array.isArray(item) && item.length === width)) return rows(/** @type {any} */ (items), description);
  if (items.every((item) => typeof item !== "object" || item === null)) return text(items.map((item) => plain(item)).join("\n"));
  if (deep >= DEEP) return text(plain(items));
  return h("ul", { class: "tree" }, items.map((item) => h("li", null, inner(item, deep + 1))));
}

/** @param {unknown} item @param {number} deep @returns {Node | string} */
function inner(item, deep) {
  if (item instanceof Map) return tree(item, deep);
  return Array.isArray(item) ? list(item, {}, deep) : cell(item);
}

/** @param {(Map<string, unknown> | unknown[])[]} items @param {Description} description */
function rows(items, { columns = [], minor = [], empty, name }) {
  const found = [...new Set(items.flatMap((row) => (row instanceof Map ? [...row.keys()].map(String) : [])))];
  // A request may choose its columns: then the rows' own go before what is said of the command.
  const same = items.every((row) => Array.isArray(row)) || columns.some((column) => found.includes(column));
  const names = columns.length && same ? [...columns, ...found.filter((one) => !columns.includes(one))] : found;
  const all = names.map((key) => ({ key, minor: minor.includes(key) }));
  return table(all, items, { empty, caption: name ?? t("Answer") });
}

/** @param {string} value */
function text(value) {
  return value.includes("\n") ? h("pre", { class: "output" }, value) : h("p", { class: "value" }, value);
}

/** @param {string} value @param {Description} description */
function formed(value, { form }) {
  return form && !value.includes("\n") ? form.replace("{}", () => value) : value;
}

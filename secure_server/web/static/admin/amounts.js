// @ts-check
/** Amounts as people read them, and cells of tables by the names of their columns. */

import { h } from "../ui/dom.js";
import { duration } from "../ui/moments.js";
import { cell } from "../ui/value.js";
import { number } from "../ui/words.js";

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** Bytes: `512 B`, `1.5 MB`. @param {number} bytes */
export function size(bytes) {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${number(value, { maximumFractionDigits: value < 10 && unit ? 1 : 0 })} ${UNITS[unit]}`;
}

/** Seconds that are few: `0.29 ms`, `1.2 s`; null is not known. @param {number | null} seconds */
export function brief(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const [value, unit] = seconds < 1 ? [seconds * 1000, "ms"] : [seconds, "s"];
  return `${number(value, { maximumSignificantDigits: 3 })} ${unit}`;
}

/** @type {Record<string, string>} how words of the server look */
const KINDS = {
  ok: "good", accepted: "good", authenticated: "good", active: "good", present: "good", done: "good", written: "good",
  refused: "bad", revoked: "bad", failed: "bad", error: "bad", lost: "bad", failing: "bad", admin: "accent",
  expired: "warn", spent: "warn", closing: "warn", kicked: "warn", banned: "bad", warning: "warn", operator: "warn", running: "accent", file: "accent", set: "warn",
};

/** @param {unknown} value */
export const badge = (value) => (value ? h("span", { class: `badge ${KINDS[String(value)] ?? (/^[A-Z]/.test(String(value)) ? "bad" : "")}` }, String(value)) : cell(value));
/** @param {unknown} value */
const bytes = (value) => (typeof value === "number" ? size(value) : cell(value));
/** @param {unknown} value */
const lasting = (value) => (typeof value === "number" ? duration(value) : cell(value));
/** @param {any} value */
const taken = (value) => (value === undefined ? cell(value) : brief(value));

/** What is not broken into lines. @param {unknown} value */
const whole = (value) => h("span", { class: "keep" }, cell(value));

/** @type {Record<string, (value: any) => import("../ui/dom.js").Child>} */
const CELLS = {
  user: whole, who: whole, by: whole, from: whole, address: whole, last: whole, name: whole, command: whole, netblock: whole, id: whole, connected: whole, time: whole, last_used: whole, expires: whole, moment: whole, closed: whole,
  role: badge, state: badge, outcome: badge, in: bytes, out: bytes, bytes, idle: lasting, age: lasting, seconds: lasting,
  took: taken, p50: taken, p99: taken, max: taken, minute_p50: taken, minute_p99: taken, minute_max: taken,
};
const RIGHT = /^(in|out|bytes|idle|age|seconds|took|(minute_)?(p50|p99|max))$/;

/**
 * Columns for a table.
 *
 * @param {string[]} keys
 * @param {Record<string, (value: any, row: any) => import("../ui/dom.js").Child>} [cells] of this table alone
 * @param {string[]} [minor]
 * @returns {import("../ui/table.js").Column[]}
 */
export const columnsOf = (keys, cells = {}, minor = []) =>
  keys.map((key) => ({ key, render: cells[key] ?? CELLS[key] ?? cell, minor: minor.includes(key), ...(RIGHT.test(key) ? { number: true } : {}) }));

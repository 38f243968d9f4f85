// @ts-check
/** Moments, local and relative. */

import { h } from "./dom.js";
import { language } from "./words.js";

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const STEPS = /** @type {const} */ ([
  ["second", 60],
  ["minute", 60],
  ["hour", 24],
  ["day", 30],
  ["month", 12],
  ["year", Infinity],
]);
const REFRESHED = 20_000; // milliseconds: no unit that is shown is wrong for longer

/** The moment that a text is (ISO 8601 with an offset), or null. @param {unknown} value @returns {Date | null} */
export function momentOf(value) {
  if (value instanceof Date) return value;
  if (typeof value !== "string" || !MOMENT.test(value)) return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** "3 minutes ago", "in 2 hours". @param {Date} date @param {number} [now] */
export function relative(date, now = Date.now()) {
  let value = (date.getTime() - now) / 1000;
  for (const [unit, many] of STEPS) {
    if (Math.abs(value) < many)
      return new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(Math.round(value), unit);
    value /= many;
  }
  return "";
}

/** @param {Date} date */
export function local(date) {
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" }).format(date);
}

/**
 * A moment: local time, and relative behind it (`short`: relative alone, and local when pointed at).
 *
 * @param {Date} date
 * @param {{short?: boolean}} [options]
 * @returns {HTMLElement}
 */
export function moment(date, { short = false } = {}) {
  const attributes = { datetime: date.toISOString(), title: `${local(date)}\n${date.toISOString()}` };
  const ago = h("span", { "data-moment": date.getTime(), class: short ? "" : "muted" }, relative(date));
  return short ? h("time", attributes, ago) : h("time", attributes, local(date), " ", ago);
}

/** A duration in seconds: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. @param {number} seconds */
export function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min${all % 60 ? ` ${all % 60} s` : ""}`;
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor((all % 3600) / 60);
  if (hours < 24) return `${hours} h${minutes ? ` ${minutes} min` : ""}`;
  return `${Math.floor(hours / 24)} d${hours % 24 ? ` ${hours % 24} h` : ""}`;
}

if (globalThis.document)
  setInterval(() => {
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-moment]"))) {
      const text = relative(new Date(Number(node.dataset.moment)));
      if (node.textContent !== text) node.textContent = text;
    }
  }, REFRESHED);

// @ts-check
/** Tables that sort; on phones each row is a card. */

import { cell } from "./cell.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { t, tn } from "./words.js";

/**
 * @typedef {import("./dom.js").Child} Child
 * @typedef {Map<unknown, unknown> | unknown[] | Record<string, unknown>} Row by the columns' keys, or in their order
 * @typedef {{key: string, title?: string, render?: (value: unknown, row: Row) => Child, number?: boolean, minor?: boolean}} Column
 *     `number`: aligned right; else the values say. `minor`: left out on narrow screens
 * @typedef {{sort?: string, onRow?: (row: Row) => void, caption?: string, empty?: string, key?: string, actions?: (row: Row) => Child}} Options
 *     `sort`: a column's key, `-` before it for descending; else the rows' own order. `caption`: for screen readers.
 *     `key`: the column that tells rows apart: `update` leaves alone those that did not change, and the focus in them
 */

const SHOWN = 200; // rows at once; more on request, so that a long table never freezes the page
const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** @param {unknown} a @param {unknown} b */
export function compare(a, b) {
  const [x, y] = [a ?? "", b ?? ""];
  if (x === "" || y === "") return Number(x === "") - Number(y === "");
  const difference = Number(x) - Number(y);
  return Number.isNaN(difference) ? names.compare(String(x), String(y)) : difference;
}

/** What can have the focus in a row. @param {HTMLElement} row */
const reach = (row) => [row, .../** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("a,button,summary"))];

/**
 * A table: `table(["id", "user"], rows, {caption: t("Clients"), onRow: open})`.
 *
 * @param {(string | Column)[]} columns
 * @param {Row[]} rows
 * @param {Options} [options]
 * @returns {HTMLElement & {update(rows: Row[]): void}}
 */
export function table(columns, rows, { sort = "", onRow, caption, empty, key, actions } = {}) {
  /** @type {Column[]} */
  const all = columns.map((column) => (typeof column === "string" ? { key: column } : column));
  let sorted = sort.replace("-", "");
  let descending = sort.startsWith("-");
  let most = SHOWN;
  /** @type {Map<unknown, [string, HTMLElement]>} */
  let kept = new Map();

  const headings = all.map(({ key, title, minor }) =>
    h("th", { scope: "col", class: minor && "minor" }, h("button", { type: "button", onclick: () => sortBy(key) }, title ?? key, icon("sort"))));
  const body = h("tbody");
  const more = h("button", { type: "button", class: "quiet", onclick: () => draw((most += SHOWN * 5)) });
  const none = h("p", { class: "muted none" }, empty ?? t("Nothing to show."));
  const head = h("thead", null, h("tr", null, headings, actions && h("td")));
  const grid = h("table", { class: "table" }, caption && h("caption", { class: "unseen" }, caption), head, body);
  const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption ?? t("Table") }, grid);

  /** @param {Row} row @param {number} place */
  function at(row, place) {
    if (Array.isArray(row)) return row[place];
    return row instanceof Map ? row.get(all[place].key) : row[all[place].key];
  }

  /** @param {string} key */
  function sortBy(key) {
    if (sorted !== key) [sorted, descending] = [key, false];
    else if (!descending) descending = true;
    else sorted = "";
    draw();
  }

  /** @param {Row} row @param {boolean[]} numeric */
  function line(row, numeric) {
    const cells = all.map(({ key, title = key, render, minor }, place) => {
      const kind = [numeric[place] && "number", minor && "minor"].filter(Boolean).join(" ");
      return h("td", { "data-label": title, class: kind || null }, render ? render(at(row, place), row) : cell(at(row, place)));
    });
    const end = actions && h("td", { class: "actions" }, actions(row));
    if (!onRow) return h("tr", null, cells, end);
    const open = (/** @type {MouseEvent | KeyboardEvent} */ event) => {
      if (/** @type {Element} */ (event.target).closest("a,button,input,select,summary")) return;
      // A mouse may also be selecting text.
      if ("key" in event ? event.key === "Enter" : !String(getSelection())) onRow(row);
    };
    return h("tr", { class: "chosen", tabindex: 0, onclick: open, onkeydown: open }, cells, end);
  }

  function draw(_ = 0) {
    const index = all.findIndex(({ key }) => key === sorted);
    const sign = descending ? -1 : 1;
    const order = index < 0 ? rows : [...rows].sort((a, b) => sign * compare(at(a, index), at(b, index)));
    const visible = order.slice(0, most);
    const numeric = all.map(({ number }, place) => {
      const values = visible.map((row) => at(row, place)).filter((value) => value !== null && value !== "");
      return number ?? (values.length > 0 && values.every((value) => typeof value === "number" || typeof value === "bigint"));
    });
    headings.forEach((heading, place) => {
      heading.ariaSort = place !== index ? "none" : descending ? "descending" : "ascending";
      heading.classList.toggle("number", numeric[place]);
    });
    const before = kept;
    kept = new Map();
    const identity = all.findIndex((column) => column.key === key);
    const lines = visible.map((row) => {
      if (identity < 0) return line(row, numeric);
      const signature = all.map((_, place) => String(at(row, place))).join("\0");
      const was = before.get(at(row, identity));
      const node = was?.[0] === signature ? was[1] : line(row, numeric);
      kept.set(at(row, identity), [signature, node]);
      return node;
    });
    // Rows that stand where they stood are not touched, and whoever has the focus in one keeps it.
    if (lines.length !== body.children.length || lines.some((node, place) => body.children[place] !== node)) {
      const focused = body.contains(document.activeElement) && /** @type {HTMLElement} */ (document.activeElement);
      const [name, was] = [...before].find(([, [, node]]) => node.contains(document.activeElement)) ?? [];
      replace(body, lines);
      const now = was && kept.get(name)?.[1];
      const to = focused && (focused.isConnected || !now ? focused : reach(now)[reach(was[1]).indexOf(focused)]);
      if (to) to.focus({ preventScroll: true }); // the same of the same row, where that was drawn anew
    }
    const left = rows.length - visible.length;
    [scroll.hidden, none.hidden, more.hidden] = [!rows.length, rows.length > 0, !left];
    replace(more, tn("Show more: {count} row is left", "Show more: {count} rows are left", left));
  }

  draw();
  return Object.assign(h("div", { class: "table-box" }, scroll, none, more), {
    /** @param {Row[]} others */
    update(others) {
      rows = others;
      draw();
    },
  });
}

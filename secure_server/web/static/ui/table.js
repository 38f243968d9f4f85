// @ts-check
/** Tables that sort; on phones each row is a card. */

import { cell } from "./cell.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { t, tn } from "./words.js";

/**
 * @typedef {Map<unknown, unknown> | unknown[] | Record<string, unknown>} Row maps by the columns' keys, or lists in order
 * @typedef {{key: string, title?: string, render?: (value: unknown, row: Row) => import("./dom.js").Child,
 *     number?: boolean, minor?: boolean}} Column
 *     `number`: aligned right; else found out by the values. `minor`: left out on narrow screens
 * @typedef {{sort?: string, onRow?: (row: Row) => void, caption?: string, empty?: string, key?: string,
 *     actions?: (row: Row) => import("./dom.js").Child}} Options
 *     `sort`: a column's key, `-` before it for descending; none keeps the rows' own order. `caption`: for screen
 *     readers. `key`: the column that tells rows apart, so that `update` leaves alone what did not change, focus too.
 *     `actions`: buttons at the end of each row
 */

const SHOWN = 200; // rows at once; more on request, so that a long table never freezes the page
const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** What a row has in a column. @param {Row} row @param {string} key @param {number} index */
function at(row, key, index) {
  if (row instanceof Map) return row.get(key);
  return Array.isArray(row) ? row[index] : row[key];
}

/** @param {unknown} a @param {unknown} b */
export function compare(a, b) {
  const [x, y] = [a ?? "", b ?? ""];
  if (x === "" || y === "") return x === y ? 0 : x === "" ? 1 : -1;
  const numbers = [Number(x), Number(y)];
  if (!numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
  return names.compare(String(x), String(y));
}

/**
 * A table: `table(["id", "user"], rows, {caption: t("Clients"), onRow: open})`.
 *
 * @param {(string | Column)[]} columns
 * @param {Row[]} rows
 * @param {Options} [options]
 * @returns {HTMLElement & {update(rows: Row[]): void}}
 */
export function table(columns, rows, options = {}) {
  const all = columns.map((column) => (typeof column === "string" ? { key: column } : column));
  const { onRow, actions, caption, key: identity } = options;
  let [sorted, descending] = [(options.sort ?? "").replace(/^-/, ""), (options.sort ?? "").startsWith("-")];
  let most = SHOWN;
  /** @type {Map<unknown, {signature: string, node: HTMLElement}>} */
  let kept = new Map();

  const headings = all.map((column) => {
    const button = h("button", { type: "button", onclick: () => sortBy(column.key) }, column.title ?? column.key, icon("sort"));
    return h("th", { scope: "col", class: column.minor ? "minor" : "" }, button);
  });
  const body = h("tbody", null);
  const more = h("button", { type: "button", class: "quiet", onclick: () => draw((most += SHOWN * 5)) });
  const none = h("p", { class: "muted none" }, options.empty ?? t("Nothing to show."));
  const head = h("thead", null, h("tr", null, headings, actions ? h("td", null) : null));
  const grid = h("table", { class: "table" }, caption ? h("caption", { class: "unseen" }, caption) : null, head, body);
  const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption ?? t("Table") }, grid);
  const whole = h("div", { class: "table-box" }, scroll, none, more);

  /** @param {string} key */
  function sortBy(key) {
    if (sorted !== key) [sorted, descending] = [key, false];
    else if (!descending) descending = true;
    else [sorted, descending] = ["", false];
    draw();
  }

  /** @param {Row} row @param {boolean[]} numeric */
  function line(row, numeric) {
    const cells = all.map((column, index) => {
      const value = at(row, column.key, index);
      const shown = column.render ? column.render(value, row) : cell(value);
      const kind = `${numeric[index] ? "number" : ""} ${column.minor ? "minor" : ""}`.trim();
      return h("td", { "data-label": column.title ?? column.key, class: kind || null }, shown);
    });
    const end = actions ? h("td", { class: "actions" }, actions(row)) : null;
    if (!onRow) return h("tr", null, cells, end);
    const open = (/** @type {Event} */ event) => {
      if (/** @type {Element} */ (event.target).closest("a,button,input,select")) return;
      if (event instanceof KeyboardEvent) {
        if (event.key !== "Enter") return;
        event.preventDefault();
      } else if (String(getSelection() ?? "")) return; // text was selected, not a row chosen
      onRow(row);
    };
    return h("tr", { class: "chosen", tabindex: 0, onclick: open, onkeydown: open }, cells, end);
  }

  function draw(_ = 0) {
    const index = all.findIndex((column) => column.key === sorted);
    const sign = descending ? -1 : 1;
    const order = index < 0 ? rows : [...rows].sort((a, b) => sign * compare(at(a, sorted, index), at(b, sorted, index)));
    const visible = order.slice(0, most);
    const numeric = all.map((column, place) => {
      if (column.number !== undefined) return column.number;
      const values = visible.map((row) => at(row, column.key, place)).filter((value) => value !== null && value !== "");
      return values.length > 0 && values.every((value) => typeof value === "number" || typeof value === "bigint");
    });
    headings.forEach((heading, place) => {
      const is = all[place].key === sorted;
      heading.ariaSort = is ? (descending ? "descending" : "ascending") : "none";
      heading.classList.toggle("number", numeric[place]);
    });
    const before = kept;
    kept = new Map();
    const lines = visible.map((row) => {
      if (identity === undefined) return line(row, numeric);
      const name = at(row, identity, all.findIndex((column) => column.key === identity));
      const signature = all.map((column, place) => String(at(row, column.key, place))).join("\u0000");
      const was = before.get(name);
      const node = was?.signature === signature ? was.node : line(row, numeric);
      kept.set(name, { signature, node });
      return node;
    });
    // What stands where it stood is not touched: whoever has the focus in it keeps it.
    if (lines.length !== body.children.length || lines.some((node, place) => body.children[place] !== node)) {
      const focused = /** @type {HTMLElement | null} */ (body.contains(document.activeElement) ? document.activeElement : null);
      replace(body, lines);
      if (focused?.isConnected) focused.focus({ preventScroll: true });
    }
    scroll.hidden = rows.length === 0;
    none.hidden = rows.length > 0;
    more.hidden = rows.length <= most;
    replace(more, tn("Show more: {count} row is left", "Show more: {count} rows are left", Math.max(0, rows.length - most)));
  }

  draw();
  return Object.assign(whole, {
    /** @param {Row[]} others */
    update(others) {
      rows = others;
      draw();
    },
  });
}

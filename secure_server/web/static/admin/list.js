// @ts-check
/** A table that the server fills: filtered, in an order, in pages, and looked at again while it is seen. */

import { quoted } from "../console/words.js";
import { h, id, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { href, here, rename } from "../ui/router.js";
import { table } from "../ui/table.js";
import { failure } from "../ui/value.js";
import { t, tn } from "../ui/words.js";
import { split } from "../wire/line.js";
import { columnsOf } from "./amounts.js";
import { live, waiting } from "./page.js";
import { goesOn, request, suggestions } from "./requests.js";

const PAGE = 100; // rows

/**
 * @typedef {Map<string, any>} Row
 *
 * @typedef {object} Listing
 * @property {string} command
 * @property {string[]} [words] options that are always sent
 * @property {URLSearchParams} [query] the address's: with it there is a filter
 * @property {string[]} [columns] that are shown unless others are chosen
 * @property {string} [key] the column that tells rows apart
 * @property {"after" | "before"} [pages] the option that goes on
 * @property {boolean} [newest] the latest row comes last, and is shown first
 * @property {number} [every] milliseconds
 * @property {Record<string, (value: any, row: any) => import("../ui/dom.js").Child>} [cells]
 * @property {(row: Row, look: () => void) => import("../ui/dom.js").Child} [actions]
 * @property {(row: Row) => void} [onRow]
 */

/**
 * @param {any} client
 * @param {Listing} listing
 * @returns {{node: Element, look: () => void, leave: () => void, filter: () => string} | null} null where there is no
 *     such command for who is signed in
 */
export function list(client, { command, words = [], query, columns = [], key, pages, newest, every = 0, cells, actions, onRow }) {
  const described = client.catalogue.find(command.split(" "));
  if (!described) return null;
  const has = (/** @type {string} */ flag) => described.arguments.some((/** @type {any} */ one) => one.flag && one.name === flag);
  let filter = query?.get("filter") ?? "";
  let chosen = (query?.get("columns") ?? "").split(",").filter(Boolean);
  let sort = query?.get("sort") ?? "";
  let from = "";
  let drawn = "";
  /** @type {any} */
  let grid = null;
  /** @type {Row[]} */
  let rows = [];

  const place = h("div", { class: "stack" }, waiting());
  const many = h("span", { class: "small muted", role: "status" });
  const first = h("button", { type: "button", class: "small", hidden: true, onclick: () => turn("") }, t("First page"));
  const next = h("button", { type: "button", class: "small", hidden: true, onclick: () => turn(String(rows.at(-1)?.get(described.pages || key))) }, t("Next page"));
  const top = query ? filters() : null;
  const node = h("div", { class: "stack" }, top, place, h("div", { class: "row" }, many, first, next));
  const { look, leave } = live(client, ask, every);
  return { node, look, leave, filter: () => filter };

  /** @param {boolean} [count] */
  function asked(count = false) {
    const shown = chosen.length ? chosen : columns;
    return request({ command, words, filter, columns: has("columns") ? shown : [], sort: has("sort") ? sort : "", limit: has("limit") ? PAGE : 0, from, pages, count });
  }

  async function ask() {
    const sent = asked();
    if (!sent) return wrong(h("p", { class: "alert bad", role: "alert" }, t("Unbalanced quotes in the line.")));
    try {
      const answer = await client.run(sent, { idempotent: true }).done;
      const paged = from !== "" || answer.length >= PAGE;
      const all = paged && has("count") ? await client.run(asked(true), { idempotent: true }).done : answer.length;
      if (String(asked()) === String(sent)) draw(answer, Number(all)); // else something else is wanted by now
    } catch (/** @type {any} */ error) {
      wrong(failure(error));
    }
  }

  /** @param {Row[]} answer @param {number} all */
  function draw(answer, all) {
    rows = newest ? [...answer].reverse() : answer;
    const shown = chosen.length ? chosen : columns.length ? columns : described.columns;
    if (!grid || drawn !== String(shown)) {
      drawn = String(shown);
      const made = columnsOf(shown, cells, chosen.length ? [] : described.minor);
      grid = table(made, rows, { key: shown.includes(key) ? key : undefined, caption: command, onRow: /** @type {any} */ (onRow), actions: actions && ((/** @type {any} */ row) => actions(row, look)), empty: " " });
    } else grid.update(rows);
    if (rows.length) replaceOnce(place, grid);
    else replace(place, h("p", { class: "muted none" }, filter || from ? t("Nothing matches.") : described.empty || t("Nothing to show.")));
    replace(many, all > rows.length ? t("{count} of {all}", { count: rows.length, all }) : rows.length ? tn("{count} row", "{count} rows", rows.length) : "");
    first.hidden = from === "";
    next.hidden = !pages || rows.length < PAGE || !goesOn(sort, described.pages || key || "");
  }

  /** @param {Node} said */
  function wrong(said) {
    grid = null;
    replace(place, said);
    replace(many);
  }

  /** @param {string} row */
  function turn(row) {
    from = row;
    look();
  }

  function changed() {
    const kept = { filter, columns: chosen.join(","), sort };
    rename(href(here(), Object.fromEntries(Object.entries(kept).filter(([, value]) => value))));
    turn("");
  }

  function filters() {
    const hint = described.arguments.find((/** @type {any} */ one) => one.variadic)?.summary ?? "";
    const field = filterField(client, command, filter, hint, (text) => ((filter = text), changed()));
    if (!has("columns")) return field;
    const order = h("select", { "aria-label": t("Order"), onchange: () => ((sort = order.value), changed()) }, h("option", { value: "" }, t("In order of {column}", { column: described.pages })));
    const chips = h("div", { class: "chips" });
    options("sort").then((found) => order.append(...found.map((one) => h("option", { value: one, selected: one === sort }, one.startsWith("-") ? `${one.slice(1)} ↓` : `${one} ↑`))));
    options("columns").then((found) => replace(chips, found.map(chip)));
    const button = h("button", { type: "button", "aria-expanded": "false", onclick: unfold }, icon("more"), t("Columns"));
    chips.hidden = true;
    return h("div", { class: "stack" }, field, h("div", { class: "toolbar" }, order, button), chips);

    function unfold() {
      chips.hidden = !chips.hidden;
      button.ariaExpanded = String(!chips.hidden);
    }
  }

  /** What an option may be. @param {string} flag @returns {Promise<string[]>} */
  async function options(flag) {
    return (await client.complete([...command.split(" "), `--${flag}`, ""])).map((/** @type {any} */ one) => one.value);
  }

  /** @param {string} column */
  function chip(column) {
    const current = () => (chosen.length ? chosen : columns);
    const button = h("button", { type: "button", class: "chip", "aria-pressed": String(current().includes(column)), onclick }, column);
    return button;

    function onclick() {
      const others = current().filter((one) => one !== column);
      if (!others.length) return; // one at least
      chosen = others.length < current().length ? others : [...others, column];
      button.ariaPressed = String(chosen.includes(column));
      changed();
    }
  }
}

/** Put a node where it is not yet: what has the focus in it keeps it. @param {Element} place @param {Node} node */
function replaceOnce(place, node) {
  if (place.firstChild !== node) replace(place, node);
}

/**
 * A field for a filter, which the server completes.
 *
 * @param {any} client
 * @param {string} command
 * @param {string} start
 * @param {string} hint
 * @param {(text: string) => void} take
 */
export function filterField(client, command, start, hint, take) {
  const offered = h("datalist", { id: id("filter") });
  const input = h("input", { type: "search", value: start, list: offered.id, "aria-label": t("Filter"), placeholder: t("Filter"), autocomplete: "off", autocapitalize: "off", spellcheck: "false", oninput: suggest, onsearch: apply });
  let [busy, again] = [false, false];
  return h("form", { class: "field", onsubmit: apply }, h("div", { class: "with-button" }, input, offered, h("button", null, t("Filter"))), h("p", { class: "hint" }, hint));

  /** @param {Event} event */
  function apply(event) {
    event.preventDefault();
    if (input.value.trim() !== start) take((start = input.value.trim()));
  }

  async function suggest() {
    again = busy;
    if (busy) return;
    busy = true;
    const { value } = input;
    const words = split(value);
    const found = suggestions(value, words, await client.complete([...command.split(" "), ...words]), quoted);
    replace(offered, found.map((one) => h("option", { value: one })));
    busy = false;
    if (again) suggest();
  }
}

// @ts-check
/** Output of any length: of 100,000 lines, those that are seen are on the page. */

import { h, replace } from "../ui/dom.js";
import { plain } from "../ui/cell.js";
import { t } from "../ui/words.js";

const MOST_LINES = 200_000; // kept; the first ones go
const HEIGHT = 22; // pixels of a line, as in style.css
const BEYOND = 20; // lines above and below those that are seen

/** Which lines are to be on the page. @param {number} top pixels above what is seen @param {number} height of that @param {number} count of lines */
export function within(top, height, count) {
  const first = Math.max(0, Math.min(count, Math.floor(top / HEIGHT)) - BEYOND);
  return { first, last: Math.min(count, Math.ceil((top + height) / HEIGHT) + BEYOND) };
}

/** Lines as they come. */
export class Output {
  /** @type {string[]} */
  #lines = [];
  #drawn = "";
  #top = 0;
  #follows = true; // the end, until somebody scrolls up
  #waits = 0;
  #sizer = h("div", { class: "window" });
  #gone = h("p", { class: "small muted", hidden: true }, t("The first lines were too many to be kept."));
  #box = h("div", { class: "output windowed", role: "log", tabindex: 0, "aria-label": t("Output"), onscroll: () => this.#scrolled() }, this.#sizer);
  node = h("div", { class: "stack" }, this.#gone, this.#box);

  constructor() {
    new ResizeObserver(() => this.refresh()).observe(this.#box); // also where another view took it over
  }

  get length() {
    return this.#lines.length;
  }

  /** All of it, to copy. */
  get text() {
    return this.#lines.map((line) => `${line}\n`).join("");
  }

  /** @param {unknown} value a part */
  add(value) {
    for (const line of plain(value).replace(/\n$/, "").split("\n")) this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) {
      this.#lines.splice(0, this.#lines.length - MOST_LINES * 0.9);
      this.#gone.hidden = false;
    }
    this.refresh();
  }

  /** Draw it where it stands now: who moved it lost how far it was scrolled. */
  refresh() {
    this.#waits ||= requestAnimationFrame(() => this.#show());
  }

  #show() {
    const box = this.#box;
    this.#waits = 0;
    if (!box.isConnected) return;
    this.#sizer.style.height = `${this.length * HEIGHT}px`;
    box.scrollTop = this.#follows ? box.scrollHeight : this.#top;
    this.#drawn = "";
    this.#draw();
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#box;
    if (!clientHeight) return;
    if (scrollTop + clientHeight >= scrollHeight - HEIGHT) this.#follows = true;
    else if (scrollTop < this.#top) this.#follows = false;
    this.#top = scrollTop;
    this.#draw();
  }

  #draw() {
    const { first, last } = within(this.#box.scrollTop, this.#box.clientHeight, this.length);
    if (this.#drawn === `${first} ${last}`) return;
    this.#drawn = `${first} ${last}`;
    const block = h("div", { class: "seen" }, this.#lines.slice(first, last).map((line) => h("div", { class: "line" }, line || " ")));
    block.style.transform = `translateY(${first * HEIGHT}px)`;
    replace(this.#sizer, block);
  }
}

/** A value as one takes it away: rows with tabs between. @param {any} value @returns {string} */
export function textOf(value) {
  if (!Array.isArray(value) || value.length === 0 || !value.every((row) => row instanceof Map)) return value === undefined ? "" : `${plain(value)}\n`;
  const names = [...new Set(value.flatMap((row) => [...row.keys()]))];
  const lines = [names, ...value.map((row) => names.map((name) => row.get(name)))];
  return lines.map((cells) => `${cells.map((one) => plain(one, 1).replace(/[\t\n]/g, " ")).join("\t")}\n`).join("");
}

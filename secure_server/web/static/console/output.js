// @ts-check
/** Output of any length: of 100,000 lines, those that are seen are on the page. */

import { h, replace } from "../ui/dom.js";
import { plain } from "../ui/cell.js";
import { t } from "../ui/words.js";

const MOST_LINES = 200_000; // kept; the first ones go
const HEIGHT = 22; // pixels of a line, as in style.css
const BEYOND = 20; // lines above and below those that are seen

/** Lines as they come. */
export class Output {
  /** @type {string[]} */
  #lines = [];
  #dropped = 0;
  #drawn = "";
  #top = 0;
  #follows = true; // the end, until somebody scrolls up
  #waits = false;
  #sizer = h("div", { class: "window" });
  /** Scrolls; a log to screen readers. */
  node = h("div", { class: "output windowed", role: "log", tabindex: 0, "aria-label": t("Output"), onscroll: () => this.#scrolled() }, this.#sizer);

  constructor() {
    new ResizeObserver(() => this.#soon()).observe(this.node); // also where another view took it over
  }

  /** How many lines there are. */
  get length() {
    return this.#lines.length;
  }

  /** All of it, to copy. */
  get text() {
    return this.#lines.length ? `${this.#lines.join("\n")}\n` : "";
  }

  /** @param {unknown} value a part */
  add(value) {
    const lines = plain(value).replace(/\n$/, "").split("\n");
    for (const line of lines) this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) {
      const many = this.#lines.length - MOST_LINES + MOST_LINES / 10;
      this.#lines.splice(0, many);
      this.#dropped += many;
    }
    this.#soon();
  }

  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      const { node } = this;
      if (!node.isConnected) return;
      this.#sizer.style.height = `${this.#lines.length * HEIGHT}px`;
      node.scrollTop = this.#follows ? node.scrollHeight : this.#top;
      this.#drawn = "";
      this.#draw();
    });
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.node;
    if (!clientHeight) return;
    if (scrollTop + clientHeight >= scrollHeight - HEIGHT) this.#follows = true;
    else if (scrollTop < this.#top) this.#follows = false;
    this.#top = scrollTop;
    this.#draw();
  }

  /** Draw it where it stands now, which may be within another view. */
  refresh() {
    this.#soon();
  }

  #draw() {
    const first = Math.max(0, Math.floor(this.node.scrollTop / HEIGHT) - BEYOND);
    const last = Math.min(this.#lines.length, Math.ceil((this.node.scrollTop + this.node.clientHeight) / HEIGHT) + BEYOND);
    if (this.#drawn === `${first} ${last}`) return;
    this.#drawn = `${first} ${last}`;
    const seen = this.#lines.slice(first, last).map((line) => h("div", { class: "line" }, line || " "));
    const block = h("div", { class: "seen" }, seen);
    block.style.transform = `translateY(${first * HEIGHT}px)`;
    replace(this.#sizer, block);
  }
}

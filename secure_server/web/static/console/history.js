// @ts-check
/** Lines that were typed, for the arrow keys; none that holds a secret. */

import { HIDDEN } from "./words.js";

const MOST = 200; // lines kept
const KEPT = "secure-command.history";

export class History {
  /** @type {string[]} */
  lines = [];
  #at = 0;
  #draft = "";
  #storage;

  /** @param {Pick<Storage, "getItem"|"setItem"> | null} storage */
  constructor(storage) {
    this.#storage = storage;
    try {
      const kept = JSON.parse(storage?.getItem(KEPT) ?? "[]");
      if (Array.isArray(kept)) this.lines = kept.filter((line) => typeof line === "string").slice(-MOST);
    } catch {} // what is kept is nothing of ours
    this.#at = this.lines.length;
  }

  /**
   * @param {string} line
   * @param {boolean} secret it holds a secret, and is not kept
   */
  add(line, secret) {
    if (!secret && line.trim() && !line.includes(HIDDEN) && this.lines.at(-1) !== line) {
      this.lines = [...this.lines, line].slice(-MOST);
      try {
        this.#storage?.setItem(KEPT, JSON.stringify(this.lines));
      } catch {} // there is no room, or nothing may be kept
    }
    this.#at = this.lines.length;
    this.#draft = "";
  }

  /** The line before or behind, from the one that is typed. @param {-1 | 1} step @param {string} typed */
  step(step, typed) {
    if (this.#at === this.lines.length) this.#draft = typed;
    const at = this.#at + step;
    if (at < 0 || at > this.lines.length) return null;
    this.#at = at;
    return at === this.lines.length ? this.#draft : this.lines[at];
  }
}

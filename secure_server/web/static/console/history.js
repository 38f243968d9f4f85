// @ts-check
/** Lines that were typed, for the arrow keys, of each user their own; none that holds a secret. */

const MOST = 200; // lines kept
const LONG = 4096; // characters of one that is kept

export class History {
  /** @type {string[]} */
  lines = [];
  #at = 0;
  #draft = "";
  #storage;
  #key;

  /** @param {Pick<Storage, "getItem"|"setItem"> | undefined} storage @param {string} user */
  constructor(storage, user) {
    this.#storage = storage;
    this.#key = `secure-command.history.${user}`;
    try {
      const kept = JSON.parse(storage?.getItem(this.#key) ?? "[]");
      this.lines = kept.filter((/** @type {unknown} */ line) => typeof line === "string").slice(-MOST);
    } catch {} // what is kept is nothing of ours
    this.#at = this.lines.length;
  }

  /** @param {string} line @param {boolean} secret it holds one, and is not kept */
  add(line, secret) {
    if (!secret && line.trim() && line.length <= LONG) {
      this.lines = [...this.lines.filter((one) => one !== line), line].slice(-MOST);
      try {
        this.#storage?.setItem(this.#key, JSON.stringify(this.lines));
      } catch {} // there is no room, or nothing may be kept
    }
    this.#at = this.lines.length;
  }

  /** The line before or behind, from the one that is typed. @param {number} step -1 or 1 @param {string} typed */
  step(step, typed) {
    if (this.#at === this.lines.length) this.#draft = typed;
    const at = this.#at + step;
    if (at < 0 || at > this.lines.length) return null;
    this.#at = at;
    return this.lines[at] ?? this.#draft;
  }
}

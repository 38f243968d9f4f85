// @ts-check
/** What was run on this page, one card below the other, the newest first; they stay while one looks at something else. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { isFailure, plain, render } from "../ui/value.js";
import { table } from "../ui/table.js";
import { t } from "../ui/words.js";
import { asked } from "./ask.js";
import { Output } from "./output.js";

const MOST = 30; // cards; of those that have ended the oldest goes
const FOLLOWED = "secure-command.jobs"; // numbers, for a reload; no words and no output

/**
 * @typedef {import("./words.js").Command} Command
 * @typedef {import("./words.js").Values} Values
 * @typedef {import("./words.js").Word} Word
 * @typedef {{command?: Command, values?: Values, words: Word[], line: string, secret?: boolean}} Order
 */

const STATES = {
  waiting: ["warn", "waiting"], queued: ["warn", "in line"], running: ["accent", "running"], done: ["good", "done"],
  failed: ["bad", "failed"], cancelled: ["warn", "cancelled"], detached: ["", "goes on"],
};

export class Runs {
  node = h("div", { class: "stack runs" });
  #client;
  #user = "";
  /** @type {Card[]} */
  #cards = [];

  /** @param {any} client */
  constructor(client) {
    this.#client = client;
    client.addEventListener("account", () => this.#look());
    this.#look();
  }

  /** Begin anew for another user; find again what was followed before a reload. */
  #look() {
    const user = this.#client.account?.user ?? "";
    if (user === this.#user) return;
    for (const card of this.#cards) card.run?.detach();
    this.#cards = [];
    this.#user = user;
    replace(this.node);
    if (user) for (const number of followed()) this.attach(number);
  }

  /**
   * Ask what has to be asked, and run it.
   *
   * @param {Order} order
   * @returns {Promise<boolean>} whether it was sent
   */
  async start(order) {
    let { words } = order;
    if (order.command) {
      try {
        const held = await asked(this.#client, order.command, order.values ?? {}, words, order.line);
        if (!held) return false;
        words = held;
      } catch (failure) {
        this.#put(new Card(this, order)).end(failure);
        return true;
      }
    }
    const card = this.#put(new Card(this, order));
    card.begin((callbacks) => this.#client.run(words, callbacks));
    return true;
  }

  /** Follow a job that there is. @param {number} job @param {number} [first] */
  attach(job, first = 0) {
    const known = this.#cards.find((card) => card.job === job && card.live);
    if (known) return known;
    const card = this.#put(new Card(this, { words: ["JOB", "ATTACH", String(job)], line: t("Job {number}", { number: job }) }));
    card.begin((callbacks) => this.#client.attach(job, first, callbacks));
    return card;
  }

  /** @param {Card} card */
  #put(card) {
    this.#cards.unshift(card);
    this.node.prepend(card.node);
    while (this.#cards.length > MOST) {
      const oldest = this.#cards.findLast((one) => !one.live);
      if (!oldest) break;
      this.drop(oldest);
    }
    return card;
  }

  /** The cards, for a view to show. */
  get place() {
    for (const card of this.#cards) card.refresh();
    return this.node;
  }

  /** @param {Card} card */
  drop(card) {
    this.#cards = this.#cards.filter((one) => one !== card);
    card.node.remove();
    this.keep();
  }

  /** Keep which jobs are followed. */
  keep() {
    const jobs = this.#cards.filter(({ job, live }) => job && live).map(({ job }) => job);
    try {
      sessionStorage.setItem(FOLLOWED, JSON.stringify(jobs));
    } catch {} // then a reload forgets them; the list of jobs has them
  }
}

/** @returns {number[]} */
function followed() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(FOLLOWED) ?? "[]");
    return Array.isArray(kept) ? kept.filter(Number.isSafeInteger).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

class Card {
  live = false;
  /** @type {any} */
  run = null;
  #runs;
  #order;
  #output = new Output();
  /** @type {any[]} */
  #rows = [];
  /** @type {any} */
  #table = null;
  #began = Date.now();
  #timer = 0;
  /** @type {any} */
  #answer = undefined;
  #badge = h("span", { class: "badge" });
  #duration = h("span", { class: "small muted" });
  #bar = h("progress", { max: 1, "aria-label": t("Progress") });
  #told = h("span", { class: "small" });
  #progress = h("div", { class: "progress", hidden: true }, this.#bar, this.#told);
  #body = h("div", { class: "stack" });
  #cancel = h("button", { type: "button", class: "small danger", hidden: true, onclick: () => this.#stop() }, icon("stop"), t("Cancel"));
  #detach = h("button", { type: "button", class: "small", hidden: true, onclick: () => this.run.detach() }, t("Leave it running"));
  #again = h("button", { type: "button", class: "small", hidden: true, onclick: () => this.#runs.start(this.#order) }, icon("again"), t("Run again"));
  #copy = h("button", { type: "button", class: "quiet icon-only", hidden: true, title: t("Copy"), "aria-label": t("Copy"), onclick: () => this.#copied() }, icon("copy"));
  #save = h("button", { type: "button", class: "quiet icon-only", hidden: true, title: t("Download"), "aria-label": t("Download"), onclick: () => this.#saved() }, icon("download"));
  #close = h("button", { type: "button", class: "quiet icon-only", hidden: true, title: t("Close"), "aria-label": t("Close"), onclick: () => this.#runs.drop(this) }, icon("close"));

  /** @param {Runs} runs @param {Order} order */
  constructor(runs, order) {
    this.#runs = runs;
    this.#order = order;
    const title = h("h2", { class: "mono run-title" }, order.line);
    const ends = [this.#cancel, this.#detach, this.#again, this.#copy, this.#save, this.#close];
    const head = h("div", { class: "run-head" }, title, h("span", { class: "row" }, this.#badge, this.#duration), h("span", { class: "row end" }, ends));
    this.node = h("article", { class: "card stack run" }, head, this.#progress, this.#body);
  }

  refresh() {
    this.#output.refresh();
  }

  /** The job's number; null where it is none. @returns {number | null} */
  get job() {
    return this.run?.job ?? null;
  }

  /** @param {(callbacks: object) => any} run */
  begin(run) {
    this.live = true;
    this.#state("waiting");
    this.#timer = window.setInterval(() => this.#tick(), 1000);
    this.run = run({
      onPart: (/** @type {any} */ value) => this.#part(value),
      onProgress: (/** @type {number} */ fraction, /** @type {string} */ text) => this.#progressed(fraction, text),
      onStanding: (/** @type {any} */ standing) => this.#stands(standing),
      onGap: (/** @type {number} */ first, /** @type {number} */ next) => this.#output.add(t("… parts {first} to {last} were dropped …", { first, last: next - 1 })),
    });
    this.#cancel.hidden = false;
    this.run.done.then((/** @type {any} */ value) => this.end(value), (/** @type {any} */ failure) => this.end(failure));
  }

  /** @param {any} value the answer, or why there is none */
  end(value) {
    const was = this.live;
    this.live = false;
    clearInterval(this.#timer);
    this.#tick();
    const failed = isFailure(value);
    const detached = failed && /^(DETACHED|JOB-LEFT)$/.test(value.code);
    this.#state(!failed ? "done" : detached ? "detached" : value.code === "CANCELLED" ? "cancelled" : "failed");
    this.#progress.hidden = this.#cancel.hidden = this.#detach.hidden = true;
    this.#close.hidden = false;
    this.#again.hidden = !this.#order.command || Boolean(this.#order.secret);
    this.#answer = value;
    const job = this.job;
    if (detached && job) this.#body.append(h("p", null, h("a", { href: `#/jobs/${job}` }, t("Job {number}", { number: job }))));
    if (value !== undefined && !(detached && this.#output.length)) this.#body.append(render(value, this.#order.command ?? {}));
    else if (!this.#output.length && !this.#rows.length) this.#body.append(h("p", { class: "muted" }, t("Done, without output.")));
    this.#copy.hidden = this.#save.hidden = !this.#text;
    if (was && document.hidden && failed) notify(`${this.#order.line}: ${value.text}`, {});
    this.#runs.keep();
  }

  /** @param {any} value */
  #part(value) {
    this.#state("running");
    if (value instanceof Map) this.#row(value);
    else {
      if (!this.#output.node.isConnected) this.#body.prepend(this.#output.node);
      this.#output.add(value);
    }
    this.#copy.hidden = this.#save.hidden = false;
  }

  /** @param {Map<any, any>} row */
  #row(row) {
    this.#rows.push(row);
    if (this.#rows.length > 10_000) this.#rows.splice(0, 1000);
    if (this.#rows.length === 1) {
      const columns = this.#order.command?.columns.length ? this.#order.command.columns : [...row.keys()].map(String);
      this.#table = table(columns, this.#rows, { caption: this.#order.line });
      this.#body.append(this.#table);
    } else if (this.#rows.length < 50 || this.#rows.length % 50 === 0) this.#table.update(this.#rows);
  }

  /** @param {number} fraction @param {string} text */
  #progressed(fraction, text) {
    this.#state("running");
    this.#progress.hidden = false;
    this.#bar.value = fraction;
    replace(this.#told, `${Math.round(fraction * 100)} %${text ? ` · ${text}` : ""}`);
  }

  /** @param {{state: string, place: number, job: number}} standing */
  #stands({ state, place, job }) {
    this.#detach.hidden = false;
    this.#state(state in STATES ? state : "running", place ? t("place {place}", { place }) : t("job {number}", { number: job }));
    this.#runs.keep();
  }

  /** @param {string} state @param {string} [more] */
  #state(state, more = "") {
    const [kind, word] = STATES[/** @type {"done"} */ (state)];
    this.#badge.className = `badge ${kind}`;
    replace(this.#badge, [t(word), more || (this.job ? t("job {number}", { number: this.job }) : "")].filter(Boolean).join(" · "));
  }

  #tick() {
    const seconds = Math.round((Date.now() - this.#began) / 1000);
    replace(this.#duration, seconds ? (seconds < 90 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`) : "");
  }

  #stop() {
    if (this.job && this.#order.words[1] === "ATTACH") this.#runs.start({ words: ["JOB", "CANCEL", String(this.job)], line: `JOB CANCEL ${this.job}` });
    else this.run.cancel();
    this.#cancel.hidden = true;
  }

  get #text() {
    const rows = this.#rows.map((row) => plain(row)).join("\n\n");
    const answer = this.#answer === undefined ? "" : `${plain(this.#answer)}\n`;
    return this.#output.text + (rows && `${rows}\n`) + answer;
  }

  async #copied() {
    try {
      await navigator.clipboard.writeText(this.#text);
      notify(t("Copied."), {});
    } catch {
      notify(t("The browser does not let the page copy; use Download."), {});
    }
  }

  #saved() {
    const address = URL.createObjectURL(new Blob([this.#text], { type: "text/plain" }));
    const name = this.#order.line.split(" ")[0].toLowerCase().replace(/[^\w-]/g, "") || "output";
    h("a", { href: address, download: `${name}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}

/** @type {WeakMap<object, Runs>} */
const known = new WeakMap();

/** The cards of a client. @param {any} client */
export function runsOf(client) {
  let runs = known.get(client);
  if (!runs) known.set(client, (runs = new Runs(client)));
  return runs;
}

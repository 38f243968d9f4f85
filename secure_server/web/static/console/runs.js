// @ts-check
/** What was run on this page, one card below the other, the newest first; they stay while one looks at something else. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { duration } from "../ui/moments.js";
import { notify } from "../ui/notices.js";
import { go } from "../ui/router.js";
import { table } from "../ui/table.js";
import { copy, save } from "../ui/take.js";
import { isFailure, render, saying } from "../ui/value.js";
import { t } from "../ui/words.js";
import { asked } from "./ask.js";
import { Output, textOf } from "./output.js";
import { orderOf } from "./words.js";

const MOST = 30; // cards; of those that have ended the oldest goes
const MOST_ROWS = 10_000; // of a stream of rows; the first ones go
const LONG = 200; // lines of an answer, beyond which it is shown as output is
const FOLLOWED = "secure-command.jobs"; // whose, and their numbers, for a reload; no words and no output

/**
 * @typedef {import("./words.js").Word} Word
 * @typedef {import("./words.js").Order} Order
 * @typedef {import("../wire/client.js").Client} Client
 * @typedef {import("../wire/call.js").Callbacks} Callbacks
 */

/** @type {Record<string, string[]>} */
const STATES = {
  waiting: ["warn", "waiting"], queued: ["warn", "in line"], running: ["accent", "running"], done: ["good", "done"], failed: ["bad", "failed"],
  cancelled: ["warn", "cancelled"], "timed-out": ["bad", "timed-out"], lost: ["bad", "lost"], detached: ["", "goes on"],
};

export class Runs {
  node = h("div", { class: "stack runs" });
  client;
  #user = "";
  /** @type {Card[]} */
  #cards = [];

  /** @param {Client} client */
  constructor(client) {
    this.client = client;
    client.addEventListener("account", () => this.#look());
    this.#look();
  }

  /** Begin anew for another user; find again what was followed before a reload. */
  #look() {
    const user = this.client.account?.user ?? "";
    if (!user || user === this.#user) return;
    for (const card of this.#cards) card.run?.detach();
    this.#cards = [];
    this.#user = user;
    replace(this.node);
    try {
      const kept = JSON.parse(sessionStorage.getItem(FOLLOWED) ?? "{}");
      if (kept.user === user) for (const job of kept.jobs.filter(Number.isSafeInteger).slice(0, MOST)) this.attach(job);
    } catch {} // what is kept is nothing of ours
  }

  /** Ask what has to be asked, and run it. @param {Word[]} words @returns {Promise<boolean>} whether it was */
  async start(words) {
    const order = orderOf(this.client.catalogue, words);
    try {
      const held = await asked(this.client, order);
      if (!held) return false;
      this.#put(new Card(this, order)).begin((callbacks) => this.client.run(held, callbacks));
    } catch (failure) {
      this.#put(new Card(this, order)).end(failure);
    }
    if (!this.node.isConnected) go("/"); // where it is seen
    this.node.firstElementChild?.scrollIntoView({ block: "nearest" });
    return true;
  }

  /** Follow a job that there is. @param {number} job */
  attach(job) {
    const known = this.#cards.find((card) => card.job === job);
    if (known && !known.left) return known;
    known?.drop();
    const order = { ...orderOf(this.client.catalogue, ["JOB", "RERUN", String(job)]), line: t("Job {number}", { number: job }) };
    const card = this.#put(new Card(this, order));
    card.begin((callbacks) => this.client.attach(job, 0, callbacks));
    return card;
  }

  /** @param {Card} card */
  #put(card) {
    this.#cards.unshift(card);
    this.node.prepend(card.node);
    if (this.#cards.length > MOST) this.#cards.findLast(({ live }) => !live)?.drop();
    return card;
  }

  /** The cards, for a view to show. */
  get place() {
    replace(this.node, this.#cards.map((card) => card.moved));
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
    const jobs = this.#cards.filter(({ job, live, left }) => job && (live || left)).map(({ job }) => job);
    try {
      sessionStorage.setItem(FOLLOWED, JSON.stringify({ user: this.#user, jobs }));
    } catch {} // then a reload forgets them; the list of jobs has them
  }
}

class Card {
  live = false;
  left = false; // a job that goes on without us
  /** @type {import("../wire/call.js").Call | null} */
  run = null;
  #runs;
  #line;
  #command;
  /** @type {Word[]} none where they hold a secret, which is kept nowhere */
  #words;
  #output = new Output();
  /** @type {Map<any, any>[]} */
  #rows = [];
  #table = /** @type {ReturnType<typeof table> | null} */ (null);
  #drawing = 0;
  #began = Date.now();
  #timer = 0;
  /** @type {any} */
  #answer;
  #badge = h("span", { class: "badge", role: "status" });
  #duration = h("span", { class: "small muted" });
  #bar = h("progress", { max: 1, "aria-label": t("Progress") });
  #told = h("span", { class: "small" });
  #progress = h("div", { class: "progress", hidden: true }, this.#bar, this.#told);
  #body = h("div", { class: "stack" });
  #cancel = button("stop", t("Cancel"), () => this.#stop(), "small danger");
  #detach = button("", t("Leave it running"), () => this.run?.detach(), "small");
  #again = button("again", t("Run again"), () => this.#runs.start(this.#words), "small");
  #copy = button("copy", t("Copy"), () => copy(this.#text), "quiet icon-only");
  #save = button("download", t("Download"), () => save(`${this.#line.split(" ")[0]?.toLowerCase().replace(/[^\w-]/g, "") || "output"}.txt`, this.#text), "quiet icon-only");
  #close = button("close", t("Close"), () => this.drop(), "quiet icon-only");

  /** @param {Runs} runs @param {Order} order */
  constructor(runs, { line, command, words, secret }) {
    this.#runs = runs;
    this.#line = line;
    this.#command = command;
    this.#words = secret ? [] : words;
    const ends = [this.#cancel, this.#detach, this.#again, this.#copy, this.#save, this.#close];
    const head = h("div", { class: "run-head" }, h("h2", { class: "mono run-title" }, line), h("span", { class: "row" }, this.#badge, this.#duration), h("span", { class: "row end" }, ends));
    this.node = h("article", { class: "card stack run", "aria-label": line }, head, this.#progress, this.#body);
  }

  /** The job's number; null where it is none. */
  get job() {
    return this.run?.job ?? null;
  }

  /** It, to be put somewhere else. */
  get moved() {
    this.#output.refresh();
    return this.node;
  }

  drop() {
    this.#runs.drop(this);
  }

  /** @param {(callbacks: Callbacks) => import("../wire/call.js").Call} run */
  begin(run) {
    this.live = true;
    this.#state("waiting");
    this.#timer = window.setInterval(() => this.#tick(), 1000);
    this.#cancel.hidden = false;
    this.run = run({
      onPart: (value) => this.#part(value),
      onProgress: (fraction, text) => {
        this.#state("running");
        this.#progress.hidden = false;
        this.#bar.value = fraction;
        replace(this.#told, `${Math.round(fraction * 100)} %${text ? ` · ${text}` : ""}`);
      },
      onStanding: ({ state, place, job }) => {
        this.#detach.hidden = false;
        this.#state(state in STATES ? state : "running", place ? t("place {place}", { place }) : t("job {number}", { number: job }));
        this.#runs.keep();
      },
      onGap: (first, next) => this.#part(t("… parts {first} to {last} were dropped …", { first, last: next - 1 })),
    });
    this.run.done.then((value) => this.end(value), (failure) => this.end(failure));
  }

  /** @param {any} value the answer, or why there is none */
  end(value) {
    this.live = false;
    clearInterval(this.#timer);
    this.#tick();
    const failed = isFailure(value);
    this.left = failed && /^(DETACHED|JOB-LEFT)$/.test(value.code);
    const ends = /** @type {Record<string, string>} */ ({ CANCELLED: "cancelled", TIMEOUT: "timed-out", LOST: "lost" });
    this.#state(this.left ? "detached" : failed ? (ends[value.code] ?? "failed") : "done");
    this.#progress.hidden = this.#cancel.hidden = this.#detach.hidden = true;
    this.#close.hidden = false;
    this.#again.hidden = this.left || this.#words.length === 0;
    this.#answer = value;
    if (this.left) this.#body.append(h("p", null, h("a", { href: `#/jobs/${this.job}` }, t("Job {number}", { number: this.job }))));
    const text = typeof value === "string" ? value : Array.isArray(value) && value.every((one) => typeof one === "string") ? value.join("\n") : "";
    if (text.split("\n").length > LONG) {
      this.#part(text);
      this.#answer = undefined;
    } else if (value !== undefined && !(failed && value.code === "DETACHED")) this.#body.append(render(value, this.#command));
    else if (!this.#output.length && !this.#rows.length && !this.left) this.#body.append(h("p", { class: "muted" }, t("Done, without output.")));
    this.#draw();
    this.#copy.hidden = this.#save.hidden = !this.#text;
    if (document.hidden && failed && !this.left) notify(`${this.#line}: ${saying(value)}`, { kind: "bad" });
    this.#runs.keep();
  }

  /** @param {any} value */
  #part(value) {
    if (this.live) this.#state("running");
    if (value instanceof Map) {
      this.#rows.push(value);
      if (this.#rows.length > MOST_ROWS) this.#rows.splice(0, MOST_ROWS / 10);
      this.#drawing ||= requestAnimationFrame(() => this.#draw());
    } else {
      if (!this.#output.length) this.#body.prepend(this.#output.node);
      this.#output.add(value);
    }
    this.#copy.hidden = this.#save.hidden = false;
  }

  #draw() {
    this.#drawing = 0;
    const [row] = this.#rows;
    if (this.#table) this.#table.update(this.#rows);
    else if (row) {
      const columns = this.#command?.columns.length ? this.#command.columns : [...row.keys()].map(String);
      this.#body.append((this.#table = table(columns, this.#rows, { caption: this.#line })));
    }
  }

  /** @param {string} state @param {string} [more] */
  #state(state, more) {
    const [kind = "", word = ""] = STATES[state] ?? [];
    const text = [t(word), more ?? (this.job ? t("job {number}", { number: this.job }) : "")].filter(Boolean).join(" · ");
    if (this.#badge.textContent === text) return;
    this.#badge.className = `badge ${kind}`;
    replace(this.#badge, text);
  }

  #tick() {
    const seconds = (Date.now() - this.#began) / 1000;
    replace(this.#duration, seconds >= 1 ? duration(seconds) : "");
  }

  #stop() {
    this.run?.cancel();
    this.#cancel.hidden = true;
  }

  get #text() {
    return this.#output.text + textOf(this.#rows.length ? this.#rows : undefined) + textOf(this.#answer);
  }
}

/** @param {string} picture @param {string} text @param {() => unknown} onclick @param {string} kind */
function button(picture, text, onclick, kind) {
  const bare = kind.includes("icon-only");
  return h("button", { type: "button", class: kind, hidden: true, onclick, title: bare && text, "aria-label": bare && text }, picture && icon(picture), bare ? null : text);
}

/** @type {WeakMap<Client, Runs>} */
const known = new WeakMap();

/** The cards of a client. @param {Client} client */
export function runsOf(client) {
  const runs = known.get(client) ?? new Runs(client);
  known.set(client, runs);
  return runs;
}

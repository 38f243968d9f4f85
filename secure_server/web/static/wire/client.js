// The page's client: it keeps the connection, and what is asked over it, by the rules of secure_client/core/link.py.

import { Backoff } from "./backoff.js";
import { Call, Watch, following } from "./call.js";
import { Catalogue } from "./catalogue.js";
import { policy } from "./closing.js";
import { Connection } from "./connection.js";
import { split } from "./line.js";
import { Failure } from "./resp3.js";
import { tokenOf } from "./token.js";
import { Trouble } from "./trouble.js";
import { BROWSER } from "./world.js";
/** @import { Callbacks } from "./call.js" */
/** @import { Account } from "./connection.js" */
/** @import { Push, Words } from "./resp3.js" */
/** @import { World } from "./world.js" */

/**
 * @typedef {object} Status
 * @property {"signed-out"|"connecting"|"connected"|"waiting"|"stopped"} state `waiting` without `retryAt` is for something
 *   to be asked for: the server closed what was idle
 * @property {Trouble} [error] why it is not connected
 * @property {number} [retryAt] milliseconds since 1970
 * @property {string} [reason] the close reason's stable word
 *
 * @typedef {Callbacks & {idempotent?: boolean, job?: boolean}} Options what is left out is looked up in the catalogue
 * @typedef {Call} Run
 */

const LASTED = 5_000; // milliseconds after which a connection counts as a good one: the backoff begins anew
const SILENT = 30_000; // after so long without a word a connection is checked before anything is asked over it
const LISTENING = 45_000; // and so long one may say nothing while something runs
const LOOK = 15_000; // how often that is looked at
const MOST_WAITING = 128; // requests
const LANE_AFTER = 300; // milliseconds that a request waits for what runs before another connection is opened for it
const MOST_LANES = 3; // of these
const LANE_IDLE = 20_000; // milliseconds after which one is closed again
const LANE_PAUSE = 60_000; // and for which none is opened where the server refused one: a token may have few sessions
const KEPT = ["AUTH", "HELLO", "RESET", "CLIENT REPLY", "CANCEL", "DETACH"];

/** Events: `status` (detail `Status`), `account`, `catalogue`, `message` (detail `Push`). */
export class Client extends EventTarget {
  /** @type {Account|null} */
  account = null;
  catalogue = new Catalogue();
  /** @type {Status} */
  status = { state: "signed-out" };
  #world;
  #url;
  #name;
  #language;
  /** @type {{token: string|null}|null} */
  #login = null;
  /** @type {{resolve: (account: Account) => void, reject: (failure: Failure) => void}|null} */
  #signing = null;
  #backoff;
  /** @type {Connection|null} */
  #main = null;
  /** @type {Set<Connection>} */
  #lanes = new Set();
  #noLanesUntil = 0;
  /** @type {Call[]} */
  #queue = [];
  #notBefore = 0; // the server asked to be left alone until then
  #looked = 0;
  #calledOff = () => {}; // the next try
  #laneTimer = /** @type {(() => void)|null} */ (null);
  #lookTimer = () => {};

  /** @param {string} url @param {{language?: string, name?: string, world?: World}} [options] `name` is for lists */
  constructor(url, { language, name = "page", world = BROWSER } = {}) {
    super();
    this.#url = url;
    this.#name = name;
    this.#language = language?.replace("-", "_");
    this.#world = world;
    this.#backoff = new Backoff(world.random);
    world.onSign(() => this.#wake());
  }

  // -- signing in and out ------------------------------------------------------------------------------------------------

  /** @param {string} text the token, as pasted @returns {Promise<Account>} */
  signIn(text) {
    const token = tokenOf(text);
    return token ? this.#signIn(token) : Promise.reject(new Trouble("token"));
  }

  /** @returns {Promise<Account>} */
  signInByCertificate() {
    return this.#signIn(null);
  }

  /** Leave, and forget the token. */
  signOut() {
    this.#leave({ state: "signed-out" }, new Trouble("signed-out"), false);
  }

  /** Try now, whatever the last try said. */
  reconnect() {
    if (!this.mayReconnect) return;
    this.#backoff.reset();
    this.#try();
  }

  /** Whether `reconnect` makes sense: who we are is still known. */
  get mayReconnect() {
    return this.#login !== null && !this.#main;
  }

  /**
   * Exchange the token of a link for one to keep. The link is spent by the first `signIn` with that, not before.
   * @param {string} text
   * @returns {Promise<{token: string, user: string, role: string}>}
   */
  enrol(text) {
    const link = tokenOf(text);
    if (!link) return Promise.reject(new Trouble("token"));
    const call = new Call(["ENROLL"], false);
    const connection = new Connection(this.#world, this.#url, () => this.#hello(link), {
      welcome: () => connection.send(call),
      free() {},
      push() {},
      ended: (_, trouble) => call.fail(trouble),
    });
    return call.done
      .then((token) => {
        const { user = "", role = "" } = connection.account ?? {};
        return { token: typeof token === "string" ? token : link, user, role };
      })
      .finally(() => connection.end(new Trouble("signed-out")));
  }

  /** Have the server speak another language, such as `pt-BR`. @param {string} language */
  speak(language) {
    this.#language = language.replace("-", "_");
    for (const connection of this.#connections()) if (connection.account) connection.say(["LANG", this.#language]);
    if (this.#main?.account) this.#describe();
  }

  // -- asking ------------------------------------------------------------------------------------------------------------

  /** @param {Words} words @param {Options} [options] @returns {Run} */
  run(words, options = {}) {
    const described = this.catalogue.find(words);
    const call =
      following(words, options.job ?? described?.job ?? false, options, this.#world.key) ??
      new Call(words, options.idempotent ?? described?.idempotent ?? false, options);
    const begins = `${words.slice(0, 2).join(" ").toUpperCase()} `;
    const command = KEPT.find((name) => begins.startsWith(`${name} `));
    if (command) call.fail(new Trouble("not-here", { command }));
    else this.#submit(call, begins === "JOB CANCEL ");
    return call;
  }

  /**
   * Follow a job that there is.
   * @param {number} number
   * @param {number} [first] part
   * @param {Callbacks} [callbacks]
   * @returns {Run}
   */
  attach(number, first = 0, callbacks = {}) {
    return this.#submit(new Watch(["JOB", "ATTACH", String(number), String(first)], callbacks, number, first));
  }

  /**
   * What the last word before the position may become, each with what there is to say of it. Nothing, where nobody can say.
   * @param {string|readonly string[]} line or its words, the last of which is being typed
   * @param {number} [position]
   * @returns {Promise<{value: string, told: string}[]>}
   */
  async complete(line, position) {
    const words = typeof line === "string" ? split(line.slice(0, position)) : line;
    if (this.status.state !== "connected" || !words) return [];
    const call = this.#submit(new Call(["COMPLETE", "--told", ...words], true));
    const found = await call.done.catch(() => []);
    const candidates = [];
    for (let at = 0; Array.isArray(found) && at + 1 < found.length; at += 2) {
      candidates.push({ value: String(found[at]), told: String(found[at + 1]) });
    }
    return candidates;
  }

  /**
   * @template {Call} C
   * @param {C} call
   * @param {boolean} [urgent] it acts when it arrives, whatever runs
   * @returns {C}
   */
  #submit(call, urgent = false) {
    const { state, error } = this.status;
    call.urgent = urgent;
    call.attend = () => this.#attend(call);
    if (!this.#login || state === "stopped") call.fail(error ?? new Trouble("signed-out"));
    else if (this.#queue.length >= MOST_WAITING) call.fail(new Trouble("too-many", { limit: MOST_WAITING }));
    else {
      this.#queue.push(call);
      this.#proceed();
    }
    return call;
  }

  /** @param {Call} call that is wanted no more */
  #attend(call) {
    const at = this.#queue.indexOf(call);
    if (at >= 0 && !call.persistent) {
      this.#queue.splice(at, 1);
      call.fail(call.withdrawn());
    }
    for (const connection of this.#connections()) if (connection.flight[0] === call) connection.attend();
  }

  /** Send what may be sent. */
  #proceed() {
    for (const connection of this.#connections()) {
      if (!connection.account) continue;
      const urgent = this.#queue.findIndex((call) => call.urgent);
      if (urgent >= 0) this.#send(connection, urgent);
      if (!connection.free || !this.#queue.length) continue;
      if (this.#world.now() - connection.heard > SILENT) connection.check();
      else this.#send(connection, 0);
    }
    if (!this.#queue.length) return;
    if (this.status.state === "waiting" && !this.status.retryAt) this.#try();
    else if (this.#main?.account) this.#laneTimer ??= this.#world.after(LANE_AFTER, () => this.#widen());
  }

  /** @param {Connection} connection @param {number} at in the queue */
  #send(connection, at) {
    const [call] = this.#queue.splice(at, 1);
    if (!call) return;
    connection.send(call);
    connection.attend();
  }

  // -- connections -------------------------------------------------------------------------------------------------------

  #connections() {
    return this.#main ? [this.#main, ...this.#lanes] : [...this.#lanes];
  }

  /** @param {string|null} token */
  #hello(token) {
    return ["HELLO", "3", ...(token ? ["AUTH", "default", token] : []), "SETNAME", this.#name];
  }

  /** @param {string|null} token */
  #signIn(token) {
    if (this.#login) this.signOut();
    /** @type {Promise<Account>} */
    const signed = new Promise((resolve, reject) => (this.#signing = { resolve, reject }));
    signed.catch(() => {}); // the status tells it as well
    this.#login = { token };
    this.status = { state: "signed-out" }; // the last error is not this login's
    this.#backoff.reset();
    this.#try();
    return signed;
  }

  #connect() {
    const { token } = this.#login ?? { token: null };
    return new Connection(this.#world, this.#url, () => this.#hello(token), {
      welcome: (connection) => this.#welcome(connection),
      free: () => this.#proceed(),
      push: (connection, push) => this.#pushed(connection, push),
      ended: (connection, trouble) => this.#ended(connection, trouble),
    });
  }

  #try() {
    this.#calledOff();
    this.#look();
    this.#notBefore = 0;
    this.#main = this.#connect();
    this.#publish({ state: "connecting", error: this.status.error });
  }

  /** Open one more connection for what waits behind long commands. */
  #widen() {
    this.#laneTimer = null;
    if (!this.#queue.length || !this.#main?.account) return;
    const connections = this.#connections();
    const opening = connections.some((connection) => !connection.account);
    if (opening || this.#lanes.size >= MOST_LANES || this.#world.now() < this.#noLanesUntil) return;
    this.#lanes.add(this.#connect());
  }

  /** @param {Connection} connection */
  #welcome(connection) {
    if (this.#language) connection.say(["LANG", this.#language]); // an unknown one leaves the server's own
    if (connection !== this.#main) this.#narrow(connection);
    else this.#describe().then(() => connection === this.#main && this.#arrive(connection));
  }

  /** We are in, and know the commands: which of them ask first, hold a secret or are jobs. @param {Connection} connection */
  #arrive(connection) {
    this.account = connection.account;
    this.#publish({ state: "connected" });
    this.dispatchEvent(new CustomEvent("account", { detail: this.account }));
    if (connection.account) this.#signing?.resolve(connection.account);
    this.#signing = null;
  }

  /**
   * Close a connection that is needed no more, when it has been idle for long enough.
   * @param {Connection} lane
   */
  #narrow(lane) {
    this.#world.after(LANE_IDLE, () => {
      if (!this.#lanes.has(lane)) return;
      if (lane.free && this.#world.now() - lane.heard >= LANE_IDLE) lane.end(new Trouble("signed-out"));
      else this.#narrow(lane);
    });
  }

  /** Read the commands that there are. */
  #describe() {
    const call = new Call(["COMMANDS"], false); // a new connection reads them anew
    this.#queue.unshift(call);
    const read = call.done.then(
      (reply) => {
        this.catalogue = new Catalogue(reply);
        this.dispatchEvent(new CustomEvent("catalogue"));
      },
      () => {}, // what was known before is shown
    );
    this.#proceed();
    return read;
  }

  /** @param {Connection} connection @param {Push} push */
  #pushed(connection, push) {
    if (connection !== this.#main) return; // each is told the same
    if (push.kind === "commands-changed") this.#describe();
    else this.dispatchEvent(new CustomEvent("message", { detail: push }));
  }

  /** @param {Connection} connection @param {Trouble} trouble */
  #ended(connection, trouble) {
    const main = connection === this.#main;
    const known = connection.account !== null;
    const next = policy(trouble);
    const stops = next === "never" && (main || known);
    if (main) this.#main = null;
    else if (this.#lanes.delete(connection) && !known) this.#noLanesUntil = this.#world.now() + LANE_PAUSE;
    if (main && known) {
      const lasted = this.#world.now() - connection.began >= LASTED;
      if (lasted || connection.flight.some((call) => call.advanced)) this.#backoff.reset();
    }
    /** @type {(() => void)[]} */
    const failures = [];
    /** @type {Call[]} */
    const again = [];
    for (const call of connection.flight) {
      const failure = call.outcome(trouble, !stops);
      if (failure) failures.push(() => call.fail(failure));
      else again.push(call);
    }
    this.#queue.unshift(...again);
    if (stops || (main && this.#signing && trouble.retryAfter === null)) {
      const keeps = !this.#signing && !["refused", "no-token", "revoked", "expired"].includes(trouble.kind);
      this.#leave({ state: this.#signing ? "signed-out" : "stopped", error: trouble, reason: trouble.reason }, trouble, keeps);
    } else if (main) this.#wait(trouble, next);
    for (const fail of failures) fail(); // only now: who is told looks at the status
    this.#proceed();
  }

  /** @param {Trouble} trouble @param {"later"|"on-use"|"never"} next */
  #wait(trouble, next) {
    /** @type {Status} */
    const status = { state: "waiting", error: trouble, reason: trouble.reason };
    if (next === "later") {
      const now = this.#world.now();
      const away = (trouble.retryAfter ?? 0) * 1000;
      const wait = this.#backoff.next() + away;
      this.#notBefore = now + away;
      status.retryAt = now + wait;
      this.#calledOff = this.#world.after(wait, () => this.#try());
    }
    this.#publish(status);
  }

  /**
   * End all there is.
   * @param {Status} status
   * @param {Trouble} trouble what all that is outstanding fails with
   * @param {boolean} keeps who we are, for `reconnect`
   */
  #leave(status, trouble, keeps) {
    const connections = this.#connections();
    const failed = [...connections.flatMap(({ flight }) => flight), ...this.#queue];
    const signing = this.#signing;
    this.#main = this.#signing = null;
    this.#lanes.clear();
    this.#queue = [];
    this.#calledOff();
    this.#lookTimer();
    if (!keeps) this.#login = null;
    if (!keeps) this.account = null;
    if (!keeps) this.catalogue = new Catalogue(); // the next one's are others
    for (const connection of connections) connection.flight = [];
    for (const connection of connections) connection.end(trouble);
    this.#publish(status);
    for (const call of failed) call.fail(call.stopped(trouble));
    signing?.reject(trouble);
  }

  // -- sleep -------------------------------------------------------------------------------------------------------------

  /** The person or the network is back: try at once, unless the server asked for time, and see what still stands. */
  #wake() {
    this.#looked = this.#world.now();
    const { state, retryAt } = this.status;
    if (state === "waiting" && retryAt && !this.#main) {
      const wait = this.#notBefore - this.#world.now();
      this.#calledOff();
      if (wait <= 0) this.#try();
      else this.#calledOff = this.#world.after(wait, () => this.#try());
    }
    for (const connection of this.#connections()) {
      if (this.#world.now() - connection.heard > SILENT / 6) connection.check();
    }
  }

  /** Look now and then whether we slept, and whether what is waited for has fallen silent. */
  #look() {
    this.#looked = this.#world.now();
    this.#lookTimer();
    this.#lookTimer = this.#world.after(LOOK, () => {
      const now = this.#world.now();
      if (now - this.#looked > 8 * LOOK) this.#wake();
      for (const connection of this.#connections()) {
        if (connection.flight.length && now - connection.heard > LISTENING) connection.check();
      }
      this.#look();
    });
  }

  /** @param {Status} status */
  #publish(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status", { detail: status }));
  }
}

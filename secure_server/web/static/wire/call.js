// One command on its way to the server, and its answer to come; the same rules as secure_client/core/call.py and watch.py.

import { Failure, Push, encode } from "./resp3.js";
import { Trouble } from "./trouble.js";
/** @import { Value, Words } from "./resp3.js" */

/**
 * @typedef {object} Standing how a job stands
 * @property {number} job
 * @property {string} state `queued`, `running`, `done`, …
 * @property {number} place in the line, from 1, while it is queued; else 0
 *
 * @typedef {object} Callbacks
 * @property {(value: Value, number: number) => void} [onPart] each part of a streamed answer; of a job, counted by it
 * @property {(fraction: number, text: string) => void} [onProgress] from 0 to 1
 * @property {(standing: Standing) => void} [onStanding]
 * @property {(first: number, next: number) => void} [onGap] parts of a job that are not there any more
 */

const MOST_COLLECTED = 200_000; // parts of an answer that is wanted in one piece
const MOST_FRUITLESS = 10; // connections in a row that brought nothing of a job, after which it is left

/** One command. `done` is its answer: of a stream the last word, `undefined` where that is no more than OK. */
export class Call {
  /** @type {number|null} */
  job = null;
  next = 0; // the number of the part that comes next
  started = false; // it was sent once
  ended = false;
  unwanted = false; // the server shall end it
  told = ""; // how the server was asked to, on this connection
  begun = false; // a part of its answer has come
  urgent = false; // it acts when it arrives, whatever runs
  attend = () => {}; // has the client look at it again
  /** @type {((value: any) => void)} */
  #resolve = () => {};
  /** @type {((failure: Failure) => void)} */
  #reject = () => {};
  /** @type {Value[]} */
  #collected = [];
  #repeated = false;

  /**
   * @param {Words} words
   * @param {boolean} idempotent it may be sent again where the connection broke before its answer came
   * @param {Callbacks} [callbacks] without `onPart` the parts are collected
   */
  constructor(words, idempotent, callbacks = {}) {
    this.payload = encode(words);
    this.idempotent = idempotent;
    this.callbacks = callbacks;
    /** @type {Promise<any>} */
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => {}); // whoever does not wait for it is not told of it
  }

  /** Have the server end it; `done` says what came of that. */
  cancel() {
    this.unwanted = true;
    this.attend();
  }

  /** Take no more of its answer; a job goes on, anything else is ended. */
  detach() {
    this.cancel();
  }

  // -- the client ------------------------------------------------------------------------------------------------------

  get persistent() {
    return !this.unwanted;
  }

  get advanced() {
    return false;
  }

  /** The words by which the server is to be asked to end it. @returns {string[]|null} */
  get ending() {
    return this.unwanted ? ["CANCEL"] : null;
  }

  /**
   * The connection ended after it was sent: with what it fails; null: it is to be sent again.
   * @param {Trouble} trouble
   * @param {boolean} back there will be another connection
   * @returns {Failure|null}
   */
  outcome(trouble, back) {
    if (this.begun) return because("broke-off", trouble);
    if (this.unwanted || !back || !this.idempotent || this.#repeated) return because("may-have-run", trouble);
    this.#repeated = true;
    return null;
  }

  /**
   * With what it fails where it was given up before it was sent, or sent again.
   * @returns {Failure}
   */
  withdrawn() {
    return new Trouble(this.started ? "may-have-run" : "not-sent");
  }

  /**
   * With what it fails where there will be no connection.
   * @param {Trouble} trouble
   * @returns {Failure}
   */
  stopped(trouble) {
    return this.started ? because("may-have-run", trouble) : trouble;
  }

  /** @param {Push} push `stream`, `progress` or `job` */
  take({ kind, items: [first, second] }) {
    if (kind === "progress") {
      const fraction = Number(first);
      if (fraction === fraction) this.tell(this.callbacks.onProgress, Math.min(1, Math.max(0, fraction)), String(second ?? ""));
      return;
    }
    this.begun = true;
    if (kind !== "stream") return;
    this.part(first ?? null, this.next++);
  }

  /** @param {Value} value @param {number} number */
  part(value, number) {
    if (this.callbacks.onPart) this.tell(this.callbacks.onPart, value, number);
    else if (this.#collected.length < MOST_COLLECTED) this.#collected.push(value);
    else if (!this.unwanted) this.cancel();
  }

  /**
   * Take the reply, which ends it.
   * @param {Value} reply
   * @param {boolean} plain it says no more than OK
   */
  answer(reply, plain) {
    if (this.#collected.length >= MOST_COLLECTED) this.fail(new Trouble("too-long"));
    else if (reply instanceof Failure) this.fail(reply);
    else if (!this.begun) this.#end(reply);
    else if (this.callbacks.onPart) this.#end(plain ? undefined : reply);
    else this.#end(plain ? this.#collected : [...this.#collected, reply]);
  }

  /** @param {Failure} failure */
  fail(failure) {
    this.ended = true;
    this.#reject(failure);
  }

  /** @param {Value|undefined} value */
  #end(value) {
    this.ended = true;
    this.#resolve(value);
  }

  /**
   * Call back; what is wrong there is no trouble of ours.
   * @template {any[]} T
   * @param {((...values: T) => void)|undefined} callback
   * @param {T} values
   */
  tell(callback, ...values) {
    try {
      callback?.(...values);
    } catch (error) {
      reportError(error);
    }
  }
}

/** A job that is followed: it goes on from its next part when the connection was replaced. */
export class Watch extends Call {
  #leaving = false;
  #again; // it is another connection, or request, that started it
  #position; // in the output, of what the server sends next
  #before; // the next part when this connection began
  #fruitless = 0;
  #fruitful = false; // this connection brought something
  #standing = "";

  /**
   * @param {Words} words what starts it, with a key, or attaches to it: it may be sent again
   * @param {Callbacks} callbacks
   * @param {number|null} [job] of one that there is already
   * @param {number} [first] the part to begin with
   */
  constructor(words, callbacks, job = null, first = 0) {
    super(words, true, callbacks);
    this.job = job;
    this.next = this.#position = this.#before = first;
    this.#again = job !== null;
  }

  detach() {
    this.#leaving = true;
    super.detach();
  }

  get persistent() {
    return !this.#leaving && (this.begun || !this.unwanted);
  }

  get advanced() {
    return this.next > this.#before;
  }

  get ending() {
    if (this.#leaving) return this.begun ? ["DETACH"] : null; // before that there may be nothing to be left
    if (this.unwanted && this.#again) return ["JOB", "CANCEL", String(this.job)];
    return super.ending;
  }

  /** @param {Trouble} trouble @param {boolean} back @returns {Failure|null} */
  outcome(trouble, back) {
    this.#fruitless = this.#fruitful ? 0 : this.#fruitless + 1;
    this.#fruitful = false;
    this.#before = this.next;
    if (!this.persistent || !back || this.#fruitless >= MOST_FRUITLESS) {
      return this.#leaving ? this.withdrawn() : this.stopped(trouble);
    }
    this.told = "";
    if (this.begun) {
      this.#again = true;
      this.payload = encode(["JOB", "ATTACH", String(this.job), String(this.next)]);
    }
    return null;
  }

  /** @returns {Failure} */
  withdrawn() {
    if (!this.begun) return super.withdrawn();
    return new Trouble("detached", { job: this.job, next: this.next }, { job: this.job ?? undefined });
  }

  /** @param {Trouble} trouble @returns {Failure} */
  stopped(trouble) {
    if (this.job === null) return super.stopped(trouble);
    return because("job-left", trouble, { job: this.job, next: this.next }, this.job);
  }

  /** @param {Push} push */
  take(push) {
    if (push.kind === "job") return this.#stand(push.items);
    this.#fruitful = true;
    if (push.kind !== "stream") return super.take(push);
    const number = this.#position++;
    if (number === this.next) {
      this.next = number + 1;
      this.part(push.items[0] ?? null, number);
    }
  }

  /** @param {Value[]} items of the push `job <number> <state> <first part> [place]` */
  #stand([job, state, first, place = 0]) {
    if (typeof job !== "number" || typeof first !== "number" || (this.job ?? job) !== job) return;
    this.job = job;
    this.begun = true;
    this.#position = first;
    const standing = { job, state: String(state), place: Number(place) };
    const told = JSON.stringify(standing);
    if (told !== this.#standing) {
      this.#standing = told;
      this.tell(this.callbacks.onStanding, standing);
    }
    if (first > this.next) {
      this.tell(this.callbacks.onGap, this.next, first);
      this.next = first;
    }
  }
}

/**
 * What follows the job that these words start or attach to; null where they do neither. A start without a key gets one.
 * @param {Words} words
 * @param {boolean} isJob each run of the command is a job
 * @param {Callbacks} callbacks
 * @param {() => string} key
 */
export function following(words, isJob, callbacks, key) {
  const name = words.slice(0, 2).join(" ").toUpperCase();
  const keyed = (/** @type {unknown} */ word) => typeof word === "string" && word.split("=")[0] === "--key";
  if (name === "JOB START") {
    return new Watch(keyed(words[2]) ? words : ["JOB", "START", "--key", key(), ...words.slice(2)], callbacks);
  }
  if (name === "JOB RERUN") {
    return new Watch(words.some(keyed) ? words : [...words.slice(0, 2), "--key", key(), ...words.slice(2)], callbacks);
  }
  if (name === "JOB ATTACH") {
    const [job = "", first = "0", more] = words.slice(2).map(String).filter((word) => word !== "--numbered");
    if (more !== undefined || ![job, first].every((word) => /^\d{1,15}$/.test(word))) return null;
    return new Watch(["JOB", "ATTACH", job, first], callbacks, Number(job), Number(first));
  }
  return isJob ? new Watch(["JOB", "START", "--key", key(), ...words], callbacks) : null;
}

/**
 * @param {"may-have-run"|"broke-off"|"job-left"} kind
 * @param {Trouble} cause
 * @param {Record<string, any>} [values]
 * @param {number} [job]
 */
function because(kind, cause, values, job) {
  return new Trouble(kind, { cause: cause.text, ...values }, { cause, reason: cause.reason, job });
}

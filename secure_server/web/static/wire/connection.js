// One WebSocket with one login: requests go out one after the other, replies come back in their order.

import { Call } from "./call.js";
import { fromFailure, fromFrame, fromPush } from "./closing.js";
import { Failure, Push, Reader, encode } from "./resp3.js";
import { Trouble } from "./trouble.js";
/** @import { Value } from "./resp3.js" */
/** @import { World } from "./world.js" */

const OPEN_TIMEOUT = 10_000; // milliseconds for TCP, TLS and the login together
const PATIENCE = 5_000; // for the answer to a PING
const FOLLOWING_PATIENCE = 20_000; // a job that is followed says something every 15 s
const FRAME_BYTES = 64 * 1024;
const PROTOCOL = "secure-command.1";

/**
 * @typedef {object} Account who we are at the server, as it answered HELLO
 * @property {string} user
 * @property {string} role what it may act as from where it is: `user`, `operator` or `admin`
 * @property {string} ownRole the role that it has, where that is a higher one; else empty
 * @property {number} session
 * @property {string} server name and version
 * @property {number} argumentBytes what the server takes in one argument
 * @property {number} requestBytes and in all of a request
 *
 * @typedef {object} Owner
 * @property {(connection: Connection) => void} welcome it has let us in
 * @property {(connection: Connection) => void} free nothing is under way any more
 * @property {(connection: Connection, push: Push) => void} push
 * @property {(connection: Connection, trouble: Trouble) => void} ended the last word
 */

export class Connection {
  /** @type {Account|null} */
  account = null;
  /** @type {Call[]} */
  flight = []; // sent and not answered
  opened = false;
  began; // when it was opened, and let in
  heard; // when something came last
  #world;
  #server;
  #owner;
  #socket;
  #reader = new Reader();
  #ended = false;
  #checked = false; // a PING is under way, or something that a PING waits for
  #timer;

  /**
   * @param {World} world
   * @param {string} url
   * @param {() => string[]} hello what to say first
   * @param {Owner} owner
   */
  constructor(world, url, hello, owner) {
    this.#world = world;
    this.#server = new URL(url).host;
    this.#owner = owner;
    this.began = this.heard = world.now();
    this.#timer = world.after(OPEN_TIMEOUT, () => this.end(this.#trouble(this.opened ? "no-answer" : "never-opened")));
    const socket = (this.#socket = world.socket(url, PROTOCOL));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.opened = true;
      socket.send(encode(hello()));
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => {
      const lost = this.#trouble(!this.opened ? "never-opened" : this.account ? "lost" : "no-answer");
      this.end(fromFrame(this.#server, code, reason) ?? lost);
    };
  }

  get free() {
    return this.account !== null && !this.#ended && !this.flight.length;
  }

  /** @param {Call} call */
  send(call) {
    call.started = true;
    call.told = "";
    this.flight.push(call);
    for (let at = 0; at < call.payload.length; at += FRAME_BYTES) {
      this.#socket.send(call.payload.subarray(at, at + FRAME_BYTES));
    }
  }

  /** Send words whose answer nobody waits for. @param {string[]} words */
  say(words) {
    const call = new Call(words, true);
    call.unwanted = true;
    this.send(call);
    call.told = String(call.ending);
  }

  /** Ask the server to end what runs, if that is wanted. */
  attend() {
    const [running] = this.flight;
    const words = running?.ending;
    if (!words || this.#ended || running?.told === String(words)) return;
    this.say(words);
    if (running) running.told = String(words);
  }

  /** Find out whether it still carries anything; after sleep it may be long gone, and nobody told us. */
  check() {
    if (!this.account || this.#ended || this.#checked) return;
    this.#checked = true;
    const [running] = this.flight;
    if (!running || running.job !== null) {
      const patience = running ? FOLLOWING_PATIENCE : PATIENCE;
      this.#timer = this.#world.after(patience, () => this.end(this.#trouble("lost")));
    }
    this.say(["PING"]); // behind a command the answer has to wait, but a dead line shows
  }

  /** @param {Trouble} trouble */
  end(trouble) {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer();
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#owner.ended(this, trouble);
  }

  /** @param {import("./trouble.js").Kind} kind */
  #trouble(kind) {
    return new Trouble(kind, { server: this.#server });
  }

  /** @param {any} data of a frame */
  #received(data) {
    this.heard = this.#world.now();
    if (this.#checked) this.#timer();
    this.#checked = false;
    try {
      this.#reader.push(new Uint8Array(/** @type {ArrayBuffer} */ (data)));
      for (let value = this.#reader.next(); value !== undefined && !this.#ended; value = this.#reader.next()) {
        this.#take(value);
      }
    } catch (error) {
      this.end(new Trouble("protocol", { server: this.#server }, { cause: /** @type {Error} */ (error) }));
    }
    this.attend();
    if (this.free) this.#owner.free(this);
  }

  /** @param {Value} value */
  #take(value) {
    if (value instanceof Push) {
      if (value.kind === "closed") this.end(fromPush(this.#server, value));
      else if (!["stream", "progress", "job"].includes(value.kind)) this.#owner.push(this, value);
      else this.flight[0]?.take(value);
    } else if (!this.account) {
      if (value instanceof Failure) this.end(fromFailure(this.#server, value));
      else this.#welcome(value);
    } else if (value instanceof Failure && value.code === "CLOSED") {
      this.end(fromFailure(this.#server, value));
    } else {
      const call = this.flight.shift();
      if (call) call.answer(value, this.#reader.simple && value === "OK");
      else this.end(this.#trouble("protocol")); // answers might be mixed up from here on
    }
  }

  /** @param {Value} reply */
  #welcome(reply) {
    const fields = reply instanceof Map ? reply : new Map();
    const text = (/** @type {string} */ name) => String(fields.get(name) ?? "");
    const bytes = (/** @type {string} */ name, /** @type {number} */ usual) => Number(fields.get(name)) || usual;
    this.account = {
      user: text("user"),
      role: text("user-role"),
      ownRole: text("own-role"),
      session: bytes("id", 0),
      server: `${text("server")} ${text("server-version")}`.trim(),
      argumentBytes: bytes("argument-bytes", 512 * 1024),
      requestBytes: bytes("request-bytes", 1024 * 1024),
    };
    this.#timer();
    this.began = this.#world.now();
    this.#owner.welcome(this);
  }
}

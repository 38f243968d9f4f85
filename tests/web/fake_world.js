// A world for the client in which the test is the server, the network, the clock and the person.

import { setImmediate as turn } from "node:timers/promises";

import { Client } from "../../secure_server/web/static/wire/client.js";
import { Reader } from "../../secure_server/web/static/wire/resp3.js";

export const TOKEN = "scs_EXAMPLE000_0000000000000000000000000000000000000000000_3k5wA4";

const bytes = new TextEncoder();

/** A value in RESP3, as the server writes it. */
export function resp(value) {
  if (value === null) return "_\r\n";
  if (typeof value === "boolean") return value ? "#t\r\n" : "#f\r\n";
  if (Number.isInteger(value)) return `:${value}\r\n`;
  if (typeof value === "number") return `,${value}\r\n`;
  if (Array.isArray(value)) return `*${value.length}\r\n${value.map(resp).join("")}`;
  if (typeof value === "object") {
    const pairs = Object.entries(value);
    return `%${pairs.length}\r\n${pairs.flat().map(resp).join("")}`;
  }
  return `$${bytes.encode(value).length}\r\n${value}\r\n`;
}

/** A push. */
export const push = (kind, ...items) => `>${items.length + 1}\r\n${[kind, ...items].map(resp).join("")}`;

export const OK = "+OK\r\n";
export const HELLO = resp({
  server: "secure-command-server", id: 7, user: "alice", "user-role": "user", "server-version": "0.1.0",
  "argument-bytes": 1000, "request-bytes": 2000,
});
export const COMMANDS = resp([
  { name: "ECHO", summary: "", role: "user", arguments: [], idempotent: true, reply: "text" },
  { name: "RESTART", summary: "", role: "user", arguments: [], idempotent: false, reply: "text" },
  { name: "TAIL", summary: "", role: "user", arguments: [], idempotent: true, reply: "stream" },
  { name: "DEPLOY", summary: "", role: "user", arguments: [], idempotent: false, reply: "stream", job: true },
]);

class FakeSocket {
  /** Sizes of the frames. */
  frames = [];
  /** What was asked and not taken yet. */
  requests = [];
  closed = false;
  #reader = new Reader();

  constructor(world, url, protocol) {
    this.world = world;
    this.url = url;
    this.protocol = protocol;
  }

  // -- the client's side

  send(data) {
    this.frames.push(data.length);
    this.#reader.push(data);
    for (let words = this.#reader.next(); words !== undefined; words = this.#reader.next()) this.requests.push(words);
  }

  close() {
    this.closed = true;
  }

  // -- the server's

  async open() {
    this.onopen?.({});
    await this.world.settle();
  }

  async say(...replies) {
    this.onmessage?.({ data: bytes.encode(replies.join("")).buffer });
    await this.world.settle();
  }

  async end(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
    await this.world.settle();
  }

  /** The next request, as one text. */
  asked() {
    return this.requests.shift()?.join(" ");
  }
}

export class FakeWorld {
  time = 1_000_000_000;
  sockets = [];
  #timers = new Set();
  #signs = [];
  #keys = 0;

  socket = (url, protocol) => {
    const socket = new FakeSocket(this, url, protocol);
    this.sockets.push(socket);
    return socket;
  };

  now = () => this.time;

  after = (milliseconds, act) => {
    const timer = { due: this.time + milliseconds, act };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  random = () => 1;

  key = () => `key-${++this.#keys}`;

  onSign = (act) => this.#signs.push(act);

  /** The socket that was made last. */
  get newest() {
    return this.sockets.at(-1);
  }

  /** Let all promises that can come true. */
  async settle() {
    for (let round = 0; round < 3; round++) await turn();
  }

  /** Let time pass, and all that is due in it happen. */
  async pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(({ due }) => due <= end).sort((one, other) => one.due - other.due);
      if (!next) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.due);
      next.act();
      await this.settle();
    }
    this.time = end;
  }

  /** The machine slept: time has passed, and no timer knows. */
  sleep(milliseconds) {
    this.time += milliseconds;
    for (const timer of this.#timers) timer.due += milliseconds;
  }

  /** The page is looked at again. */
  async sign() {
    for (const act of this.#signs) act();
    await this.settle();
  }
}

/** A client that has not signed in. */
export function stranger() {
  const world = new FakeWorld();
  const client = new Client("wss://host.example:5000/v1/session", { world });
  const states = [];
  client.addEventListener("status", ({ detail }) => states.push(detail.state));
  return { world, client, states };
}

/** Answer a login. */
export async function welcome(socket, hello = HELLO) {
  await socket.open();
  const asked = socket.asked();
  await socket.say(hello);
  return asked;
}

/** Answer a login, and tell the commands. */
export async function described(socket) {
  const asked = await welcome(socket);
  if (socket.asked() !== "COMMANDS") throw new Error("COMMANDS was not asked for");
  await socket.say(COMMANDS);
  return asked;
}

/** A client that has signed in and knows the commands. */
export async function signedIn() {
  const { world, client, states } = stranger();
  const signing = client.signIn(TOKEN);
  const socket = world.newest;
  await described(socket);
  await signing;
  return { world, client, states, socket };
}

/** What a promise fails with. */
export async function failure(promise) {
  return promise.then(
    (value) => {
      throw new Error(`it succeeded: ${value}`);
    },
    (error) => error,
  );
}

/** What has become of a promise so far. */
export async function sofar(promise) {
  return Promise.race([promise.then((value) => ({ value }), (error) => ({ error })), turn("pending")]);
}

// The reader of RESP3: whole, byte by byte, in random pieces, and what is no RESP3.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, Push, Reader, encode } from "../../secure_server/web/static/wire/resp3.js";

const bytes = new TextEncoder();
const ROUNDS = 300;

/** What a reader makes of these pieces. */
function read(...pieces) {
  const reader = new Reader();
  const found = [];
  for (const piece of pieces) {
    reader.push(typeof piece === "string" ? bytes.encode(piece) : piece);
    for (let value = reader.next(); value !== undefined; value = reader.next()) found.push(value);
  }
  return found;
}

const cut = (text) => [...bytes.encode(text)].map((byte) => Uint8Array.of(byte));

const EXAMPLES = [
  ["+OK\r\n", "OK"],
  ["+\r\n", ""],
  ["$5\r\nhello\r\n", "hello"],
  ["$0\r\n\r\n", ""],
  ["$4\r\na\r\nb\r\n", "a\r\nb"],
  ["$6\r\nmaçã\r\n", "maçã"],
  ["$3\r\n\ufeff\r\n", "\ufeff"],
  ["=15\r\ntxt:Some string\r\n", "Some string"],
  [":7\r\n", 7],
  [":-1\r\n", -1],
  [":9007199254740993\r\n", 9007199254740993n],
  ["(123456789012345678901234567890\r\n", 123456789012345678901234567890n],
  [",1.5\r\n", 1.5],
  [",2\r\n", 2],
  [",1e-3\r\n", 0.001],
  [",inf\r\n", Infinity],
  [",-inf\r\n", -Infinity],
  [",nan\r\n", NaN],
  ["#t\r\n", true],
  ["#f\r\n", false],
  ["_\r\n", null],
  ["$-1\r\n", null],
  ["*-1\r\n", null],
  ["*0\r\n", []],
  ["*2\r\n:1\r\n*1\r\n+x\r\n", [1, ["x"]]],
  ["~2\r\n:1\r\n:2\r\n", [1, 2]],
  ["%0\r\n", new Map()],
  ["%2\r\n+a\r\n:1\r\n:2\r\n_\r\n", new Map([["a", 1], ["2", null]])],
  ["|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n", "x"],
  ["*2\r\n|1\r\n+ttl\r\n:3\r\n:1\r\n:2\r\n", [1, 2]],
  ["-NOPERM It is not for you.\r\n", new Failure("NOPERM", "It is not for you.")],
  ["!9\r\nERR a\r\nb \r\n", new Failure("ERR", "a\r\nb ")],
  ["*1\r\n-ERR\r\n", [new Failure("ERR", "")]],
  [">2\r\n+stream\r\n$1\r\nx\r\n", new Push("stream", ["x"])],
  [">0\r\n", new Push("", [])],
];

test("each type, whole", () => {
  for (const [text, value] of EXAMPLES) assert.deepEqual(read(text), [value], text);
});

test("each type, byte by byte", () => {
  for (const [text, value] of EXAMPLES) assert.deepEqual(read(...cut(text)), [value], text);
});

test("all behind one another", () => {
  const values = EXAMPLES.map(([, value]) => value);
  assert.deepEqual(read(EXAMPLES.map(([text]) => text).join("")), values);
});

test("a failure and a push have their parts", () => {
  const [failure, push] = read("-BUSY Job 7 runs.\r\n>3\r\n+progress\r\n,0.5\r\n+half\r\n");
  assert.ok(failure instanceof Failure && failure instanceof Error);
  assert.equal(failure.code, "BUSY");
  assert.equal(failure.text, "Job 7 runs.");
  assert.ok(push instanceof Push);
  assert.deepEqual([push.kind, push.items], ["progress", [0.5, "half"]]);
});

test("a status is told from a text", () => {
  const reader = new Reader();
  reader.push(bytes.encode("+OK\r\n$2\r\nOK\r\n*1\r\n+OK\r\n*2\r\n$1\r\nx\r\n+OK\r\n+OK\r\n"));
  const simple = [];
  while (reader.next() !== undefined) simple.push(reader.simple);
  assert.deepEqual(simple, [true, false, false, false, true]);
});

test("bytes that are no UTF-8 are shown as such and harm nothing", () => {
  assert.deepEqual(read(Uint8Array.of(36, 50, 13, 10, 255, 97, 13, 10), ":1\r\n"), ["\ufffda", 1]);
});

const MALFORMED = [
  "hello\r\n", "\r\n", "?\r\n", "$x\r\n", "$-2\r\n", "$+1\r\n", "$ 1\r\n", "$\r\n", "$1.0\r\n", "*-2\r\n", "*x\r\n",
  "%-1\r\n", ":\r\n", ":1.5\r\n", ":0x10\r\n", ": 1\r\n", ":1n\r\n", ",\r\n", ",1,5\r\n", ",Infinity\r\n", ",-nan\r\n", "#x\r\n", "#true\r\n",
  "_x\r\n", "$1\r\nxy\r\n", "$1\r\nx\n\r", "=3\r\ntxt\r\n", "=4\r\ntxt;\r\n", "$99999999999999\r\n", "$67108865\r\n", "*67108865\r\n",
  ":" + "9".repeat(4301) + "\r\n",
];

test("what is no reply is refused, and so is what follows", () => {
  for (const text of MALFORMED) {
    for (const pieces of [[text], cut(text)]) {
      assert.throws(() => read(...pieces, "$1\r\nx\r\n"), /no reply/, text);
    }
    const reader = new Reader();
    reader.push(bytes.encode(text));
    assert.throws(() => reader.next());
    reader.push(bytes.encode("+OK\r\n"));
    assert.throws(() => reader.next(), /no reply/);
  }
});

test("what came before it counts", () => {
  const reader = new Reader();
  reader.push(bytes.encode("+OK\r\n?\r\n"));
  assert.equal(reader.next(), "OK");
  assert.throws(() => reader.next());
});

test("depth is bounded", () => {
  assert.equal(read("*1\r\n".repeat(31) + "*0\r\n").length, 1);
  assert.throws(() => read("*1\r\n".repeat(33)), /too deep/);
  assert.throws(() => read("|1\r\n".repeat(33)), /too deep/);
  assert.throws(() => read(...cut("%1\r\n".repeat(33))), /too deep/);
});

test("size is bounded, and many small values are weighed", () => {
  const piece = bytes.encode("+x\r\n".repeat(64 * 1024));
  assert.throws(() => read("*60000000\r\n", ...Array(20).fill(piece)), /too long/);
  const reader = new Reader();
  const endless = new Uint8Array(16 * 1024 * 1024).fill(120);
  endless[0] = 43;
  assert.throws(() => {
    for (let round = 0; round < 5; round++) {
      reader.push(endless);
      reader.next();
    }
  }, /too long/);
});

test("the bound is for each reply, not for all", () => {
  const reader = new Reader();
  const text = bytes.encode(`$1048576\r\n${"x".repeat(1048576)}\r\n`);
  for (let round = 0; round < 80; round++) {
    reader.push(text);
    assert.equal(reader.next().length, 1048576);
  }
});

test("a long reply in small pieces costs no more than its length", () => {
  const text = bytes.encode(`*3\r\n+${"a".repeat(300_000)}\r\n$300000\r\n${"b".repeat(300_000)}\r\n:1\r\n`);
  const pieces = [];
  for (let at = 0; at < text.length; at += 3) pieces.push(text.subarray(at, at + 3));
  const reader = new Reader();
  const began = performance.now();
  const values = pieces.map((piece) => {
    reader.push(piece);
    return reader.next();
  });
  assert.equal(values.at(-1).length, 3);
  assert.ok(performance.now() - began < 5_000, "it looks at the same bytes again and again");
});

/** A small generator of random numbers that can be repeated (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A random value, and how the server might write it. */
function sample(next, depth = 0) {
  const among = (list) => list[Math.floor(next() * list.length)];
  const text = () => Array.from({ length: Math.floor(next() * 12) }, () => among([..."aé€😀\r\n\0 :$*-7"])).join("");
  const bulk = (kind, value) => `${kind}${bytes.encode(value).length}\r\n${value}\r\n`;
  const several = (count) => Array.from({ length: count }, () => sample(next, depth + 1));
  const count = Math.floor(next() * 5);
  const written = (kind, samples, size = samples.length) => `${kind}${size}\r\n${samples.map(([, as]) => as).join("")}`;
  switch (among(depth < 5 ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [0, 1, 2, 3, 4, 5])) {
    case 0: { const value = text(); return [value, bulk("$", value)]; }
    case 1: { const value = text(); return [value, bulk("=", `txt:${value}`)]; }
    case 2: { const value = Math.floor((next() - 0.5) * 2 ** 53); return [value, `:${value}\r\n`]; }
    case 3: { const value = next() / 3; return [value, `,${value}\r\n`]; }
    case 4: return among([[true, "#t\r\n"], [false, "#f\r\n"], [null, "_\r\n"], [null, "$-1\r\n"]]);
    case 5: { const value = text(); return [new Failure("ERR", value), bulk("!", `ERR ${value}`)]; }
    case 6: case 7: {
      const inner = several(count);
      return [inner.map(([value]) => value), written(among(["*", "~"]), inner)];
    }
    case 8: {
      const keys = [...new Set(Array.from({ length: count }, text))];
      const values = several(keys.length);
      const samples = keys.flatMap((key, at) => [[key, bulk("$", key)], values[at]]);
      return [new Map(keys.map((key, at) => [key, values[at][0]])), written("%", samples, keys.length)];
    }
    case 9: {
      const inner = several(count);
      const kind = text();
      return [new Push(kind, inner.map(([value]) => value)), written(">", [[kind, bulk("$", kind)], ...inner])];
    }
    default: {
      const said = several(2 * count);
      const [value, as] = sample(next, depth + 1);
      return [value, written("|", said, count) + as];
    }
  }
}

test("random values in random pieces", () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const next = random(seed);
    const samples = Array.from({ length: 3 }, () => sample(next));
    const whole = bytes.encode(samples.map(([, as]) => as).join(""));
    const pieces = [];
    for (let at = 0; at < whole.length; ) {
      const length = 1 + Math.floor(next() * (next() < 0.5 ? 4 : 200));
      pieces.push(whole.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(read(...pieces), samples.map(([value]) => value), `seed ${seed}`);
  }
});

test("random rubbish is a value or is refused, and never more than that", () => {
  for (let seed = 1; seed <= ROUNDS * 10; seed++) {
    const next = random(seed);
    const whole = bytes.encode(sample(next)[1]);
    for (let round = 0; round < 3; round++) whole[Math.floor(next() * whole.length)] = Math.floor(next() * 256);
    const outcome = (...pieces) => {
      try {
        return read(...pieces);
      } catch (error) {
        assert.match(error.message, /no reply/, `seed ${seed}`);
        return "refused";
      }
    };
    const middle = Math.floor(next() * whole.length);
    assert.deepEqual(outcome(whole), outcome(whole.subarray(0, middle), whole.subarray(middle)), `seed ${seed}`);
  }
});

test("a request is an array of bulk strings", () => {
  const written = (words) => new TextDecoder().decode(encode(words));
  assert.equal(written(["ECHO", "maçã", ""]), "*3\r\n$4\r\nECHO\r\n$6\r\nmaçã\r\n$0\r\n\r\n");
  assert.deepEqual([...encode(["X", Uint8Array.of(255, 0)])].slice(-4), [255, 0, 13, 10], "bytes are sent as they are");
  assert.deepEqual(read(encode(["a\r\nb", "😀"])), [["a\r\nb", "😀"]]);
});

// What the page reads of a token, a typed line, the commands and the end of a connection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue } from "../../secure_server/web/static/wire/catalogue.js";
import { fromFailure, fromFrame, fromPush, policy } from "../../secure_server/web/static/wire/closing.js";
import { parse, split } from "../../secure_server/web/static/wire/line.js";
import { Failure, Push } from "../../secure_server/web/static/wire/resp3.js";
import { tokenOf } from "../../secure_server/web/static/wire/token.js";
import { Trouble } from "../../secure_server/web/static/wire/trouble.js";
import { TOKEN } from "./fake_world.js";

test("a token is known by its checksum", () => {
  assert.equal(tokenOf(`  ${TOKEN}\n`), TOKEN);
  for (const text of ["", "hunter2", TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN.replace("0000_3", "0001_3"), TOKEN.replace("wA4", "wA5"), `${TOKEN} ${TOKEN}`]) {
    assert.equal(tokenOf(text), null, text);
  }
});

test("a line is split as the server splits it; the last word may be unfinished", () => {
  const lines = {
    "": [""],
    ec: ["ec"],
    "ECHO ": ["ECHO", ""],
    "ECHO  two\tblanks": ["ECHO", "two", "blanks"],
    "ECHO 'it\\'s' \"tab:\\t\" \"\\x41\"": ["ECHO", "it's", "tab:\t", "A"],
    'ECHO a"b  c': ["ECHO", "ab  c"],
    'ECHO ""': ["ECHO", ""],
    'ECHO "" x': ["ECHO", "", "x"],
    "  x": ["x"],
    'ECHO "a\\': ["ECHO", "a"],
    "ECHO 'a\\n\"' \"\\q\\\"\\\\\"": ["ECHO", 'a\\n"', 'q"\\'],
    'ECHO "\\xc3\\xa9 \\x4 😀" maçã': ["ECHO", "é x4 😀", "maçã"],
  };
  for (const [line, words] of Object.entries(lines)) assert.deepEqual(split(line), words, line);
});

test("quotes that are not balanced are told", () => {
  const balanced = (line) => parse(line).balanced;
  for (const line of ["", "x", 'a"b"', '"" \'\'', "\"it's\"", "'say \"x\"' y", '"\\""']) assert.ok(balanced(line), line);
  for (const line of ['"', "'", 'ECHO "open', '"a"b', "\"a\"'b'", "'a'b", '"\\"', "'it\\'", "it's"]) assert.ok(!balanced(line), line);
  assert.deepEqual(parse('ECHO "" ').words, ["ECHO", ""]);
  assert.deepEqual(parse("  ").words, []);
});

test("commands are found by their names, whatever a newer server says besides", () => {
  const map = (fields) => new Map(Object.entries(fields));
  const catalogue = new Catalogue([
    map({ name: "job show", reply: "hologram", novelty: 1, arguments: [map({ name: "n", type: "int", minimum: "1", maximum: 9.5 }), map({})] }),
    map({ name: "JOB", reply: "table", columns: ["a", 1] }),
    map({ name: "" }), map({}), 7, null,
    map({ name: "CONSTRUCTOR", confirm: null, danger: true, idempotent: true }),
  ]);
  assert.deepEqual(catalogue.commands.map(({ name }) => name), ["CONSTRUCTOR", "JOB", "JOB SHOW"]);
  assert.equal(catalogue.find(["Job", "show", "7"])?.reply, "lines");
  assert.equal(catalogue.find(["job", "7"])?.name, "JOB");
  assert.equal(catalogue.find(["toString"]), undefined);
  assert.equal(catalogue.find([]), undefined);
  const [argument, ...others] = catalogue.find(["job", "show"])?.arguments ?? [];
  assert.equal(others.length, 0);
  assert.deepEqual([argument?.minimum, argument?.maximum, argument?.type, argument?.choices, argument?.optional], [1, 9.5, "int", [], false]);
  assert.deepEqual(catalogue.find(["JOB"])?.columns, ["a", "1"]);
  const { confirm, danger, idempotent, job } = catalogue.find(["constructor"]) ?? {};
  assert.deepEqual([confirm, danger, idempotent, job], ["", true, true, false]);
  assert.deepEqual(new Catalogue(new Failure("ERR", "")).commands, []);
});

test("reasons of the end decide about coming back", () => {
  const plain = (reason) => policy(fromPush("h", new Push("closed", [reason, -1, ""])));
  for (const reason of ["goodbye", "kicked", "banned", "revoked", "expired", "auth-failed", "protocol-error"]) {
    assert.equal(plain(reason), "never", reason);
  }
  for (const reason of ["draining", "too-many", "slow-consumer", "auth-timeout", "request-timeout", "internal-error", "throttled", "novelty", ""]) {
    assert.equal(plain(reason), "later", reason);
  }
  assert.equal(plain("idle"), "on-use");
  assert.equal(policy(fromPush("h", new Push("closed", ["kicked", 300, ""]))), "later");
  assert.equal(policy(fromPush("h", new Push("closed", ["goodbye", 0, ""]))), "later");
});

test("a push, a frame and a failure say the same", () => {
  const said = "Lunch.";
  const same = [
    fromPush("h", new Push("closed", ["kicked", 300, said])),
    fromFailure("h", new Failure("CLOSED", `reason=kicked retry-after=300 ${said}`)),
  ];
  for (const { kind, reason, retryAfter, text } of same) {
    assert.deepEqual([kind, reason, retryAfter, text], ["kicked", "kicked", 300, "An administrator of h ended this session. (Lunch.)"]);
  }
  const framed = fromFrame("h", 4005, "kicked retry-after=300");
  assert.deepEqual([framed?.kind, framed?.reason, framed?.retryAfter], ["kicked", "kicked", 300]);
  assert.equal(fromFrame("h", 4005, "kicked")?.retryAfter, null);
  assert.equal(fromFrame("h", 1006, "kicked"), null);
  assert.equal(fromFrame("h", 1001, ""), null);
  assert.equal(fromFrame("h", 1003, "Binary frames only!"), null);
});

test("nobody is sent away for good", () => {
  const seconds = (reason, retry) => fromPush("h", new Push("closed", [reason, retry, ""])).retryAfter;
  assert.equal(seconds("draining", 999_999_999), 3600);
  assert.equal(seconds("banned", 999_999_999), 7 * 86400);
  assert.equal(seconds("draining", -1), null);
  assert.equal(seconds("draining", "soon"), null);
  assert.equal(seconds("draining", 0), 0);
});

test("what an error in reply to a login means", () => {
  const kinds = {
    WRONGPASS: ["refused", "never"], NOPERM: ["refused", "never"], NOMECHANISM: ["refused", "never"], NOAUTH: ["no-token", "never"],
    THROTTLED: ["busy", "later"], DRAINING: ["busy", "later"], UNAVAILABLE: ["busy", "later"], BANNED: ["banned", "never"],
    ERR: ["protocol", "later"], constructor: ["protocol", "later"],
  };
  for (const [code, [kind, next]] of Object.entries(kinds)) {
    const trouble = fromFailure("h", new Failure(code, "Words."));
    assert.deepEqual([trouble.kind, policy(trouble), trouble.said], [kind, next, "Words."], code);
  }
  const later = fromFailure("h", new Failure("THROTTLED", "No room; retry-after=7"));
  assert.deepEqual([later.retryAfter, later.said], [7, "No room"]);
  const banned = fromFailure("h", new Failure("BANNED", "Not today; retry-after=90000"));
  assert.deepEqual([banned.retryAfter, policy(banned)], [90000, "later"]);
});

test("a trouble has what its sentence was made of, for whoever translates it", () => {
  const cause = new Trouble("lost", { server: "h" }, { said: "why" });
  const trouble = new Trouble("may-have-run", { cause: cause.text }, { cause });
  assert.equal(trouble.code, "MAY-HAVE-RUN");
  assert.equal(trouble.text, trouble.sentence.replace("{cause}", "The connection to h was lost. (why)"));
  assert.equal(trouble.cause, cause);
});

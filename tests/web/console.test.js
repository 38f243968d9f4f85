// The console's parts that need no page: words of forms, links and lines, hints, history, what of an output is drawn.
import assert from "node:assert/strict";
import test from "node:test";
import { bounds, common, hintOf, matching, mayAsk, signature } from "../../secure_server/web/static/console/hint.js";
import { History } from "../../secure_server/web/static/console/history.js";
import { textOf, within } from "../../secure_server/web/static/console/output.js";
import * as words from "../../secure_server/web/static/console/words.js";
import { Catalogue } from "../../secure_server/web/static/wire/catalogue.js";
import { parse } from "../../secure_server/web/static/wire/line.js";

const { assigned, fromLink, orderOf, question, quoted, saysYes, toLink, visible, wordsOf } = words;

/** @param {Record<string, any>} fields */
const argument = (fields) => new Map(Object.entries(fields));
/** @param {string} name @param {Record<string, any>[]} given @param {Record<string, any>} [more] */
const described = (name, given = [], more = {}) => new Map(Object.entries({ name, summary: `${name} does it.`, arguments: given.map(argument), ...more }));

const catalogue = new Catalogue([
  described("DISK", [{ name: "path", optional: true, choices: ["/", "/srv"], default: "/" }, { name: "human", type: "bool", flag: true }], { group: "Machines" }),
  described("COPY", [{ name: "from" }, { name: "to", optional: true }, { name: "more", optional: true, variadic: true }]),
  described("WIPE", [{ name: "disk" }, { name: "times", type: "int", flag: true, minimum: 1, maximum: 9, default: "1" }, { name: "yes", type: "bool", flag: true }], { confirm: "Wipe {disk} {times} times on {server}, {{sure}} {nothing}?", danger: true }),
  described("BURN", [{ name: "what", optional: true, variadic: true }], { danger: true }),
  described("UNLOCK", [{ name: "user" }, { name: "code", secret: true }, { name: "pin", secret: true, flag: true }], { confirm: "Unlock {user} with {code}?" }),
  described("TAKE", [{ name: "dump", type: "bytes", file: true, optional: true }], { confirm: "Take {dump}?" }),
  described("JOB START", [{ name: "key", flag: true }, { name: "command" }, { name: "argument", optional: true, variadic: true }]),
  described("PING", [{ name: "message", optional: true }]),
  described("AUTH", [{ name: "token" }]),
]);
/** @param {string} name */
const find = (name) => /** @type {words.Command} */ (catalogue.find(name.split(" ")));
/** @param {string} line */
const order = (line) => orderOf(catalogue, parse(line).words);

test("a form's values become words, flags first", () => {
  assert.deepEqual(wordsOf(find("DISK"), { path: ["/srv"], human: ["yes"] }), ["DISK", "--human", "/srv"]);
  assert.deepEqual(wordsOf(find("DISK"), { path: [""], human: ["no"] }), ["DISK", "--human=no"]);
  assert.deepEqual(wordsOf(find("WIPE"), { disk: ["sda"], times: ["3"] }), ["WIPE", "--times=3", "sda"]);
  assert.deepEqual(wordsOf(find("COPY"), { from: ["a"], to: ["b"], more: ["c", "", "d"] }), ["COPY", "a", "b", "c", "d"]);
  const bytes = new Uint8Array([0, 255]);
  assert.deepEqual(wordsOf(find("TAKE"), { dump: [bytes] }), ["TAKE", bytes]);
});

test("no value is ever taken for a flag", () => {
  assert.deepEqual(wordsOf(find("WIPE"), { disk: ["--yes"] }), ["WIPE", "--", "--yes"]);
  assert.deepEqual(wordsOf(find("COPY"), { from: ["--yes"] }), ["COPY", "--yes"]); // it has no flags, and wants no end of them
  const { given } = orderOf(catalogue, wordsOf(find("WIPE"), { disk: ["--yes"], times: ["--"] }));
  assert.deepEqual(given.map(({ argument: { name }, value }) => [name, value]), [["times", "--"], ["disk", "--yes"]]);
});

test("what is missing is named, and nothing takes another's place", () => {
  assert.throws(() => wordsOf(find("WIPE"), {}), { name: "Error", argument: "disk", message: "disk is missing." });
  assert.throws(() => wordsOf(find("COPY"), { from: ["a"], more: ["c"] }), { argument: "to", message: /^more stands behind to/ });
});

test("the words of a line are assigned as the server assigns them", () => {
  const told = (/** @type {string} */ line) => order(line).given.map(({ argument: { name }, value, at }) => `${at} ${name} ${value}`);
  assert.deepEqual(told("wipe sda --times 3 --yes"), ["1 disk sda", "3 times 3", "4 yes yes"]);
  assert.deepEqual(told("WIPE --times=3 --nothing -- --yes extra"), ["1 times 3", "4 disk --yes"]);
  assert.deepEqual(told("COPY a b c --d"), ["1 from a", "2 to b", "3 more c", "4 more --d"]);
  assert.deepEqual(told("job start --key k wipe sda"), ["5 disk sda"]);
  assert.equal(order("job start --key=k wipe sda").command?.name, "WIPE");
  assert.equal(order("JOB START nothing").command?.name, "JOB START");
  assert.deepEqual(assigned(find("DISK"), ["DISK"], 1), []);
  assert.equal(order("NOTHING --at all").command, undefined);
});

test("what may be shown of a line has no secrets", () => {
  const cases = {
    "UNLOCK ann hunter2": "UNLOCK ann •••",
    "UNLOCK --pin=12 ann hunter2 with more of it": "UNLOCK --pin=••• ann ••• ••• ••• ••• •••",
    "UNLOCK --pin 12 ann": "UNLOCK --pin ••• ann",
    "JOB START unlock ann hunter2": "JOB START unlock ann •••",
    "AUTH scs_0123456789_abc": "AUTH •••",
    "auth anything": "auth •••",
    "PING scs_0123456789_abc": "PING •••",
    "HELLO 3 AUTH ann x": "HELLO ••• ••• ••• •••",
  };
  for (const [line, shown] of Object.entries(cases)) {
    assert.equal(order(line).line, shown);
    assert.equal(order(line).secret, true, line);
  }
  assert.equal(order('PING "a b"').line, 'PING "a b"');
  assert.equal(order("UNLOCK ann").secret, false);
  assert.equal(orderOf(catalogue, ["TAKE", new Uint8Array(300)]).line, "TAKE (300 B)");
});

test("a link fills what is no secret, and a form makes such links alone", () => {
  const query = new URLSearchParams("user=ann&code=1&pin=2&nothing=3&user=eve");
  assert.deepEqual(fromLink(find("UNLOCK"), query), { values: { user: ["ann"] }, ignored: ["code", "pin", "nothing"] });
  assert.deepEqual(fromLink(find("COPY"), new URLSearchParams("more=a&more=b&__proto__=x")), { values: { more: ["a", "b"] }, ignored: ["__proto__"] });
  assert.equal(fromLink(find("COPY"), new URLSearchParams("more=a&".repeat(500))).values["more"]?.length, 100);
  assert.deepEqual(toLink(find("UNLOCK"), { user: ["ann"], code: ["hunter2"], pin: ["1"] }), { user: ["ann"] });
  assert.deepEqual(fromLink(find("WIPE"), new URLSearchParams("disk=sda&yes=yes")), { values: { disk: ["sda"] }, ignored: ["yes"] }); // it is asked
  assert.deepEqual(toLink(find("WIPE"), { disk: ["sda"], yes: ["yes"] }), { disk: ["sda"] });
  assert.deepEqual(toLink(find("TAKE"), { dump: ["text"] }), {});
  assert.deepEqual(toLink(find("COPY"), { from: ["a&b"], to: [""], more: ["c", "d"] }), { from: ["a&b"], more: ["c", "d"] });
});

test("a word is quoted so that it is read as it was", () => {
  for (const word of ["plain", "a b", "", 'say "no"', "it's", "back\\slash", "a\nb\tc\rd", "\u0007\u001b\u007f", "ção", "\\x41"]) {
    assert.deepEqual(parse(quoted(word)), { words: [word], balanced: true, open: true }, JSON.stringify(word));
  }
  assert.equal(quoted("/srv"), "/srv");
});

test("a question names the server and the values, and nothing that hides", () => {
  assert.equal(question(order("WIPE sda"), "box:5000"), "Wipe sda 1 times on box:5000, {sure} {nothing}?");
  assert.equal(question(order("WIPE {server} --times 2"), "box"), "Wipe {server} 2 times on box, {sure} {nothing}?");
  assert.equal(question(order("UNLOCK ann hunter2"), "box"), "Unlock ann with •••?");
  assert.equal(question(order("BURN all of it"), "box"), "Run BURN all of it on box? It may do harm.");
  assert.equal(question(order("JOB START burn it"), "box"), "Run JOB START burn it on box? It may do harm.");
  assert.equal(question(order("PING"), "box"), "");
  assert.equal(question(order("NOTHING"), "box"), "");
  assert.equal(question(orderOf(catalogue, ["TAKE", new Uint8Array(3)]), "box"), "Take (3 B)?");
  assert.equal(question(orderOf(catalogue, ["TAKE", "a\u202eb\n"]), "box"), "Take a\\u202eb\\u000a?");
  assert.ok(question(orderOf(catalogue, ["TAKE", "x".repeat(5000)]), "box").length < 250);
});

test("its own --yes says yes beforehand", () => {
  assert.equal(saysYes(order("WIPE sda --yes")), true);
  assert.equal(saysYes(order("WIPE --yes=no sda")), false);
  assert.equal(saysYes(order("WIPE -- --yes")), false);
  assert.equal(saysYes(order("COPY --yes")), false);
});

test("text without what turns or hides it, and not without end", () => {
  assert.equal(visible("a\u0000b\u{e0041}c"), "a\\u0000b\\ue0041c");
  assert.equal(visible("é 漢 😀"), "é 漢 😀");
  assert.equal(visible("abc", 2), "ab…");
});

test("commands are found by all words of a search, those that begin with it first", () => {
  const names = (/** @type {string} */ search) => matching(catalogue.commands, search).map(({ name }) => name);
  assert.deepEqual(names("machines disk"), ["DISK"]);
  assert.deepEqual(names("it  DOES ping"), ["PING"]);
  assert.equal(names("p")[0], "PING");
  assert.deepEqual(names("auth"), []); // the page does that itself
  assert.deepEqual(names("<img>"), []);
});

test("a hint says what a command takes, and more of what is typed", () => {
  const hint = hintOf(catalogue, "WIPE sda --times 3");
  assert.deepEqual(hint.pieces, ["WIPE", "disk", "[--times times]", "[--yes]"]);
  assert.deepEqual([hint.present, hint.told, hint.fault], [2, "from 1 to 9, otherwise 1", ""]);
  assert.equal(hintOf(catalogue, "disk ").present, 1);
  assert.deepEqual(hintOf(catalogue, "PING").told, "PING does it.");
  assert.equal(signature(/** @type {words.Argument} */ (find("DISK").arguments[0])), "[/|/srv]");
  assert.equal(signature(/** @type {words.Argument} */ (find("COPY").arguments[2])), "[more …]");
  assert.deepEqual(bounds(/** @type {any} */ ({ minimum: 1, maximum: null, type: "duration", pattern: "[0-9]+" })), ["at least 1 s", "such as 90s, 5m, 1h", "as [0-9]+"]);
});

test("a hint says what is surely wrong, and nothing of what may become right", () => {
  const wrong = {
    "NOTHING": /no command NOTHING/, "JOB NOTHING ": /no command JOB NOTHING/, "DISK /tmp": /path is one of \/, \/srv/, "DISK /s ": /path is one of/,
    "WIPE sda --times x ": /times is a number from 1 to 9\./, "WIPE sda --times 10": /times is a number/, "COPY": null, "PING a b": /one argument too many/,
  };
  const right = ["", "DI", "JOB ", "job st", "DISK /s", "DISK /srv ", "WIPE sda --times ", "WIPE sda --times 0", "WIPE sda --times -", "PING a ", "UNLOCK ann a b c", "COPY a b c d e"];
  for (const [line, fault] of Object.entries(wrong)) if (fault) assert.match(hintOf(catalogue, line).fault, fault, line);
  for (const line of right) assert.equal(hintOf(catalogue, line).fault, "", line);
  assert.equal(hintOf(new Catalogue(), "ANYTHING at all").fault, "");
});

test("the server is asked about no line that has a secret, or would have", () => {
  for (const line of ["UNLOCK ann ", "UNLOCK ann hun", "UNLOCK --pin ", "JOB START unlock ann h", "AUTH x", "PING scs_0123456789_", " "]) assert.equal(mayAsk(catalogue, line), false, line);
  for (const line of ["UNL", "UNLOCK an", "DISK ", "JOB START unlock a"]) assert.equal(mayAsk(catalogue, line), true, line);
});

test("what all candidates begin with", () => {
  assert.equal(common(["CLIENTS", "client show", "CLIENT"]), "CLIENT");
  assert.equal(common(["a", "b"]), "");
  assert.equal(common([]), "");
});

/** A storage. */
class Memory {
  /** @type {Record<string, string>} */
  kept = {};
  getItem = (/** @type {string} */ key) => this.kept[key] ?? null;
  setItem(/** @type {string} */ key, /** @type {string} */ value) {
    this.kept[key] = value;
  }
}

test("the history has each line once, goes back and forth, and comes back to what was typed", () => {
  const storage = new Memory();
  const history = new History(storage, "ann");
  for (const line of ["one", "two", "one", "  "]) history.add(line, false);
  assert.deepEqual(history.lines, ["two", "one"]);
  assert.deepEqual([history.step(-1, "dra"), history.step(-1, "one"), history.step(-1, "two")], ["one", "two", null]);
  assert.deepEqual([history.step(1, "two"), history.step(1, "one"), history.step(1, "dra")], ["one", "dra", null]);
  assert.deepEqual(new History(storage, "ann").lines, ["two", "one"]);
  assert.deepEqual(new History(storage, "eve").lines, []);
});

test("the history keeps no secret, no more than it may, and nothing that is none of ours", () => {
  const storage = new Memory();
  const history = new History(storage, "ann");
  history.add("UNLOCK ann hunter2", true);
  history.add("x".repeat(5000), false);
  assert.deepEqual([history.lines, JSON.stringify(storage.kept)], [[], "{}"]);
  for (let number = 0; number < 300; number++) history.add(`line ${number}`, false);
  assert.equal(history.lines.length, 200);
  for (const kept of ["{", "7", "null", '{"a":1}']) {
    storage.kept = { "secure-command.history.ann": kept };
    assert.deepEqual(new History(storage, "ann").lines, [], kept);
  }
  storage.setItem = () => {
    throw new Error("full");
  };
  history.add("last", false);
  assert.equal(history.lines.at(-1), "last");
  assert.equal(new History(undefined, "ann").step(-1, ""), null);
});

test("of an output of any length, those lines are drawn that are seen", () => {
  assert.deepEqual(within(0, 440, 100_000), { first: 0, last: 40 });
  assert.deepEqual(within(22 * 50_000, 440, 100_000), { first: 49_980, last: 50_040 });
  assert.deepEqual(within(22 * 100_000, 440, 100_000), { first: 99_980, last: 100_000 });
  assert.deepEqual(within(22 * 100_000, 440, 10), { first: 0, last: 10 }); // fewer than there were
  assert.deepEqual(within(0, 440, 0), { first: 0, last: 0 });
});

test("rows are taken away as columns with tabs between, all else as it reads", () => {
  const rows = [new Map([["a", 1], ["b", "x\ty"]]), new Map([["a", null], ["c", true]])];
  assert.equal(textOf(rows), "a\tb\tc\n1\tx y\t\n\t\ttrue\n");
  assert.equal(textOf("text"), "text\n");
  assert.equal(textOf(["a", "b"]), "a\nb\n");
  assert.equal(textOf(undefined), "");
});

// The page's client at a real server, through a day: it says what it has come to, and is told to go on.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { Client } from "../../secure_server/web/static/wire/client.js";

const { PORT, TOKEN, WRONG } = process.env;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Say a word, and wait to be told to go on. */
async function come(word) {
  console.log(word);
  await lines.next();
}

const seen = [];

/** Wait until the client came to a state since it was last looked at, and return that. */
async function until(state) {
  for (;;) {
    while (seen.length) {
      const status = seen.shift();
      if (status.state === state) return status;
    }
    await new Promise((resolve) => client.addEventListener("status", resolve, { once: true }));
  }
}

const failure = (promise) => promise.then(() => assert.fail("it succeeded"), (error) => error);
const client = new Client(`wss://localhost:${PORT}/v1/session`, { language: "en", name: "day" });
client.addEventListener("status", ({ detail }) => seen.push(detail));
const messages = [];
client.addEventListener("message", ({ detail }) => messages.push(detail.items[1]));

assert.equal((await failure(client.signIn(WRONG))).kind, "refused");
const account = await client.signIn(TOKEN);
assert.deepEqual([account.user, account.role], ["user", "user"]);
assert.equal(client.catalogue.find(["steps"])?.job, true);

assert.equal(await client.run(["ECHO", "two  blanks", "é"]).done, "two  blanks é");
assert.equal((await client.run(["ECHO", "x".repeat(300_000)]).done).length, 300_000);
assert.equal((await failure(client.run(["NONSENSE"]).done)).code, "ERR");
assert.deepEqual(await client.complete("LANG p", 6), [{ value: "pt_BR", told: "" }]);
const counted = [];
const progress = [];
assert.equal(await client.run(["COUNT", "1000", "value"], { onPart: (value) => counted.push(value), onProgress: (fraction) => progress.push(fraction) }).done, "the end");
assert.deepEqual([counted.length, counted.at(-1)], [1000, ".line 1000"]);
assert.equal(progress.at(-1), 1);

// Something endless, something beside it, and its end.
const endless = client.run(["FLOOD"], { onPart() {} });
assert.equal(await client.run(["ECHO", "beside"]).done, "beside");
endless.cancel();
assert.equal((await failure(endless.done)).code, "CANCELLED");

// A job that goes on over a kick and a restart.
const parts = [];
let begun = () => {};
const standing = new Promise((resolve) => (begun = resolve));
const job = client.run(["STEPS", "3"], { onPart: (value, number) => parts.push([number, value]), onStanding: () => begun() });
await standing;
seen.length = 0;
await come("job");
assert.equal((await until("waiting")).reason, "kicked");
await until("connected");
await come("back");
assert.equal(await job.done, "the result");
assert.deepEqual(parts, [[0, "step 0"], [1, "step 1"], [2, "step 2"]]);

// What may have run is not sent again.
const held = client.run(["HOLD"]);
await come("held");
assert.equal((await failure(held.done)).kind, "may-have-run");
await until("connected");
assert.equal(await client.run(["ECHO", "again"]).done, "again");

// A restart of the server.
await come("here");
assert.equal((await until("waiting")).reason, "draining");
await until("connected");
assert.equal(await client.run(["ECHO", "again"]).done, "again");

await come("listening");
assert.deepEqual(messages.filter((text) => text === "Lunch."), ["Lunch."]);
assert.equal((await until("stopped")).reason, "revoked");
assert.equal(client.mayReconnect, false);
console.log("over");
process.exit(0);

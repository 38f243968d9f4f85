// node-redis: `LIBRARY` is the name under which a version of it is installed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const redis = await import(process.env.LIBRARY);
const BINARY = Buffer.from([...Array(256).keys(), 13, 10]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Say how far it is, and wait until the test has done its part.
async function tell(word) {
  console.log(word);
  await lines.next();
}

// Ask until there is an answer, as a program does that goes on.
async function comeBack(client) {
  for (let round = 0; round < 100; round += 1) {
    try {
      if ((await client.echo("back")) === "back") return;
    } catch {
      await setTimeout(100);
    }
  }
  throw new Error("did not come back");
}

const client = redis.createClient({
  RESP: Number(process.env.RESP),
  password: process.env.TOKEN,
  socket: { tls: true, host: "localhost", port: Number(process.env.PORT), ca: readFileSync(process.env.CA) },
});
client.on("error", () => {}); // without one Node ends the process whenever a connection is lost, to a Redis as well
await client.connect();
const binary = redis.commandOptions
  ? await client.sendCommand(["ECHO", BINARY], redis.commandOptions({ returnBuffers: true }))
  : await client.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer }).echo(BINARY);
assert.deepEqual(binary, BINARY);
assert.equal((await client.clientInfo()).user, "admin");
assert.deepEqual((await client.clientList()).map((row) => row.user), ["admin"]);
const numbers = [...Array(1000).keys()].map(String);
assert.deepEqual(await Promise.all(numbers.map((number) => client.echo(number))), numbers);
await tell("ready");
for (const _ of ["kicked", "drained"]) {
  await comeBack(client);
  await tell("back");
}
await client.disconnect();
lines.return();

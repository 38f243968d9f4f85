// ioredis: `LIBRARY` is the name under which a version of it is installed. It has no listener for errors.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const { Redis } = await import(process.env.LIBRARY);
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

const client = new Redis({
  host: "localhost",
  port: Number(process.env.PORT),
  password: process.env.TOKEN,
  tls: { ca: readFileSync(process.env.CA) },
});
assert.deepEqual(await client.echoBuffer(BINARY), BINARY);
assert.match(await client.client("LIST"), /^id=\d+ .* user=admin /);
const numbers = [...Array(1000).keys()].map(String);
const pipeline = client.pipeline();
numbers.forEach((number) => pipeline.echo(number));
assert.deepEqual(await pipeline.exec(), numbers.map((number) => [null, number]));
await tell("ready");
for (const _ of ["kicked", "drained"]) {
  await comeBack(client);
  await tell("back");
}
client.disconnect();
lines.return();

// Jobs that are followed: found again after a break, from their next part; ended, or left to themselves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OK, described, failure, push, resp, signedIn, sofar } from "./fake_world.js";

/** What came of a job, in order. */
function listener() {
  const told = [];
  return {
    told,
    onPart: (value, number) => told.push(`${number} ${value}`),
    onGap: (first, next) => told.push(`gap ${first} to ${next}`),
    onStanding: ({ job, state, place }) => told.push(`job ${job} ${state} ${place}`),
    onProgress: (fraction) => told.push(`${fraction * 100} %`),
  };
}

/** Break a connection, and let the client come back. */
async function again({ world }) {
  await world.newest.end();
  await world.pass(250);
  await described(world.newest);
  return world.newest;
}

test("a job is started with a key, and followed to its end", async () => {
  const { client, socket } = await signedIn();
  const listens = listener();
  const run = client.run(["DEPLOY", "web"], listens);
  assert.equal(socket.asked(), "JOB START --key key-1 DEPLOY web");
  assert.equal(run.job, null);
  await socket.say(push("job", 7, "queued", 0, 2), push("job", 7, "queued", 0, 1), push("job", 7, "running", 0), push("stream", "a"));
  assert.deepEqual([run.job, run.next], [7, 1]);
  await socket.say(push("progress", 0.5, ""), push("stream", "b"), OK);
  assert.equal(await run.done, undefined);
  assert.deepEqual(listens.told, ["job 7 queued 2", "job 7 queued 1", "job 7 running 0", "0 a", "50 %", "1 b"]);
});

test("it goes on from its next part, and nothing comes twice", async () => {
  const all = await signedIn();
  const listens = listener();
  const run = all.client.run(["DEPLOY"], listens);
  await all.socket.say(push("job", 7, "running", 0), push("stream", "a"), push("stream", "b"));
  const second = await again(all);
  assert.equal(second.asked(), "JOB ATTACH 7 2");
  await second.say(push("job", 7, "running", 1), push("stream", "b"), push("stream", "c"));
  const third = await again(all);
  assert.equal(third.asked(), "JOB ATTACH 7 3");
  await third.say(push("job", 7, "running", 5), push("stream", "f"), resp("the result"));
  assert.equal(await run.done, "the result");
  assert.deepEqual(listens.told, ["job 7 running 0", "0 a", "1 b", "2 c", "gap 3 to 5", "5 f"]);
});

test("a start that was not answered is sent again with its key", async () => {
  const all = await signedIn();
  all.client.run(["DEPLOY"]);
  const second = await again(all);
  assert.equal(second.asked(), "JOB START --key key-1 DEPLOY");
});

test("typed starts get a key as well, unless they have one", async () => {
  const { client, socket } = await signedIn();
  const starts = {
    "job start DEPLOY web": "JOB START --key key-1 DEPLOY web",
    "JOB START --key mine DEPLOY": "JOB START --key mine DEPLOY",
    "JOB START --key=mine DEPLOY": "JOB START --key=mine DEPLOY",
    "JOB RERUN 7 x": "JOB RERUN --key key-2 7 x",
    "JOB RERUN 7 --key mine": "JOB RERUN 7 --key mine",
    "job attach 7 --numbered": "JOB ATTACH 7 0",
    "JOB ATTACH 7 12": "JOB ATTACH 7 12",
    "JOB ATTACH seven": "JOB ATTACH seven",
    "JOB ATTACH": "JOB ATTACH",
  };
  for (const [typed, sent] of Object.entries(starts)) {
    const run = client.run(typed.split(" "));
    assert.equal(socket.asked(), sent);
    await socket.say("-ERR no\r\n");
    await failure(run.done);
  }
});

test("words may be bytes, such as a file's", async () => {
  const { client, socket } = await signedIn();
  client.run(["JOB", "START", "DEPLOY", new TextEncoder().encode("--key")]);
  assert.equal(socket.asked(), "JOB START --key key-1 DEPLOY --key");
  client.run(["JOB", "RERUN", "7", new Uint8Array(2)]).cancel();
});

test("a job is attached to", async () => {
  const all = await signedIn();
  const listens = listener();
  const run = all.client.attach(7, 3, listens);
  assert.equal(all.socket.asked(), "JOB ATTACH 7 3");
  const second = await again(all);
  assert.equal(second.asked(), "JOB ATTACH 7 3");
  await second.say(push("job", 7, "running", 3), push("stream", "d"), push("job", 7, "done", 4), OK);
  assert.equal(await run.done, undefined);
  assert.deepEqual(listens.told, ["job 7 running 0", "3 d", "job 7 done 0"]);
  assert.equal(run.next, 4);
});

test("an error of the job is the server's", async () => {
  const { client, socket } = await signedIn();
  const run = client.attach(7);
  await socket.say("-LOST The server ended while the job ran.\r\n");
  assert.equal((await failure(run.done)).code, "LOST");
});

test("cancel ends it by the connection that started it, and by its number from another", async () => {
  const all = await signedIn();
  const run = all.client.run(["DEPLOY"]);
  all.socket.asked();
  await all.socket.say(push("job", 7, "running", 0));
  run.cancel();
  assert.equal(all.socket.asked(), "CANCEL");
  const second = await again(all);
  assert.deepEqual([second.asked(), second.asked()], ["JOB ATTACH 7 0", "JOB CANCEL 7"]);
  await second.say(push("job", 7, "cancelled", 0), "-CANCELLED The job was cancelled.\r\n", OK);
  assert.equal((await failure(run.done)).code, "CANCELLED");
});

test("cancel ends a job that was found again", async () => {
  const { client, socket } = await signedIn();
  const run = client.attach(7);
  socket.asked();
  run.cancel();
  assert.equal(socket.asked(), "JOB CANCEL 7");
});

test("JOB CANCEL does not wait for what runs", async () => {
  const { client, socket } = await signedIn();
  client.attach(7);
  socket.asked();
  const cancel = client.run(["job", "cancel", "7"]);
  assert.equal(socket.asked(), "job cancel 7");
  await socket.say("-CANCELLED The job was cancelled.\r\n", resp("Told."));
  assert.equal(await cancel.done, "Told.");
});

test("detach leaves it, and it goes on", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["DEPLOY"], listener());
  socket.asked();
  run.detach();
  assert.deepEqual(socket.requests, [], "before the server knows of it there is nothing to leave");
  await socket.say(push("job", 7, "running", 0));
  assert.equal(socket.asked(), "DETACH");
  await socket.say("-DETACHED Job 7 goes on; JOB ATTACH 7 0 comes back to it.\r\n", ":1\r\n");
  assert.equal((await failure(run.done)).code, "DETACHED");
});

test("one that is left while there is no connection needs none", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0), push("stream", "a"));
  await socket.end();
  run.detach();
  const trouble = await failure(run.done);
  assert.deepEqual([trouble.code, trouble.job, trouble.text], ["DETACHED", 7, "Job 7 goes on; it can be followed again from part 1."]);
  await world.pass(250);
  await described(world.newest);
  assert.deepEqual(world.newest.requests, []);
});

test("one that is left as the connection breaks is left", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0));
  run.detach();
  await socket.end();
  assert.equal((await failure(run.done)).code, "DETACHED");
});

test("where nobody comes back, it is told that the job goes on", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0), push("stream", "a"), push("closed", "kicked", -1, ""));
  const trouble = await failure(run.done);
  assert.deepEqual([trouble.kind, trouble.job, trouble.values.next], ["job-left", 7, 1]);
});

test("signing out tells it as well", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0));
  client.signOut();
  assert.deepEqual([(await failure(run.done)).kind, run.job], ["job-left", 7]);
});

test("a job that breaks each connection is left after ten", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0));
  for (let round = 0; round < 9; round++) {
    await world.newest.end();
    assert.equal(await sofar(run.done), "pending");
    await world.pass((client.status.retryAt ?? 0) - world.time);
    await described(world.newest);
    await world.newest.say(push("job", 7, "running", 0));
  }
  await world.newest.end();
  assert.equal((await failure(run.done)).kind, "job-left");
});

test("a job that brings something each time is followed on, without a longer wait", async () => {
  const all = await signedIn();
  const run = all.client.run(["DEPLOY"]);
  await all.socket.say(push("job", 7, "running", 0), push("stream", "x"));
  for (let round = 1; round < 30; round++) {
    const socket = await again(all);
    assert.equal(socket.asked(), `JOB ATTACH 7 ${round}`);
    await socket.say(push("job", 7, "running", round), push("stream", "x"));
  }
  await all.world.newest.say(OK);
  assert.equal((await run.done).length, 30);
});

test("a job that falls silent is on a dead connection, and found again on another", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0), push("stream", "a"));
  for (let round = 0; round < 20; round++) {
    await world.pass(15_000);
    await socket.say(push("progress", 0, ""));
  }
  assert.equal(world.sockets.length, 1);
  socket.requests = [];
  await world.pass(60_000);
  assert.equal(socket.asked(), "PING");
  await world.pass(20_250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "JOB ATTACH 7 1");
});

test("after sleep a job is found again", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["DEPLOY"]);
  await socket.say(push("job", 7, "running", 0));
  world.sleep(3_600_000);
  await world.sign();
  await world.pass(20_250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "JOB ATTACH 7 0");
});

test("jobs beside one another come back beside one another", async () => {
  const { client, world, socket } = await signedIn();
  client.attach(7);
  client.attach(8);
  assert.equal(socket.asked(), "JOB ATTACH 7 0");
  await socket.say(push("job", 7, "running", 0));
  await world.pass(300);
  const [, lane] = world.sockets;
  await lane.open();
  lane.asked();
  await lane.say(resp({ user: "alice" }));
  assert.equal(lane.asked(), "JOB ATTACH 8 0");
  await lane.say(push("job", 8, "running", 0), push("stream", "a"));
  await lane.end();
  await world.pass(300);
  const [, , other] = world.sockets;
  await other.open();
  other.asked();
  await other.say(resp({ user: "alice" }));
  assert.equal(other.asked(), "JOB ATTACH 8 1");
});

test("a push about another job is not ours", async () => {
  const { client, socket } = await signedIn();
  const run = client.attach(7);
  await socket.say(push("job", 8, "running", 5), push("job", "7", "running", 0), push("job"));
  assert.deepEqual([run.job, run.next], [7, 0]);
});

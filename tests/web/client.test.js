// The client: signing in, coming back, what is asked again and what never is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Trouble } from "../../secure_server/web/static/wire/trouble.js";
import { COMMANDS, OK, TOKEN, described, failure, push, resp, signedIn, sofar, stranger, welcome } from "./fake_world.js";

const HOUR = 3_600_000;
const LOST = "The connection to host.example:5000 was lost.";

// -- signing in ----------------------------------------------------------------------------------------------------------

test("signs in, and learns the commands", async () => {
  const { world, client, states } = stranger();
  const signing = client.signIn(` ${TOKEN} `);
  const socket = world.newest;
  assert.deepEqual([socket.url, socket.protocol], ["wss://host.example:5000/v1/session", "secure-command.1"]);
  assert.equal(socket.binaryType, "arraybuffer");
  assert.equal(await described(socket), `HELLO 3 AUTH default ${TOKEN} SETNAME page`);
  assert.deepEqual(await signing, {
    user: "alice", role: "user", ownRole: "", session: 7, server: "secure-command-server 0.1.0", argumentBytes: 1000, requestBytes: 2000,
  });
  assert.equal(client.account?.user, "alice");
  assert.equal(client.catalogue.find(["tail", "x"])?.reply, "stream");
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("is connected once it knows the commands, at first and again", async () => {
  const { world, client, states } = stranger();
  const signing = client.signIn(TOKEN);
  await welcome(world.newest);
  assert.deepEqual([states, client.account, (await sofar(signing))], [["connecting"], null, "pending"]);
  await world.newest.end();
  assert.equal((await failure(signing)).kind, "lost");
  const again = client.signIn(TOKEN);
  await described(world.newest);
  assert.equal((await again).user, "alice");
  client.run(["DEPLOY"]);
  assert.equal(world.newest.asked(), "JOB START --key key-1 DEPLOY");
  await world.newest.end();
  await world.pass(250);
  await welcome(world.newest);
  assert.deepEqual([client.status.state, world.newest.asked()], ["connecting", "COMMANDS"]);
  await world.newest.say(COMMANDS);
  assert.deepEqual([client.status.state, world.newest.asked()], ["connected", "JOB START --key key-1 DEPLOY"]);
});

test("where the server tells no commands, it is connected all the same", async () => {
  const { world, client } = stranger();
  const signing = client.signIn(TOKEN);
  await welcome(world.newest);
  await world.newest.say("-NOPERM No.\r\n");
  assert.equal((await signing).user, "alice");
  assert.equal(client.status.state, "connected");
});

test("who signs out leaves no commands to the next one", async () => {
  const { client } = await signedIn();
  client.signOut();
  assert.deepEqual(client.catalogue.commands, []);
});

test("asks for the language first", async () => {
  const { world } = await signedInWith({ language: "pt-BR" });
  assert.equal(world.newest.asked(), "LANG pt_BR");
});

async function signedInWith(options) {
  const { Client } = await import("../../secure_server/web/static/wire/client.js");
  const { world } = stranger();
  const client = new Client("wss://h/v1/session", { world, ...options });
  client.signIn(TOKEN);
  await welcome(world.newest);
  return { world, client };
}

test("another language is told, and the commands are asked for again", async () => {
  const { client, socket, world } = await signedIn();
  client.speak("pt-BR");
  assert.equal(socket.asked(), "LANG pt_BR");
  await socket.say(OK);
  assert.equal(socket.asked(), "COMMANDS");
  await socket.say(COMMANDS);
  await socket.end();
  await world.pass(250);
  await welcome(world.newest);
  assert.equal(world.newest.asked(), "LANG pt_BR");
});

test("what is no token opens nothing", async () => {
  const { world, client } = stranger();
  assert.equal((await failure(client.signIn(TOKEN.slice(1)))).kind, "token");
  assert.equal((await failure(client.enrol("x"))).kind, "token");
  assert.equal(world.sockets.length, 0);
});

test("a refused token is not tried again", async () => {
  const { world, client } = stranger();
  const signing = client.signIn(TOKEN);
  await welcome(world.newest, "-WRONGPASS The token was refused.\r\n");
  const trouble = await failure(signing);
  assert.deepEqual([trouble.kind, trouble.said], ["refused", "The token was refused."]);
  assert.deepEqual([client.status.state, client.status.error], ["signed-out", trouble]);
  assert.ok(world.newest.closed);
  await world.pass(HOUR);
  await world.sign();
  client.reconnect();
  assert.equal(world.sockets.length, 1);
});

test("the token stands in no text, no status and no event", async () => {
  const { client, socket, world } = await signedIn();
  const run = client.run(["RESTART"]);
  await socket.end();
  const told = [client, client.status, await failure(run.done), world.newest.protocol].map((value) => inspect(value, { depth: 9, showHidden: true }));
  assert.ok(!told.join().includes("scs_"), "it does");
});

test("a socket that never opened is told from one that broke", async () => {
  const { world, client } = stranger();
  const never = client.signIn(TOKEN);
  await world.newest.end();
  assert.equal((await failure(never)).kind, "never-opened");
  assert.equal(client.status.state, "signed-out");
  const silent = client.signIn(TOKEN);
  await world.newest.open();
  await world.newest.end();
  assert.equal((await failure(silent)).kind, "no-answer");
  client.signIn(TOKEN);
  await described(world.newest);
  await world.newest.end();
  assert.equal(client.status.error?.kind, "lost");
});

test("nobody waits for ever to be let in", async () => {
  const { world, client } = stranger();
  const first = client.signIn(TOKEN);
  await world.pass(10_000);
  assert.equal((await failure(first)).kind, "never-opened");
  const second = client.signIn(TOKEN);
  await world.newest.open();
  await world.pass(10_000);
  assert.equal((await failure(second)).kind, "no-answer");
  assert.ok(world.sockets.every(({ closed }) => closed));
});

test("whoever is told when to come again at the door comes then, and is in", async () => {
  const { world, client, states } = stranger();
  const signing = client.signIn(TOKEN);
  await welcome(world.newest, "-DRAINING Maintenance; retry-after=60\r\n");
  assert.equal(await sofar(signing), "pending");
  assert.equal(client.status.state, "waiting");
  assert.equal(client.status.retryAt, world.time + 60_250);
  await world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  await world.pass(250);
  await described(world.newest);
  assert.equal((await signing).user, "alice");
  assert.deepEqual(states, ["connecting", "waiting", "connecting", "connected"]);
});

test("signs in by certificate, and says where a token is wanted", async () => {
  const { world, client } = stranger();
  const signing = client.signInByCertificate();
  assert.equal(await welcome(world.newest, "-NOAUTH Authentication required.\r\n"), "HELLO 3 SETNAME page");
  assert.equal((await failure(signing)).kind, "no-token");
});

test("another login ends the first", async () => {
  const { client, socket, world } = await signedIn();
  client.signIn(TOKEN);
  assert.ok(socket.closed);
  await described(world.newest);
  assert.equal(client.status.state, "connected");
});

test("signing out ends all, and forgets who it was", async () => {
  const { client, socket, world } = await signedIn();
  const run = client.run(["RESTART"]);
  const waiting = client.run(["ECHO", "x"]);
  client.signOut();
  assert.equal((await failure(run.done)).kind, "may-have-run");
  assert.equal((await failure(waiting.done)).kind, "signed-out");
  assert.deepEqual([client.status, client.account, client.mayReconnect, socket.closed], [{ state: "signed-out" }, null, false, true]);
  assert.equal((await failure(client.run(["ECHO"]).done)).kind, "signed-out");
  await world.pass(HOUR);
  client.reconnect();
  assert.equal(world.sockets.length, 1);
});

test("signing out while being let in ends that", async () => {
  const { client } = stranger();
  const signing = client.signIn(TOKEN);
  client.signOut();
  assert.equal((await failure(signing)).kind, "signed-out");
});

test("a link's token is exchanged, and the new one not used", async () => {
  const { world, client } = stranger();
  const enrolling = client.enrol(TOKEN);
  const asked = await welcome(world.newest);
  assert.ok(asked?.startsWith(`HELLO 3 AUTH default ${TOKEN}`));
  assert.equal(world.newest.asked(), "ENROLL");
  await world.newest.say(resp("scs_new"));
  assert.deepEqual(await enrolling, { token: "scs_new", user: "alice", role: "user" });
  assert.ok(world.newest.closed);
  assert.deepEqual([world.sockets.length, client.status.state, world.newest.requests.length], [1, "signed-out", 0]);
});

test("a link whose token is the one to keep, and one that is spent", async () => {
  const { world, client } = stranger();
  const same = client.enrol(TOKEN);
  await welcome(world.newest);
  await world.newest.say("_\r\n");
  assert.equal((await same).token, TOKEN);
  const spent = failure(client.enrol(TOKEN));
  await welcome(world.newest, "-WRONGPASS The token was refused.\r\n");
  assert.equal((await spent).kind, "refused");
  const broken = failure(client.enrol(TOKEN));
  await welcome(world.newest);
  await world.newest.end();
  assert.equal((await broken).kind, "lost");
});

// -- coming back ---------------------------------------------------------------------------------------------------------

test("comes back by itself, later each time, and authenticates", async () => {
  const { client, world, socket, states } = await signedIn();
  await socket.end();
  const waits = [];
  for (let round = 0; round < 9; round++) {
    waits.push((client.status.retryAt ?? 0) - world.time);
    await world.pass(waits.at(-1));
    await world.newest.end();
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  await world.pass(30_000);
  assert.equal(await described(world.newest), `HELLO 3 AUTH default ${TOKEN} SETNAME page`);
  assert.deepEqual([client.status.state, states.at(-1)], ["connected", "connected"]);
  await world.newest.end();
  assert.equal((client.status.retryAt ?? 0) - world.time, 30_000, "that did not last");
  await world.pass(30_000);
  await described(world.newest);
  await world.pass(5_000);
  await world.newest.end();
  assert.equal((client.status.retryAt ?? 0) - world.time, 250);
});

test("does not come back after an end that somebody meant", async () => {
  for (const reason of ["kicked", "banned", "revoked", "expired", "goodbye", "auth-failed", "protocol-error"]) {
    for (const end of [(socket) => socket.say(push("closed", reason, -1, "Why.")), (socket) => socket.end(4005, reason)]) {
      const { client, world, socket } = await signedIn();
      await end(socket);
      await world.pass(HOUR);
      await world.sign();
      assert.deepEqual([client.status.state, client.status.reason, world.sockets.length], ["stopped", reason, 1]);
      assert.equal(await failure(client.run(["ECHO"]).done), client.status.error);
      assert.ok(socket.closed || reason);
      client.reconnect();
      const knows = !["revoked", "expired", "auth-failed"].includes(reason);
      assert.equal(world.sockets.length, knows ? 2 : 1, reason);
    }
  }
});

test("comes back no sooner than the server says", async () => {
  for (const [reason, seconds] of [["kicked", 300], ["draining", 10], ["banned", 86400], ["novelty", 3]]) {
    const { client, world, socket } = await signedIn();
    await socket.say(push("closed", reason, seconds, ""));
    assert.deepEqual([client.status.state, client.status.reason], ["waiting", reason]);
    await world.pass(seconds * 1000 - 1);
    await world.sign();
    assert.equal(world.sockets.length, 1, reason);
    await world.pass(251);
    assert.equal(world.sockets.length, 2, reason);
  }
});

test("an idle one comes back when something is asked", async () => {
  const { client, world, socket } = await signedIn();
  await socket.say(push("closed", "idle", -1, ""));
  assert.deepEqual([client.status.state, client.status.reason, client.status.retryAt], ["waiting", "idle", undefined]);
  await world.pass(HOUR);
  assert.equal(world.sockets.length, 1);
  const run = client.run(["RESTART"]);
  await welcome(world.newest);
  world.newest.asked(); // COMMANDS
  await world.newest.say(COMMANDS);
  assert.equal(world.newest.asked(), "RESTART");
  await world.newest.say(resp("done"));
  assert.equal(await run.done, "done");
});

test("a token that is refused later ends it", async () => {
  const { client, world, socket } = await signedIn();
  await socket.end();
  await world.pass(250);
  await welcome(world.newest, "-WRONGPASS The token was refused.\r\n");
  assert.deepEqual([client.status.state, client.status.error?.kind, client.mayReconnect], ["stopped", "refused", false]);
});

test("EXIT is answered, and is the end", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["EXIT"]);
  await socket.say("+Goodbye.\r\n");
  await socket.end(1000, "goodbye");
  assert.equal(await run.done, "Goodbye.");
  assert.deepEqual([client.status.state, client.status.reason], ["stopped", "goodbye"]);
  await world.pass(HOUR);
  assert.equal(world.sockets.length, 1);
});

test("the user may try at once", async () => {
  const { client, world, socket } = await signedIn();
  await socket.say(push("closed", "draining", 600, ""));
  client.reconnect();
  assert.equal(world.sockets.length, 2);
  client.reconnect();
  await world.pass(9_000);
  assert.equal(world.sockets.length, 2, "it was tried already");
});

test("rubbish, and a reply that nobody asked for, end the connection", async () => {
  for (const said of ["?\r\n", OK]) {
    const { client, socket } = await signedIn();
    await socket.say(said);
    assert.deepEqual([client.status.state, client.status.error?.kind, socket.closed], ["waiting", "protocol", true]);
  }
});

test("frames mean nothing", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["ECHO", "hello"]);
  for (const byte of resp("hello")) await socket.say(byte);
  assert.equal(await run.done, "hello");
  const long = client.run(["ECHO", "x".repeat(150_000)]);
  const sizes = socket.frames.slice(-3);
  assert.deepEqual(sizes.slice(0, 2), [65536, 65536]);
  assert.ok((sizes[2] ?? 0) < 65536);
  await socket.say(OK);
  await long.done;
});

// -- what is asked again -------------------------------------------------------------------------------------------------

test("what may have run is never sent again", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["RESTART"]);
  assert.equal(socket.asked(), "RESTART");
  await socket.end();
  const trouble = await failure(run.done);
  assert.ok(trouble instanceof Trouble);
  assert.deepEqual([trouble.code, trouble.kind], ["MAY-HAVE-RUN", "may-have-run"]);
  assert.ok(trouble.text.startsWith(LOST));
  await world.pass(250);
  await described(world.newest);
  assert.deepEqual(world.newest.requests, []);
});

test("an unknown command counts as one that must not run twice, and whoever runs it may say otherwise", async () => {
  const { client, world, socket } = await signedIn();
  const unknown = client.run(["NOVELTY"]);
  await socket.end();
  assert.equal((await failure(unknown.done)).kind, "may-have-run");
  await world.pass(250);
  await described(world.newest);
  const known = client.run(["NOVELTY"], { idempotent: true });
  await world.newest.end();
  assert.equal(await sofar(known.done), "pending");
});

test("what may run twice is sent again, once", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["ECHO", "x"]);
  await socket.end();
  await world.pass(250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "ECHO x");
  await world.newest.end();
  assert.equal((await failure(run.done)).kind, "may-have-run");
});

test("a broken answer is not begun again", async () => {
  const { client, socket } = await signedIn();
  const parts = [];
  const run = client.run(["TAIL"], { onPart: (value, number) => parts.push([number, value]) });
  await socket.say(push("stream", "one"));
  await socket.end();
  assert.equal((await failure(run.done)).kind, "broke-off");
  assert.deepEqual(parts, [[0, "one"]]);
});

test("what was not sent waits for the next connection, or is withdrawn", async () => {
  const { client, world, socket } = await signedIn();
  await socket.end();
  const kept = client.run(["RESTART", "kept"]);
  const gone = client.run(["RESTART", "gone"]);
  gone.cancel();
  assert.equal((await failure(gone.done)).kind, "not-sent");
  await world.pass(250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "RESTART kept");
  await world.newest.say(OK);
  assert.equal(await kept.done, "OK");
  assert.deepEqual(world.newest.requests, []);
});

test("what was sent before is sent again first", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["ECHO", "first"]);
  client.run(["RESTART", "then"]);
  await socket.end();
  await world.pass(250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "ECHO first");
  await world.newest.say(OK);
  assert.equal(world.newest.asked(), "RESTART then");
});

test("what waits fails with the reason when there will be no connection", async () => {
  const { client, socket } = await signedIn();
  const running = client.run(["ECHO"]);
  const waiting = client.run(["RESTART"]);
  await socket.say(push("closed", "kicked", -1, ""));
  assert.equal((await failure(running.done)).kind, "may-have-run");
  assert.equal((await failure(waiting.done)).kind, "kicked");
});

test("requests that wait are bounded", async () => {
  const { client, socket } = await signedIn();
  const runs = Array.from({ length: 130 }, () => client.run(["ECHO"]));
  assert.equal((await failure(runs[129].done)).kind, "too-many");
  assert.equal(await sofar(runs[128].done), "pending");
  assert.equal(socket.requests.length, 1);
});

test("what is about the connection itself is not for users", async () => {
  const { client, socket } = await signedIn();
  for (const words of [["RESET"], ["auth", "x"], ["Hello", "2"], ["client", "Reply", "OFF"], ["CANCEL"], ["DETACH"]]) {
    assert.equal((await failure(client.run(words).done)).kind, "not-here", words.join(" "));
  }
  client.run(["CLIENT", "ID"]);
  assert.equal(socket.asked(), "CLIENT ID");
});

// -- answers -------------------------------------------------------------------------------------------------------------

test("a stream comes in parts, with progress, and ends with its last word", async () => {
  const { client, socket } = await signedIn();
  const told = [];
  const options = { onPart: (value) => told.push(value), onProgress: (fraction, text) => told.push([fraction, text]) };
  const run = client.run(["TAIL"], options);
  await socket.say(push("progress", 0.5, "half"), push("progress", 7, ""), push("progress", "soon", ""), push("stream", "a"), push("stream", ["b"]), OK);
  assert.equal(await run.done, undefined);
  assert.deepEqual(told, [[0.5, "half"], [1, ""], "a", ["b"]]);
  const valued = client.run(["TAIL"], options);
  await socket.say(push("stream", "c"), resp("OK"));
  assert.equal(await valued.done, "OK");
  const collected = client.run(["TAIL"]);
  await socket.say(push("stream", "d"), push("stream", "e"), OK);
  assert.deepEqual(await collected.done, ["d", "e"]);
});

test("an error is the server's own", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["ECHO"]);
  await socket.say("-NOPERM Not for you.\r\n");
  const failed = await failure(run.done);
  assert.deepEqual([failed.code, failed.text, failed instanceof Trouble], ["NOPERM", "Not for you.", false]);
});

test("what is wrong in a callback harms nobody else", async () => {
  const { client, socket } = await signedIn();
  const raised = [];
  globalThis.reportError = (error) => raised.push(error.message); // as browsers have it
  const run = client.run(["TAIL"], {
    onPart() {
      throw new Error("of the page");
    },
  });
  await socket.say(push("stream", "a"), OK);
  assert.equal(await run.done, undefined);
  assert.deepEqual(raised, ["of the page"]);
});

test("cancel asks once, and the answer says the rest", async () => {
  const { client, socket } = await signedIn();
  const run = client.run(["TAIL"], { onPart() {} });
  socket.asked();
  run.cancel();
  run.cancel();
  assert.deepEqual([socket.asked(), socket.asked()], ["CANCEL", undefined]);
  const next = client.run(["ECHO"]);
  assert.deepEqual(socket.requests, [], "nothing may wait behind CANCEL, which ends whatever runs");
  await socket.say("-CANCELLED The command was cancelled.\r\n");
  assert.equal((await failure(run.done)).code, "CANCELLED");
  await socket.say(":1\r\n");
  assert.equal(socket.asked(), "ECHO");
  await socket.say(resp("x"));
  assert.equal(await next.done, "x");
});

test("messages are told, and changed commands are asked for", async () => {
  const { client, socket } = await signedIn();
  const messages = [];
  let changes = 0;
  client.addEventListener("message", ({ detail }) => messages.push([detail.kind, ...detail.items]));
  client.addEventListener("catalogue", () => changes++);
  await socket.say(push("message", "root", "Lunch."), push("commands-changed"));
  assert.deepEqual(messages, [["message", "root", "Lunch."]]);
  assert.equal(socket.asked(), "COMMANDS");
  await socket.say(resp([]));
  assert.equal(changes, 1);
  assert.deepEqual(client.catalogue.commands, []);
});

test("completes", async () => {
  const { client, socket } = await signedIn();
  const completing = client.complete("client show 1 rest", 13);
  assert.equal(socket.asked(), "COMPLETE --told client show 1");
  await socket.say(resp(["12", "alice", "13", ""]));
  assert.deepEqual(await completing, [{ value: "12", told: "alice" }, { value: "13", told: "" }]);
  const failing = client.complete(["x", ""]);
  assert.equal(socket.asked(), "COMPLETE --told x ");
  await socket.say("-TIMEOUT Too late.\r\n");
  assert.deepEqual(await failing, []);
  await socket.end();
  assert.deepEqual(await client.complete("x"), []);
});

// -- beside one another --------------------------------------------------------------------------------------------------

test("another connection is opened for what waits behind a long command, and closed again", async () => {
  const { client, world, socket } = await signedIn();
  const long = client.run(["TAIL"], { onPart() {} });
  const short = client.run(["ECHO", "x"]);
  await world.pass(299);
  assert.equal(world.sockets.length, 1);
  await world.pass(1);
  const lane = world.newest;
  assert.equal(await welcome(lane), `HELLO 3 AUTH default ${TOKEN} SETNAME page`);
  assert.equal(lane.asked(), "ECHO x");
  await lane.say(resp("x"), push("message", "root", "told twice"));
  assert.equal(await short.done, "x");
  await world.pass(HOUR);
  assert.ok(lane.closed);
  assert.equal(world.sockets.length, 2);
  await socket.say(OK);
  await long.done;
});

test("one connection is opened at a time, and no more than three besides the first", async () => {
  const { client, world } = await signedIn();
  const ask = () => client.run(["TAIL"], { onPart() {} });
  ask();
  ask();
  await world.pass(300);
  ask();
  await world.pass(300);
  assert.equal(world.sockets.length, 2);
  for (let round = 0; round < 6; round++) {
    if (!world.newest.frames.length) await welcome(world.newest);
    ask();
    await world.pass(300);
  }
  assert.equal(world.sockets.length, 4);
});

test("messages are told once, on however many connections", async () => {
  const { client, world, socket } = await signedIn();
  const messages = [];
  client.addEventListener("message", ({ detail }) => messages.push(detail.items[1]));
  client.run(["TAIL"]);
  client.run(["ECHO"]);
  await world.pass(300);
  await welcome(world.newest);
  for (const each of [socket, world.newest]) await each.say(push("message", "root", "Lunch."));
  assert.deepEqual(messages, ["Lunch."]);
});

test("where the server takes no other connection, requests wait", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["TAIL"]);
  const short = client.run(["ECHO", "x"]);
  await world.pass(300);
  await welcome(world.newest, "-WRONGPASS The token was refused.\r\n");
  assert.equal(client.status.state, "connected");
  client.run(["ECHO", "y"]);
  await world.pass(10_000);
  assert.equal(world.sockets.length, 2);
  socket.requests = [];
  await socket.say(OK);
  assert.equal(socket.asked(), "ECHO x");
  await socket.say(resp("x"));
  assert.equal(await short.done, "x");
});

test("a kick ends all connections", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["TAIL"]);
  client.run(["TAIL"]);
  await world.pass(300);
  await welcome(world.newest);
  await world.newest.say(push("closed", "kicked", -1, ""));
  assert.deepEqual([client.status.state, socket.closed, world.newest.closed], ["stopped", true, true]);
});

test("an error on another connection loses nothing", async () => {
  const { client, world, socket } = await signedIn();
  client.run(["TAIL"]);
  const short = client.run(["ECHO", "x"]);
  await world.pass(300);
  await welcome(world.newest);
  world.newest.requests = [];
  await world.newest.end();
  assert.equal(client.status.state, "connected");
  await world.pass(300);
  assert.equal(world.sockets.length, 3);
  await welcome(world.newest);
  assert.equal(world.newest.asked(), "ECHO x");
  await world.newest.say(resp("x"));
  assert.equal(await short.done, "x");
  assert.equal(socket.closed, false);
});

// -- sleep ---------------------------------------------------------------------------------------------------------------

test("after sleep a dead connection is found out and replaced", async () => {
  const { client, world, socket } = await signedIn();
  world.sleep(HOUR);
  await world.sign();
  assert.equal(socket.asked(), "PING");
  assert.equal(client.status.state, "connected");
  const run = client.run(["RESTART"]);
  assert.deepEqual(socket.requests, [], "not before it is known to arrive");
  await world.pass(5_000);
  assert.deepEqual([client.status.state, client.status.error?.kind, socket.closed], ["waiting", "lost", true]);
  await world.pass(250);
  await described(world.newest);
  assert.equal(world.newest.asked(), "RESTART");
  await world.newest.say(OK);
  await run.done;
});

test("after sleep a good connection is kept", async () => {
  const { client, world, socket } = await signedIn();
  world.sleep(HOUR);
  await world.sign();
  await socket.say("+PONG\r\n");
  await world.pass(HOUR);
  assert.deepEqual([client.status.state, world.sockets.length], ["connected", 1]);
});

test("a connection that was silent for long is checked before anything is asked over it", async () => {
  const { client, world, socket } = await signedIn();
  await world.pass(31_000);
  const run = client.run(["RESTART"]);
  assert.equal(socket.asked(), "PING");
  assert.equal(socket.asked(), undefined);
  await socket.say("+PONG\r\n");
  assert.equal(socket.asked(), "RESTART");
  await socket.say(OK);
  await run.done;
});

test("an idle connection is left idle", async () => {
  const { world, socket } = await signedIn();
  await world.pass(HOUR);
  assert.deepEqual(socket.requests, []);
});

test("sleep is found out without a sign, too", async () => {
  const { world, socket } = await signedIn();
  world.sleep(HOUR);
  await world.pass(15_000);
  assert.equal(socket.asked(), "PING");
});

test("sleep is found out after the user had it connect again, too", async () => {
  const { client, world, socket } = await signedIn();
  await socket.say(push("closed", "kicked", -1, ""));
  client.reconnect();
  await described(world.newest);
  world.sleep(HOUR);
  await world.pass(15_000);
  assert.equal(world.newest.asked(), "PING");
});

test("a sign has it try at once", async () => {
  const { client, world, socket } = await signedIn();
  await socket.end();
  for (let round = 0; round < 8; round++) {
    await world.pass((client.status.retryAt ?? 0) - world.time);
    await world.newest.end();
  }
  const before = world.sockets.length;
  await world.sign();
  assert.equal(world.sockets.length, before + 1);
  await world.sign();
  assert.equal(world.sockets.length, before + 1);
  await described(world.newest);
  await world.pass(HOUR);
  assert.equal(world.sockets.length, before + 1, "the try that waited was called off");
});

test("a sign does nothing to whoever signed out", async () => {
  const { client, world } = await signedIn();
  client.signOut();
  await world.sign();
  assert.equal(world.sockets.length, 1);
});

test("a command may be silent for as long as it takes", async () => {
  const { client, world, socket } = await signedIn();
  const run = client.run(["RESTART"]);
  socket.asked();
  await world.pass(HOUR);
  assert.deepEqual(socket.requests.join(), "PING", "a dead line shows when something is sent");
  await socket.say(OK, "+PONG\r\n");
  assert.equal(await run.done, "OK");
});

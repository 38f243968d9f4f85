// The administrators' views, as far as they are no pixels: requests, figures, and when the server is asked.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { brief, size } from "../../secure_server/web/static/admin/amounts.js";
import { PT_BR } from "../../secure_server/web/static/admin/pt-br.js";
import { Samples, figures, recent, spark } from "../../secure_server/web/static/admin/points.js";
import { goesOn, hostOf, request, suggestions } from "../../secure_server/web/static/admin/requests.js";
import { PT_BR as OF_CONSOLE } from "../../secure_server/web/static/console/pt-br.js";
import { quoted } from "../../secure_server/web/static/console/words.js";
import { PT_BR as OF_PAGE } from "../../secure_server/web/static/ui/pt-br.js";
import { split } from "../../secure_server/web/static/wire/line.js";

test("a request has its options before the filter, whose words are never taken for options", () => {
  assert.deepEqual(request({ command: "CLIENTS" }), ["CLIENTS"]);
  assert.deepEqual(request({ command: "SERVER AUDIT", filter: 'detail~"a b"  not user=ana --count', limit: 100, from: "7", pages: "before" }), [
    "SERVER", "AUDIT", "--limit=100", "--before=7", "--", "detail~a b", "not", "user=ana", "--count",
  ]);
  assert.deepEqual(request({ command: "CLIENTS", words: ["--closed"], columns: ["id", "user"], sort: "-idle" }), ["CLIENTS", "--closed", "--columns=id,user", "--sort=-idle"]);
});

test("how many there are is asked without page, order and columns", () => {
  assert.deepEqual(request({ command: "CLIENTS", filter: "idle>5m", columns: ["id"], sort: "idle", limit: 1, from: "1", pages: "after", count: true }), ["CLIENTS", "--count", "--", "idle>5m"]);
});

test("quotes that are not balanced are no request", () => {
  assert.equal(request({ command: "CLIENTS", filter: 'user="ana' }), null);
});

test("pages go on in the order that they go by, and in no other", () => {
  assert.ok(goesOn("", "id") && goesOn("id", "id") && goesOn("-id", "id"));
  assert.ok(!goesOn("idle", "id"));
});

test("a filter is completed where it ends", () => {
  const completed = (/** @type {string} */ text, /** @type {string[]} */ ...values) => suggestions(text, split(text), values.map((value) => ({ value })), quoted);
  assert.deepEqual(completed("idle>5m us", "user="), ["idle>5m user="]);
  assert.deepEqual(completed("idle>5m ", "id=", "user="), ["idle>5m id=", "idle>5m user="]);
  assert.deepEqual(completed("user=a", "user=a", "user=ana b"), ['"user=ana b"']);
  assert.deepEqual(completed('"user=a', "user=ana"), []);
  assert.deepEqual(completed('detail~"a b', "detail~a"), []);
});

test("an address is banned without its port, and what is none is not", () => {
  assert.equal(hostOf("127.0.0.1:5000"), "127.0.0.1");
  assert.equal(hostOf("[2001:db8::1]:5000"), "2001:db8::1");
  assert.equal(hostOf("::1"), "::1");
  assert.equal(hostOf("192.0.2.7"), "192.0.2.7");
  for (const none of ["unix", "", "proxy.example:1"]) assert.equal(hostOf(none), "");
});

test("amounts are short", () => {
  assert.equal(size(512), "512 B");
  assert.equal(size(1500), "1.5 KB");
  assert.equal(size(67_108_864), "67 MB");
  assert.equal(brief(0.000292), "0.292 ms");
  assert.equal(brief(1.5), "1.5 s");
  assert.equal(brief(null), "–");
});

/** @param {Record<string, any>} value @returns {Map<string, any>} */
const map = (value) => new Map(Object.entries(value).map(([key, one]) => [key, one && typeof one === "object" && !Array.isArray(one) ? map(one) : one]));
const stats = (/** @type {number} */ uptime, more = {}) => map({
  uptime,
  connections: { clients: 3, strangers: 1, most_strangers: 1000 },
  handshakes: { total: 10 * uptime, failed: 2 },
  commands: { total: 100, failed: 5, p50: 0.001, p99: 0.5, max: 2 },
  bytes: { in: 1000, out: 2_000_000 },
  process: { rss: 50_000_000, cpu: uptime / 4, threads: 9, descriptors: 20, most_descriptors: 1024 },
  history: { seconds: 1, commands: [0, 0, 5, 5, 5, 5, 5], refused: [1, 0, 0, 0, 0, 0, 0], in: [1, 1], out: [9, 9] },
  jobs: null,
  ...more,
});

test("rates are of what was between two samples, and begin anew with another server", () => {
  const samples = new Samples();
  assert.deepEqual(samples.rate("process.cpu"), []);
  samples.add(stats(10));
  samples.add(stats(12));
  samples.add(stats(16));
  assert.deepEqual(samples.rate("process.cpu"), [0.25, 0.25]);
  assert.deepEqual(samples.rate("handshakes.total"), [10, 10]);
  assert.deepEqual(samples.level("connections.clients"), [3, 3, 3]);
  samples.add(stats(1));
  assert.deepEqual(samples.level("connections.clients"), [3]);
  for (let at = 2; at < 1000; at++) samples.add(stats(at));
  assert.equal(samples.level("uptime").length, 150);
});

test("figures tell what the server tells, whatever it leaves out", () => {
  const samples = new Samples();
  samples.add(stats(10));
  samples.add(stats(12));
  const found = new Map(figures(samples, { size, brief }).map((one) => [one.name, one]));
  assert.equal(found.get("Commands")?.value, "5/s");
  assert.equal(found.get("Median time")?.value, "1 ms");
  assert.equal(found.get("CPU")?.value, "25 %");
  assert.equal(found.get("Handshakes")?.value, "10/s");
  assert.equal(found.get("Memory")?.value, "50 MB");
  assert.equal(found.get("Traffic")?.value, "10 B/s");
  assert.ok(!found.has("Jobs"));
  const empty = new Samples();
  empty.add(new Map());
  for (const { value } of figures(empty, { size, brief })) assert.ok(!/NaN|undefined|null/.test(value), value);
});

test("a line stays within its box", () => {
  assert.deepEqual(spark([]), { stroke: "", area: "" });
  assert.deepEqual(spark([1]), { stroke: "", area: "" });
  assert.equal(spark([0, 0]).stroke, "M0 29L100 29");
  assert.equal(spark([0, 10, 5]).stroke, "M0 29L50 1L100 15");
  assert.equal(spark([0, 10]).area, "M0 29L100 1V30H0Z");
  assert.equal(recent([]), 0);
  assert.equal(recent([100, 1, 2, 3, 4, 5]), 3);
});

/** A page without pixels, as far as asking needs it. */
class Doc extends EventTarget {
  hidden = false;
}
const page = new Doc();
Object.assign(globalThis, { document: page, reportError: assert.ifError });
const { live } = await import("../../secure_server/web/static/admin/page.js");

class Client extends EventTarget {
  status = { state: "connected" };
}

test("a slow answer never piles up questions", async () => {
  const client = new Client();
  let [asked, answer] = [0, () => {}];
  const { look, leave } = live(client, () => new Promise((resolve) => ((asked += 1), (answer = () => resolve(null)))), 1);
  assert.equal(asked, 1);
  look();
  look();
  assert.equal(asked, 1);
  answer();
  await new Promise(setImmediate);
  assert.equal(asked, 2); // once for all that was wanted meanwhile
  leave();
  answer();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(asked, 2);
});

test("nothing is asked while nobody looks or nothing is connected, and at once when that is over", async () => {
  const client = new Client();
  let asked = 0;
  page.hidden = true;
  const { leave } = live(client, async () => (asked += 1), 1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(asked, 0);
  page.hidden = false;
  client.status = { state: "waiting" };
  page.dispatchEvent(new Event("visibilitychange"));
  assert.equal(asked, 0);
  client.status = { state: "connected" };
  client.dispatchEvent(new Event("status"));
  assert.equal(asked, 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(asked > 1); // and goes on
  leave();
  const before = asked;
  page.dispatchEvent(new Event("visibilitychange"));
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(asked, before);
});

test("every sentence is there in Portuguese", () => {
  const place = new URL("../../secure_server/web/static/admin/", import.meta.url);
  const missing = new Set();
  for (const name of readdirSync(place)) {
    const text = readFileSync(new URL(name, place), "utf8");
    for (const [, ...said] of text.matchAll(/\btn?\(\s*"([^"]+)"(?:, "([^"]+)")?/g)) {
      for (const one of said) if (one && !(one in PT_BR || one in OF_PAGE || one in OF_CONSOLE)) missing.add(one);
    }
  }
  assert.deepEqual([...missing], []);
});

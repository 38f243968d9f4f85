// @ts-check
/** Jobs: all that one may see, and one with its output as it comes. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { go } from "../ui/router.js";
import { table } from "../ui/table.js";
import { failure, render } from "../ui/value.js";
import { t } from "../ui/words.js";
import { runsOf } from "./runs.js";

const EVERY = 5000; // milliseconds between looks at the list, while it is seen
const KINDS = /** @type {Record<string, string>} */ ({ done: "good", running: "accent", queued: "warn", failed: "bad", lost: "bad", "timed-out": "bad", cancelled: "warn" });

/** @typedef {import("../wire/client.js").Client} Client */

/**
 * A place that shows an answer, and asks for it again when the connection is back.
 *
 * @param {Client} client @param {() => string[]} words @param {(reply: any) => Node} draw
 */
function asking(client, words, draw) {
  const node = h("div", { class: "stack" }, h("span", { class: "spinner", role: "status", "aria-label": t("Loading") }));
  let busy = false;

  async function look() {
    if (busy || client.status.state !== "connected") return;
    busy = true;
    const said = words();
    const reply = await client.run(said, { idempotent: true }).done.then(draw).catch(failure);
    if (node.firstChild !== reply) replace(node, reply);
    busy = false;
    if (said.join() !== words().join()) look();
  }

  client.addEventListener("status", look);
  look();
  return { node, look, leave: () => client.removeEventListener("status", look) };
}

/** @type {import("../ui/router.js").View} */
export function jobsView(client) {
  const described = client.catalogue.find(["JOBS"]);
  const states = described?.arguments.find((/** @type {any} */ { name }) => name === "state")?.choices ?? [];
  const state = h("select", { "aria-label": t("State"), onchange: () => shown.look() },
    h("option", { value: "" }, t("All states")), states.map((/** @type {string} */ one) => h("option", { value: one }, t(one))));
  /** @type {ReturnType<typeof table> | null} */
  let list = null;
  const shown = asking(client, () => ["JOBS", ...(state.value ? ["--state", state.value] : [])], (rows) => {
    if (list) list.update(rows);
    const keys = described?.columns.length ? described.columns : [...(rows[0]?.keys() ?? ["job"])].map(String);
    const badge = (/** @type {unknown} */ one) => h("span", { class: `badge ${KINDS[String(one)] ?? ""}` }, t(String(one)));
    const columns = keys.map((/** @type {string} */ key) => ({ key, minor: described?.minor.includes(key), ...(key === "state" ? { render: badge } : {}) }));
    list ??= table(columns, rows, { key: keys[0], caption: t("Jobs"), empty: t("There are no jobs."), onRow: (row) => go(["jobs", String(/** @type {Map<any, any>} */ (row).get(keys[0]))]) });
    return list;
  });
  const timer = setInterval(() => document.hidden || shown.look(), EVERY);
  const tools = h("div", { class: "toolbar" }, states.length ? state : null, h("button", { type: "button", onclick: shown.look }, icon("again"), t("Refresh")));
  const node = h("section", { class: "page" }, h("header", { class: "page-head" }, h("h1", null, t("Jobs")), tools), shown.node);
  return { node, leave: () => (clearInterval(timer), shown.leave()) };
}

/** @type {import("../ui/router.js").View} */
export function jobView(client, { number }) {
  const title = t("Job {number}", { number });
  const facts = asking(client, () => ["JOB", "SHOW", number], (reply) => h("div", { class: "card" }, render(reply)));
  const back = h("a", { class: "small", href: "#/jobs" }, t("All jobs"));
  const head = h("header", { class: "page-head" }, back, h("h1", null, title));
  const card = /^[1-9]\d{0,14}$/.test(number) ? runsOf(client).attach(Number(number)) : null;
  card?.run?.done.catch(() => {}).then(facts.look);
  return { node: h("section", { class: "page" }, head, card?.moved, facts.node), title, leave: facts.leave };
}

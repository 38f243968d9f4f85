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

/** @param {unknown} state */
const badge = (state) => h("span", { class: `badge ${KINDS[String(state)] ?? ""}` }, t(String(state)));

/** @type {import("../ui/router.js").View} */
export function jobsView(client) {
  const place = h("div", { class: "stack" }, h("span", { class: "spinner", role: "status", "aria-label": t("Loading") }));
  const again = h("button", { type: "button", onclick: look }, icon("again"), t("Refresh"));
  const node = h("section", { class: "page" }, h("header", { class: "page-head" }, h("h1", null, t("Jobs")), h("div", { class: "toolbar" }, again)), place);
  /** @type {any} */
  let shown = null;
  let busy = false;
  const timer = setInterval(() => document.hidden || look(), EVERY);

  async function look() {
    if (busy || client.status.state !== "connected") return;
    busy = true;
    try {
      const rows = await client.run(["JOBS"], { idempotent: true }).done;
      const described = client.catalogue.find(["JOBS"]);
      if (shown) shown.update(rows);
      else {
        const keys = described?.columns?.length ? described.columns : [...(rows[0]?.keys() ?? ["job"])].map(String);
        const columns = keys.map((/** @type {string} */ key) => ({ key, minor: described?.minor?.includes(key), ...(key === "state" ? { render: badge } : {}) }));
        const identity = keys[0];
        shown = table(columns, rows, { key: identity, caption: t("Jobs"), empty: described?.empty || t("There are no jobs."), onRow: (row) => go(["jobs", String(/** @type {Map<any, any>} */ (row).get(identity))]) });
        replace(place, shown);
      }
    } catch (error) {
      shown = null;
      replace(place, failure(/** @type {any} */ (error)));
    } finally {
      busy = false;
    }
  }

  client.addEventListener("status", look);
  look();
  return {
    node,
    leave() {
      clearInterval(timer);
      client.removeEventListener("status", look);
    },
  };
}

/** @type {import("../ui/router.js").View} */
export function jobView(client, { number }) {
  const title = t("Job {number}", { number });
  const facts = h("div", { class: "card" }, h("span", { class: "spinner", role: "status", "aria-label": t("Loading") }));
  const again = h("button", { type: "button", onclick: rerun }, icon("again"), t("Run again"));
  const back = h("a", { class: "small", href: "#/jobs" }, t("All jobs"));
  const place = h("div", { class: "stack" });
  const node = h("section", { class: "page" }, h("header", { class: "page-head" }, back, h("h1", null, title), h("div", { class: "toolbar" }, again)), place, facts);
  const job = Number(number);
  let asks = false;

  async function look() {
    if (asks || client.status.state !== "connected") return;
    asks = true;
    try {
      replace(facts, render(await client.run(["JOB", "SHOW", number], { idempotent: true }).done));
    } catch (error) {
      replace(facts, failure(/** @type {any} */ (error)));
    } finally {
      asks = false;
    }
  }

  async function rerun() {
    const command = client.catalogue.find(["JOB", "RERUN"]);
    await runsOf(client).start({ command, values: { job: [number] }, words: ["JOB", "RERUN", number], line: `JOB RERUN ${number}` });
    location.hash = "#/";
  }

  if (Number.isSafeInteger(job)) {
    const card = runsOf(client).attach(job);
    replace(place, card.node);
    card.run?.done.finally(look).catch(() => {});
  }
  client.addEventListener("status", look);
  look();
  return {
    node,
    title,
    leave() {
      client.removeEventListener("status", look);
      const runs = runsOf(client).node;
      for (const one of place.children) runs.prepend(one);
    },
  };
}


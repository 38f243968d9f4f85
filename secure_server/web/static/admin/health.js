// @ts-check
/** What holds, and what is wrong: configuration, the doctor's findings, draining. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { href } from "../ui/router.js";
import { t } from "../ui/words.js";
import { act } from "./act.js";
import { badge } from "./amounts.js";
import { list } from "./list.js";
import { answer, page, section } from "./page.js";
import { at } from "./points.js";

const SEVERITIES = /** @type {Record<string, string>} */ ({ error: "bad", warning: "warn" });

/** @type {import("../ui/router.js").View} */
export function configuration(client, { query }) {
  const code = (/** @type {any} */ text) => h("code", null, text ?? "–");
  const cells = { key: code, value: code, default: code, running: code, file: code, from: badge };
  const forms = ["CONFIG CHECK", "CONFIG RELOAD", "CONFIG SET", "CONFIG UNSET"].filter((name) => client.catalogue.find(name.split(" ")));
  const links = forms.map((name) => h("a", { class: "button", href: href(["run", name]) }, name));
  return page(t("Configuration"), { lead: t("What holds now, and where it comes from."), tools: links },
    section(t("The file says otherwise"), list(client, { command: "CONFIG DIFF", key: "key", cells })), section(t("What holds"), list(client, { command: "CONFIG SHOW", query, key: "key", cells })));
}

/** @type {import("../ui/router.js").View} */
export function health(client) {
  const doctor = answer(client, ["SERVER", "DOCTOR"], (place, rows) => {
    const found = rows.map((/** @type {Map<string, any>} */ row) => h("li", { class: `alert ${SEVERITIES[row.get("severity")] ?? ""}` },
      h("p", { class: "row" }, badge(row.get("severity")), h("strong", null, row.get("about"))), h("p", null, row.get("finding")), row.get("remedy") && h("p", { class: "small" }, icon("right"), row.get("remedy"))));
    replace(place, found.length ? h("ul", { class: "list" }, found) : h("p", { class: "alert good" }, client.catalogue.find(["SERVER", "DOCTOR"])?.empty));
  });
  const again = h("button", { type: "button", onclick: doctor.look }, icon("again"), t("Look again"));
  return page(t("Health"), { tools: again }, draining(client), section(t("What the doctor finds"), doctor));
}

/** Whether the server takes everybody in, and what changes that. @param {any} client */
function draining(client) {
  if (!client.catalogue.find(["SERVER", "STATS"])) return null;
  let was = "";
  const part = answer(client, ["SERVER", "STATS"], (place, stats) => {
    const drains = Boolean(at(stats, "draining"));
    const state = `${drains} ${drains && at(stats, "connections.clients")}`;
    if (state === was && place.children.length > 1) return; // a button that has the focus keeps it
    was = state;
    const done = () => part.look();
    const text = drains ? t("This server is draining: it takes in nobody but administrators. Clients that are left: {count}", { count: at(stats, "connections.clients") }) : t("This server takes everybody in.");
    const button = drains
      ? act(client, "SERVER DRAIN", { text: t("Take everybody in again"), title: t("Take everybody in again: {server}", { server: location.host }), values: { cancel: ["yes"] }, done })
      : act(client, "SERVER DRAIN", { text: t("Drain"), danger: true, fields: ["within", "retry-after"], done });
    replace(place, h("p", { class: `alert ${drains ? "warn" : "good"}` }, text), h("div", { class: "row" }, button));
  }, { every: 2000 });
  return section(t("Draining"), part);
}

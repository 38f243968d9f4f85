// @ts-check
/** Who may come: tokens, bans, penalties, certificates. */

import { dialog } from "../ui/dialog.js";
import { h, replace } from "../ui/dom.js";
import { failure, render } from "../ui/value.js";
import { t } from "../ui/words.js";
import { act } from "./act.js";
import { list } from "./list.js";
import { page, section, waiting } from "./page.js";

const EVERY = 10_000; // milliseconds

/** Show what a command answers above the page. @param {any} client @param {string} title @param {string[]} words */
async function tell(client, title, words) {
  const place = h("div", { class: "stack" }, waiting());
  dialog(title, place);
  try {
    replace(place, render(await client.run(words, { idempotent: true }).done));
  } catch (/** @type {any} */ error) {
    replace(place, failure(error));
  }
}

/** @type {import("../ui/router.js").View} */
export function tokens(client) {
  const shown = list(client, {
    command: "TOKENS",
    columns: ["id", "name", "role", "state", "expires", "last_used", "sessions"], // a row opens all of it
    key: "id",
    every: EVERY,
    onRow: (row) => tell(client, String(row.get("name")), ["TOKEN", "SHOW", row.get("id")]),
    actions: (row, look) => row.get("state") === "active" && h("span", { class: "row" },
      act(client, "TOKEN ROTATE", { text: t("Rotate"), small: true, values: { name: [row.get("name")] }, fields: ["grace"], about: whose(row), keep: t("The new token of {name}", { name: row.get("name") }), done: look }),
      act(client, "TOKEN REVOKE", { text: t("Revoke"), small: true, danger: true, values: { "name-or-id": [row.get("id")] }, about: whose(row), done: look })),
  });
  const [fields, more] = [["name", "role", "expires"], ["max-sessions", "rate", "allow", "networks"]];
  const done = () => shown?.look();
  const link = act(client, "TOKEN CREATE", {
    text: t("Invite by a link"), icon: "plus", title: t("A link to this page: {server}", { server: location.host }), fields, more: [...more, "within", "host", "port"],
    values: { web: ["yes"], ...place() }, keep: t("The link to sign in"), done,
  });
  link?.classList.add("primary");
  const plainly = act(client, "TOKEN CREATE", { text: t("Make a token"), icon: "token", fields, more: [...more, "once"], keep: t("The token"), done });
  return page(t("Tokens"), { lead: t("Whoever shows a token is who it names. A link is good once, and is exchanged for a lasting token at this page."), tools: [link, plainly] }, shown);
}

/** Where the page is found, for a link; through a tunnel the server knows better. @returns {Record<string, string[]>} */
function place() {
  const host = location.hostname.replace(/^\[|\]$/g, "");
  return /^(localhost|127\..*|::1)$/.test(host) ? {} : { host: [host], port: [location.port || "443"] };
}

/** @param {Map<string, any>} row */
const whose = (row) => h("p", null, h("strong", null, row.get("name")), ` · ${row.get("id")} · ${row.get("role")}`);

/** @type {import("../ui/router.js").View} */
export function bans(client) {
  const banned = list(client, {
    command: "BAN LIST",
    key: "id",
    every: EVERY,
    actions: (row, look) => act(client, "BAN REMOVE", { text: t("Remove"), small: true, values: { ban: [String(row.get("id"))] }, about: h("p", { class: "mono" }, row.get("ban")), done: look }),
  });
  const penalties = list(client, {
    command: "PENALTY LIST",
    key: "netblock",
    every: EVERY,
    actions: (row, look) => h("span", { class: "row" },
      client.catalogue.find(["PENALTY", "EXPLAIN"]) && h("button", { type: "button", class: "small", onclick: () => tell(client, row.get("netblock"), ["PENALTY", "EXPLAIN", String(row.get("netblock")).split("/")[0]]) }, t("Explain")),
      act(client, "PENALTY CLEAR", { text: t("Clear"), small: true, values: { netblock: [row.get("netblock")] }, about: h("p", { class: "mono" }, row.get("netblock")), done: look })),
  });
  const add = act(client, "BAN ADD", { text: t("Ban"), icon: "ban", danger: true, fields: ["what", "for", "reason", "yes"], done: () => banned?.look() });
  const clear = act(client, "PENALTY CLEAR", { text: t("Clear all"), values: { netblock: ["all"] }, done: () => penalties?.look() });
  return page(t("Bans"), { lead: t("Who is kept out: by an administrator, or for having failed to sign in.") }, why(client), section(t("Bans"), banned, add), section(t("Penalties"), penalties, clear));
}

/** Why somebody is kept out. @param {any} client */
function why(client) {
  if (!client.catalogue.find(["SERVER", "WHY"])) return null;
  const who = h("input", { "aria-label": t("An address, or a user's name"), placeholder: t("An address, or a user's name"), autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const ask = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (who.value.trim()) tell(client, who.value.trim(), ["SERVER", "WHY", who.value.trim()]);
  };
  return h("form", { class: "card", onsubmit: ask }, h("h2", null, t("Why can somebody not sign in?")), h("div", { class: "with-button" }, who, h("button", null, t("Explain"))));
}

/** @type {import("../ui/router.js").View} */
export function certificates(client) {
  const served = list(client, { command: "CERT SHOW", key: "fingerprint", every: EVERY, cells: { fingerprint: (text) => h("code", { title: text }, String(text).slice(0, 16)) } });
  const revoked = list(client, {
    command: "CERT REVOKED",
    key: "name",
    every: EVERY,
    actions: (row, look) => act(client, "CERT RESTORE", { text: t("Restore"), small: true, values: { name: [row.get("name")] }, about: h("p", null, h("strong", null, row.get("name"))), done: look }),
  });
  const reload = act(client, "CERT RELOAD", { text: t("Reload"), icon: "again", done: () => served?.look() });
  const revoke = act(client, "CERT REVOKE", { text: t("Revoke"), icon: "ban", danger: true, fields: ["name"], done: () => revoked?.look() });
  return page(t("Certificates"), {}, section(t("What this server shows"), served, reload), section(t("Client certificates that are refused"), revoked, revoke));
}

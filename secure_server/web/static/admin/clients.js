// @ts-check
/** Clients: those that are connected, those that have left, and one in full. */

import { h, replace } from "../ui/dom.js";
import { go, href } from "../ui/router.js";
import { table } from "../ui/table.js";
import { cell, plain, render } from "../ui/value.js";
import { t } from "../ui/words.js";
import { parse } from "../wire/line.js";
import { act } from "./act.js";
import { columnsOf } from "./amounts.js";
import { list } from "./list.js";
import { answer, page } from "./page.js";
import { hostOf } from "./requests.js";

const EVERY = 2000; // milliseconds
const TITLES = /** @type {Record<string, string>} */ ({ waiting: "Under way", timeline: "Timeline", last: "Last commands", limits: "Limits", token: "Token", certificate: "Certificate", penalty: "Penalty", jobs: "Jobs" });
const KICK = ["reason", "retry-after", "ban", "by"];

/** @param {string} shown */
const tabs = (shown) => h("div", { class: "tabs", role: "tablist" }, [["clients", t("Connected now")], ["closed", t("Left")]].map(([path, text]) =>
  h("a", { class: "button", role: "tab", href: `#/admin/${path}`, "aria-selected": String(path === shown) }, text)));

/** @type {import("../ui/router.js").View} */
export function clients(client, { query }) {
  const shown = list(client, {
    command: "CLIENTS",
    query,
    columns: ["id", "user", "role", "address", "connected", "idle", "commands", "bytes", "last"],
    key: "id",
    pages: "after",
    every: EVERY,
    cells: { id: (number) => linked(client, number) },
    onRow: (row) => go(["admin", "clients", String(row.get("id"))]),
    actions: (row, look) => act(client, "KICK", { text: t("Kick"), danger: true, small: true, values: { whom: [String(row.get("id"))] }, fields: KICK, about: about(row), done: look }),
  });
  const filter = () => parse(shown?.filter() ?? "").words;
  const tools = [
    act(client, "BROADCAST", { text: t("Broadcast"), icon: "horn", fields: ["text", "role", "to"], values: () => ({ to: [shown?.filter() ?? ""] }) }),
    act(client, "KICK", { text: t("Kick by filter"), icon: "leave", danger: true, fields: () => (filter().length ? KICK : ["whom", ...KICK]), values: () => ({ whom: filter().slice(0, 1), more: filter().slice(1) }), about: () => h("p", { class: "mono" }, shown?.filter()), done: () => shown?.look() }),
  ];
  return page(t("Clients"), { tools, tabs: tabs("clients") }, shown);
}

/** @type {import("../ui/router.js").View} */
export function closed(client, { query }) {
  const shown = list(client, {
    command: "CLIENTS",
    words: ["--closed"],
    query,
    columns: ["id", "user", "address", "closed", "seconds", "commands", "last", "reason"],
    key: "id",
    pages: "after",
    every: 5 * EVERY,
    actions: (row) => h("a", { class: "button small", href: href(["admin", "audit"], { filter: `session=${row.get("id")}` }) }, t("Its records")),
  });
  return page(t("Clients"), { tabs: tabs("closed") }, shown);
}

/** @param {any} client @param {number} number */
const linked = (client, number) => h("span", { class: "keep" }, number === client.account?.session && [h("span", { class: "badge accent" }, t("you")), " "], h("a", { href: href(["admin", "clients", String(number)]) }, number));

/** Whom something is done to. @param {Map<string, any>} row */
const about = (row) => h("p", null, h("strong", null, row.get("user") || "–"), ` · ${row.get("id")} · ${plain(row.get("address"))}`);

/** @type {import("../ui/router.js").View} */
export function clientView(client, { id }) {
  const tools = h("span", { class: "row" });
  /** @type {Map<string, {text: string, card: Element}>} */
  const cards = new Map();
  const [facts, maps, tables] = [h("div", null), h("div", { class: "cards" }), h("div", { class: "stack" })];
  const whole = answer(client, ["CLIENT", "SHOW", id], draw, { every: EVERY, last: true });
  const records = [["audit", `session=${id}`, t("Its records")], ["events", `id=${id}`, t("Watch it")]];
  const links = records.map(([path, filter, text]) => h("a", { class: "button", href: href(["admin", path], { filter }) }, text));
  const back = h("a", { class: "small", href: "#/admin/clients" }, t("All clients"));
  return page(t("Client {id}", { id }), { back, tools: [tools, links] }, whole);

  /** @param {Element} place @param {Map<string, any>} value */
  function draw(place, value) {
    if (!tools.hasChildNodes()) replace(tools, buttons(value));
    if (facts.parentNode !== place) replace(place, facts, maps, tables);
    const isPart = (/** @type {any} */ item) => typeof item === "object" && item !== null;
    /** @type {Map<string, any>} */
    const parts = new Map([["", new Map([...value].filter(([, item]) => !isPart(item)))], ...[...value].filter(([, item]) => isPart(item) && (item.size ?? item.length))]);
    for (const [name, item] of parts) {
      const text = plain(item);
      const was = cards.get(name);
      if (was?.text === text) continue; // what did not change stays as it is, unfolded, selected or not
      const card = h("section", { class: "card" }, name && h("h2", null, t(TITLES[name] ?? name)), shown(name, item));
      if (was) was.card.replaceWith(card);
      else (name === "" ? facts : Array.isArray(item) ? tables : maps).append(card);
      cards.set(name, { text, card });
    }
    for (const [name, { card }] of cards) if (!parts.has(name) && cards.delete(name)) card.remove();
  }

  /** @param {string} name @param {any} item */
  function shown(name, item) {
    if (Array.isArray(item) && item.every((one) => one instanceof Map)) {
      const keys = [...new Set(item.flatMap((one) => [...one.keys()]))];
      const cells = { job: (/** @type {any} */ number) => h("a", { href: `#/jobs/${number}` }, number) };
      return table(columnsOf(keys, name === "jobs" ? cells : {}), name === "last" ? [...item].reverse() : item, { caption: name });
    }
    if (!(item instanceof Map)) return render(item);
    const columns = columnsOf([...item.keys()]);
    return h("dl", { class: name ? "facts" : "facts form" }, columns.map(({ key, render: drawn }) => h("div", null, h("dt", null, key), h("dd", null, drawn ? drawn(item.get(key), item) : cell(item.get(key))))));
  }

  /** @param {Map<string, any>} value */
  function buttons(value) {
    const [user, address] = [value.get("user"), hostOf(String(value.get("address") ?? ""))];
    const whom = about(value);
    return [
      act(client, "KICK", { text: t("Kick"), icon: "leave", danger: true, values: { whom: [id] }, fields: KICK, about: whom.cloneNode(true) }),
      user && ban(client, `user=${user}`, t("Ban the user")),
      address && ban(client, `address=${address}`, t("Ban the address")),
      act(client, "BROADCAST", { text: t("Send a message"), icon: "horn", values: { id: [id] }, fields: ["text"], about: whom }),
    ];
  }
}

/** @param {any} client @param {string} what @param {string} text */
const ban = (client, what, text) => act(client, "BAN ADD", { text, icon: "ban", danger: true, values: { what: [what] }, fields: ["for", "reason", "yes"], about: h("p", { class: "mono" }, what) });

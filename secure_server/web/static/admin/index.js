// @ts-check
/** What administrators see: views on commands of the server, each there for whoever may run its command. */

import { h } from "../ui/dom.js";
import { learn, t } from "../ui/words.js";
import { bans, certificates, tokens } from "./access.js";
import { clientView, clients, closed } from "./clients.js";
import { configuration, health } from "./health.js";
import { page, where } from "./page.js";
import { PT_BR } from "./pt-br.js";
import { audit, events, log } from "./records.js";
import { statistics } from "./statistics.js";

learn(PT_BR);

/** @type {[path: string, command: string, name: string, icon: string, view: import("../ui/router.js").View][]} */
const VIEWS = [
  ["clients", "CLIENTS", "Clients", "clients", clients],
  ["tokens", "TOKENS", "Tokens", "token", tokens],
  ["bans", "BAN LIST", "Bans", "ban", bans],
  ["certificates", "CERT SHOW", "Certificates", "certificate", certificates],
  ["audit", "SERVER AUDIT", "Audit trail", "shield", audit],
  ["log", "SERVER LOG", "Log", "file", log],
  ["events", "SERVER WATCH", "Events", "eye", events],
  ["statistics", "SERVER STATS", "Statistics", "chart", statistics],
  ["configuration", "CONFIG SHOW", "Configuration", "settings", configuration],
  ["health", "SERVER DOCTOR", "Health", "warning", health],
];

/** @param {typeof import("../ui/router.js").route} route */
export function register(route) {
  route("/admin", elsewhere);
  for (const [path, command, name, , view] of VIEWS) route(`/admin/${path}`, where(command, name, view));
  route("/admin/closed", where("CLIENTS", "Clients", closed));
  route("/admin/clients/:id", where("CLIENT SHOW", "Clients", clientView));
}

/** @param {any} client @returns {import("../ui/shell.js").Link[]} */
export function links(client) {
  const group = t("Administration");
  if (isElsewhere(client)) return [{ href: "#/admin", text: group, icon: "shield", group }];
  const there = VIEWS.filter(([, command]) => client.catalogue.find(command.split(" ")));
  const under = ["/admin/closed"];
  return there.map(([path, , name, icon]) => ({ href: `#/admin/${path}`, text: t(name), icon, group, under: path === "clients" ? under : [] }));
}

/** Whether somebody is an administrator, though not from where they are. @param {any} client */
const isElsewhere = ({ account }) => account?.ownRole === "admin" && account.role !== "admin";

/** @type {import("../ui/router.js").View} */
function elsewhere(client) {
  const { user, role } = client.account;
  const said = isElsewhere(client)
    ? t("The token of {user} is an administrator's, but from the address that you come by it acts as {role}. From where administrators may come is said by admin.networks in the server's configuration.", { user, role })
    : t("What there is for you stands in the navigation.");
  return page(t("Administration"), {}, h("p", { class: isElsewhere(client) ? "alert warn" : "alert" }, said));
}

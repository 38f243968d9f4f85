// @ts-check
/** The commands, to search and to choose. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { href } from "../ui/router.js";
import { t, tn } from "../ui/words.js";
import { line } from "./line.js";
import { runsOf } from "./runs.js";

/** @typedef {import("./words.js").Command} Command */

/** Commands that are about the connection, which the page keeps by itself. */
const OURS = /^(AUTH|HELLO|RESET|EXIT|QUIT|ENROLL|CANCEL|DETACH|NOTIFY|LANG|COMMANDS?|COMPLETE|CLIENT (REPLY|ID|GETNAME|SETNAME|SETINFO)|PREVIEW .*)( |$)/;

/** Those that all the words of a search are found in. @param {Command[]} commands @param {string} search */
export function matching(commands, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter(({ name }) => !OURS.test(name)).filter(({ name, summary, group }) => {
    const all = `${name} ${summary} ${group}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  const first = words[0] ?? "";
  const rank = (/** @type {Command} */ { name }) => (first && name.toLowerCase().startsWith(first) ? 0 : 1);
  return found.sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}

/** @type {import("../ui/router.js").View} */
export function listView(client) {
  const search = h("input", { type: "search", placeholder: t("Search the commands"), "aria-label": t("Search the commands"), autocomplete: "off", oninput: draw, onkeydown: move });
  const found = h("div", { class: "stack", "aria-live": "off" });
  const count = h("p", { class: "unseen", role: "status" });
  const runs = runsOf(client);
  const typed = line(client, runs);

  function draw() {
    const commands = matching(client.catalogue.commands, search.value);
    /** @type {Map<string, Command[]>} */
    const groups = new Map();
    for (const command of commands) {
      const group = command.group || t("Commands of this server");
      groups.set(group, [...(groups.get(group) ?? []), command]);
    }
    const own = t("Commands of this server");
    const ordered = [...groups].sort(([one], [other]) => Number(other === own) - Number(one === own));
    const parts = ordered.map(([group, list]) => [h("h2", { class: "group-title" }, group), h("ul", { class: "list cards" }, list.map(item))]);
    const none = client.catalogue.commands.length ? t("No command matches.") : t("The list of commands is on its way.");
    replace(found, parts.length ? parts : h("p", { class: "muted none" }, none));
    replace(count, tn("{count} command", "{count} commands", commands.length));
  }

  /** Down from the search leads into the list, and Enter takes the first. @param {KeyboardEvent} event */
  function move(event) {
    const first = /** @type {HTMLElement | null} */ (found.querySelector("a"));
    if (!first || (event.key !== "ArrowDown" && event.key !== "Enter")) return;
    event.preventDefault();
    if (event.key === "Enter") first.click();
    else first.focus();
  }

  client.addEventListener("catalogue", draw);
  draw();
  const node = h("section", { class: "page" }, h("header", { class: "page-head" }, h("h1", null, t("Commands"))), typed.node, runs.place,
    h("div", { class: "with-icon" }, icon("search"), search), count, found);
  return {
    node,
    leave() {
      client.removeEventListener("catalogue", draw);
      typed.leave();
    },
  };
}

/** @param {Command} command */
function item(command) {
  const marks = [
    command.danger ? h("span", { class: "badge bad" }, t("may do harm")) : null,
    command.job ? h("span", { class: "badge accent" }, t("job")) : null,
  ];
  return h("li", null, h("a", { class: "item", href: href(["run", command.name]) },
    h("span", { class: "item-title mono" }, command.name), h("span", { class: "row end" }, marks), h("span", { class: "item-text" }, command.summary)));
}

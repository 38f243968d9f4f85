// @ts-check
/** The commands, to search and to choose. */

import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { href } from "../ui/router.js";
import { t, tn } from "../ui/words.js";
import { matching } from "./hint.js";
import { line } from "./line.js";
import { runsOf } from "./runs.js";

/** @typedef {import("./words.js").Command} Command */

/** @type {import("../ui/router.js").View} */
export function listView(client) {
  const label = t("Search the commands");
  const search = h("input", { type: "search", placeholder: label, "aria-label": label, autocomplete: "off", oninput: draw, onkeydown: move });
  const found = h("div", { class: "stack" });
  const count = h("p", { class: "unseen", role: "status" });
  const runs = runsOf(client);
  const typed = line(runs);

  function draw() {
    const { commands } = client.catalogue;
    const own = t("Commands of this server");
    const chosen = matching(commands, search.value);
    /** @type {Map<string, Command[]>} */
    const groups = new Map([[own, []]]); // first of all
    for (const command of chosen) groups.set(command.group || own, [...(groups.get(command.group || own) ?? []), command]);
    const parts = [...groups].filter(([, list]) => list.length > 0).map(([group, list]) => [h("h2", { class: "group-title" }, group), h("ul", { class: "cards" }, list.map(item))]);
    const none = commands.length ? t("No command matches.") : t("The list of commands is on its way.");
    replace(found, parts.length ? parts : h("p", { class: "muted none" }, none));
    replace(count, tn("{count} command", "{count} commands", chosen.length));
  }

  /** Down from the search leads into the list, and Enter takes the first. @param {KeyboardEvent} event */
  function move(event) {
    const first = found.querySelector("a");
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
function item({ name, summary, danger, job }) {
  const marks = [danger && h("span", { class: "badge bad" }, t("may do harm")), job && h("span", { class: "badge accent" }, t("job"))];
  return h("li", null, h("a", { class: "item", href: href(["run", name]) },
    h("span", { class: "item-title mono" }, name), h("span", { class: "row end" }, marks), h("span", { class: "item-text" }, summary)));
}

// @ts-check
/** What is around the views for who is signed in: head, navigation, the connection's state. */

import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { notices } from "./notices.js";
import { preferences } from "./preferences.js";
import { here, start } from "./router.js";
import { brand } from "./signin.js";
import { status } from "./status.js";
import { t } from "./words.js";

/**
 * @typedef {{href: string, text: string, icon: string, group?: string, under?: string[]}} Link
 *     of the navigation: `href` as `#/jobs`; `under`: other paths that belong to it, such as `/run/`
 */

const ROLES = { admin: "accent", operator: "warn", user: "" };

/**
 * @param {any} client signed in
 * @param {(client: any) => Link[]} links asked again when the catalogue has changed
 * @param {() => void} again draws the page anew
 * @returns {{nodes: Node[], begin: () => void, leave: () => void}}
 */
export function shell(client, links, again) {
  const { chip, banner, leave } = status(client);
  const { bell, place } = notices();
  const main = h("main", { id: "main", tabindex: -1 });
  const list = h("ul", null);
  const more = h("button", { type: "button", class: "quiet more", "aria-expanded": "false", onclick: () => fold(more.ariaExpanded === "true") }, icon("more"), t("More"));
  const nav = h("nav", { class: "side", "aria-label": t("Navigation") }, list, more);
  const badge = h("span", { class: "badge" });
  const facts = h("p", { class: "small muted" });
  const menu = h("div", { id: "account", class: "card menu", popover: "auto" },
    h("p", { class: "row" }, h("strong", null, client.account.user), badge), facts, preferences(client, again),
    h("button", { type: "button", onclick: () => client.signOut() }, icon("leave"), t("Sign out")));
  const who = h("button", { type: "button", class: "quiet who", popovertarget: "account", "aria-label": t("Account: {user}", { user: client.account.user }) }, icon("user"), h("span", null, client.account.user));
  const skip = h("button", { type: "button", class: "skip", onclick: () => main.focus() }, t("Skip to the content"));
  const head = h("header", { class: "top" }, brand(), chip, h("span", { class: "end row" }, bell, who, menu));

  /** @param {boolean} closed */
  function fold(closed) {
    more.ariaExpanded = String(!closed);
    nav.classList.toggle("open", !closed);
  }

  function account() {
    const { role, ownRole, session, server } = client.account ?? {};
    badge.className = `badge ${ROLES[/** @type {"user"} */ (role)] ?? ""}`;
    badge.textContent = role ?? "";
    facts.textContent = t("Session {session} at {server}", { session, server });
    if (ownRole && ownRole !== role) facts.textContent += ` · ${t("The token is of role {ownRole}, which it is not from here.", { ownRole })}`;
  }

  function navigation() {
    let group = "";
    const found = links(client);
    replace(list, found.map((link) => {
      const title = link.group && link.group !== group ? h("li", { class: "group-title" }, link.group) : null;
      group = link.group ?? "";
      return [title, h("li", null, h("a", { href: link.href, "data-under": (link.under ?? []).join(" ") }, icon(link.icon), h("span", null, link.text)))];
    }));
    more.hidden = found.length <= 4;
    mark();
  }

  function mark() {
    const path = here();
    for (const link of list.querySelectorAll("a")) {
      const own = link.hash.slice(1);
      const under = (link.dataset.under ?? "").split(" ").some((prefix) => prefix && path.startsWith(prefix));
      link.ariaCurrent = path === own || under || (own !== "/" && path.startsWith(`${own}/`)) ? "page" : null;
    }
    fold(true);
  }

  client.addEventListener("catalogue", navigation);
  client.addEventListener("account", account);
  account();
  navigation();
  return {
    nodes: [skip, head, banner, h("div", { class: "body" }, nav, main), place],
    /** Show the views, once the nodes are on the page. */
    begin: () => start(main, client, mark),
    leave() {
      start(null);
      leave();
      client.removeEventListener("catalogue", navigation);
      client.removeEventListener("account", account);
    },
  };
}

// @ts-check
/** What these views have in common: they ask while they are seen, and are there where their commands are. */

import { h, replace } from "../ui/dom.js";
import { failure } from "../ui/value.js";
import { t } from "../ui/words.js";

/** @typedef {{node: Element, look?: () => void, leave?: () => void}} Part of a view */

/**
 * Ask now, and again while it is seen: never before the last answer came, nor while the tab is hidden or nothing is
 * connected; at once when that is over.
 *
 * @param {any} client
 * @param {() => Promise<unknown>} ask
 * @param {number} [every] milliseconds between an answer and the next question; 0 asks no more by itself
 */
export function live(client, ask, every = 0) {
  let [busy, wanted, over] = [false, false, false];
  /** @type {any} */
  let timer;

  async function look() {
    clearTimeout(timer);
    wanted = true;
    if (busy || over || document.hidden || client.status.state !== "connected") return;
    [busy, wanted] = [true, false];
    await ask().catch(reportError);
    busy = false;
    if (wanted) look();
    else if (every && !over) timer = setTimeout(look, every);
  }

  document.addEventListener("visibilitychange", look);
  client.addEventListener("status", look);
  look();
  return {
    look,
    leave() {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
      client.removeEventListener("status", look);
    },
  };
}

/**
 * A place for what a command answers, or why it does not.
 *
 * @param {any} client
 * @param {string[]} words
 * @param {(place: Element, value: any) => void} draw
 * @param {{every?: number, last?: boolean}} [options] `last`: when the server refuses it is not asked again
 * @returns {Required<Part>}
 */
export function answer(client, words, draw, { every = 0, last = false } = {}) {
  const node = h("div", { class: "stack" }, waiting());
  const { look, leave } = live(client, async () => {
    try {
      draw(node, await client.run(words, { idempotent: true }).done);
    } catch (/** @type {any} */ error) {
      replace(node, failure(error));
      if (last && error.code === "ERR") leave();
    }
  }, every);
  return { node, look, leave };
}

export const waiting = () => h("span", { class: "spinner", role: "status", "aria-label": t("Loading") });

/**
 * A view from its parts, which are left with it.
 *
 * @param {string} title
 * @param {{lead?: string, back?: Node, tools?: import("../ui/dom.js").Child, tabs?: import("../ui/dom.js").Child}} head
 * @param {...(Part | Node | null | false)} parts
 * @returns {import("../ui/router.js").Shown}
 */
export function page(title, { lead, back, tools, tabs }, ...parts) {
  const there = parts.flatMap((part) => part || []);
  const header = h("header", { class: "page-head" }, back, h("h1", null, title), lead && h("p", { class: "lead" }, lead), tools && h("div", { class: "toolbar" }, tools));
  const node = h("section", { class: "page" }, header, tabs, there.map((part) => (part instanceof Node ? part : part.node)));
  const leave = () => there.forEach((part) => part instanceof Node || part.leave?.());
  return { node, title, leave };
}

/** A part under a heading of its own. @param {string} title @param {Part | null} part @param {import("../ui/dom.js").Child} [tools] */
export function section(title, part, tools = null) {
  if (!part) return null;
  const head = h("div", { class: "card-head" }, h("h2", null, title), h("div", { class: "row" }, tools));
  return { ...part, node: h("section", { class: "stack" }, head, part.node) };
}

/**
 * A view that is there once its command is, and drawn anew when there are other commands.
 *
 * @param {string} command
 * @param {string} name in English
 * @param {import("../ui/router.js").View} view
 * @returns {import("../ui/router.js").View}
 */
export function where(command, name, view) {
  return (client, parameters) => {
    const node = h("div", null);
    /** @type {import("../ui/router.js").Shown | null} */
    let shown = null;
    let drawn = "";

    function draw() {
      const commands = client.catalogue.commands.map((/** @type {{name: string}} */ one) => one.name).join();
      if (shown && commands === drawn) return;
      drawn = commands;
      shown?.leave?.();
      if (client.catalogue.find(command.split(" "))) shown = view(client, parameters);
      else {
        const none = commands ? t("There is no command {name} for you here.", { name: command }) : t("The list of commands is on its way.");
        shown = page(t(name), { lead: none });
      }
      replace(node, shown.node);
    }

    client.addEventListener("catalogue", draw);
    draw();
    const leave = () => {
      client.removeEventListener("catalogue", draw);
      shown?.leave?.();
    };
    return { node, title: t(name), leave };
  };
}

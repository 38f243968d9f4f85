// @ts-check
/** What the page tells unasked: messages of the server stay until they are closed, the rest goes by itself. */

import { dialog } from "./dialog.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { moment } from "./moments.js";
import { t } from "./words.js";

const KEPT = 100; // messages that can be read again
const SHOWN = 4; // at once; older ones are in the list
const STAYS = 6000; // milliseconds

/** @type {{date: Date, from: string, text: string}[]} */
const messages = [];
let unread = 0;
const place = h("section", { class: "notices", role: "log", "aria-live": "polite" });
const count = h("span", { class: "count", hidden: true });
const bell = h("button", { type: "button", class: "quiet icon-only bell", onclick: list }, icon("bell"), count);

/**
 * Tell something: `notify(t("Kicked."), {kind: "good"})`.
 *
 * @param {string} text
 * @param {{kind?: "good" | "warn" | "bad" | "", from?: string, action?: {text: string, run: () => void}}} [options]
 *     `from`: who says it; such a message stays, and can be read again
 */
export function notify(text, { kind = "", from = "", action } = {}) {
  const close = () => node.remove();
  const cross = h("button", { type: "button", class: "quiet icon-only", "aria-label": t("Close"), onclick: close }, icon("close"));
  const act = action && h("button", { type: "button", class: "small", onclick: () => (close(), action.run()) }, action.text);
  const said = h("div", null, from ? h("strong", null, from) : null, h("p", null, text));
  const node = h("div", { class: `notice ${kind}` }, said, act, cross);
  place.append(node);
  while (place.children.length > SHOWN) place.firstElementChild?.remove();
  if (!from) {
    if (kind !== "bad" && !action) setTimeout(close, STAYS);
    return;
  }
  messages.unshift({ date: new Date(), from, text });
  messages.length = Math.min(messages.length, KEPT);
  unread += 1;
  label();
}

/** The place of the notices and the button of their list; main.js puts them on the page. */
export function notices() {
  label();
  return { place, bell };
}

/** Forget all, for somebody else may sign in now. */
export function forget() {
  messages.length = unread = 0;
  replace(place);
  label();
}

function label() {
  place.ariaLabel = t("Messages");
  bell.ariaLabel = unread ? t("Messages: {count} new", { count: unread }) : t("Messages");
  count.hidden = unread === 0;
  count.textContent = unread > 9 ? "9+" : String(unread);
}

function list() {
  unread = 0;
  label();
  replace(place);
  const lines = messages.map(({ date, from, text }) =>
    h("li", null, h("p", { class: "row small muted" }, h("strong", null, from), moment(date, { short: true })), h("p", null, text)));
  dialog(t("Messages"), lines.length ? h("ul", { class: "list" }, lines) : h("p", { class: "muted" }, t("No messages so far.")));
}

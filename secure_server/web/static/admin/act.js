// @ts-check
/** Buttons that have the server do something: a dialog asks for what is to be known, and names the server. */

import { asked } from "../console/ask.js";
import { field } from "../console/form.js";
import { Missing, orderOf, question, wordsOf } from "../console/words.js";
import { dialog } from "../ui/dialog.js";
import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { failure, plain } from "../ui/value.js";
import { t } from "../ui/words.js";

/**
 * @typedef {object} Act
 * @property {string} text of the button
 * @property {string} [icon]
 * @property {boolean} [danger]
 * @property {boolean} [small]
 * @property {string} [title] of the dialog, where the command's own question does not fit
 * @property {import("../ui/dom.js").Child | (() => import("../ui/dom.js").Child)} [about] what it is done to
 * @property {import("../console/words.js").Values | (() => import("../console/words.js").Values)} [values] that are given
 * @property {string[] | (() => string[])} [fields] arguments that are asked for
 * @property {string[]} [more] likewise, folded away
 * @property {string} [keep] what the answer is called, which is shown once, to be taken away
 * @property {() => void} [done]
 */

/**
 * A button for a command; null where there is none for who is signed in.
 *
 * @param {any} client
 * @param {string} name
 * @param {Act} act
 * @returns {HTMLButtonElement | null}
 */
export function act(client, name, act) {
  const command = client.catalogue.find(name.split(" "));
  if (!command) return null;
  const kind = `${act.small ? "small" : ""} ${act.danger ? "danger" : ""}`.trim();
  return h("button", { type: "button", class: kind || null, onclick: () => open(client, command, act) }, act.icon ? icon(act.icon) : null, act.text);
}

/** @template T @param {T | (() => T)} value */
const now = (value) => /** @type {T} */ (typeof value === "function" ? /** @type {any} */ (value)() : value);

/** @param {any} client @param {import("../console/words.js").Command} command @param {Act} act */
function open(client, command, { text, danger, title, about = null, values = {}, fields = [], more = [], keep = "", done = () => {} }) {
  const known = now(values);
  const made = (/** @type {string[]} */ names) => names.flatMap((name) => command.arguments.filter((one) => one.name === name)).map((argument) => field(argument, known[argument.name]));
  const [first, rest] = [made(now(fields)), made(more)];
  const inputs = [...first, ...rest];
  const laid = (/** @type {any[]} */ some) => h("div", { class: "form", hidden: !some.length }, some.map(({ node }) => node));
  const said = h("div", { "aria-live": "polite" });
  const go = h("button", { class: danger ? "primary danger" : "primary" }, text);
  const no = h("button", { type: "button", class: "quiet", onclick: () => whole.close() }, t("Cancel"));
  const server = location.host;
  const asks = title ?? ((!inputs.length && question(orderOf(client.catalogue, wordsOf(command, known)), server)) || t("{action}: {server}", { action: text, server }));
  const form = h("form", { class: "stack", onsubmit: submit }, now(about), laid(first), rest.length > 0 && h("details", null, h("summary", null, t("More")), laid(rest)), said, h("div", { class: "form-end" }, go, no));
  const whole = dialog(asks, [h("p", { class: "muted" }, command.summary), form]);
  if (inputs.length) inputs[0]?.control.focus();
  else (danger ? no : go).focus();

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    replace(said);
    go.disabled = true;
    try {
      const given = { ...known };
      for (const one of inputs) given[one.argument.name] = await one.read();
      const words = wordsOf(command, given);
      // Without fields this dialog is the question; with them it is asked when they are known.
      const sent = inputs.length ? await asked(client, orderOf(client.catalogue, words)) : words;
      if (!sent) return;
      const answer = plain(await client.run(sent).done);
      whole.close();
      if (keep) take(keep, answer);
      else notify(command.form ? command.form.replace("{}", () => answer) : answer, { kind: "good" });
      done();
    } catch (/** @type {any} */ error) {
      replace(said, error instanceof Missing ? h("p", { class: "alert bad" }, error.message) : failure(error));
      said.scrollIntoView({ block: "nearest" });
    } finally {
      go.disabled = false;
    }
  }
}

/** Show what is told once, until it was taken. @param {string} title @param {string} text */
function take(title, text) {
  const area = h("textarea", { class: "mono", readonly: true, rows: 4, "aria-label": title, value: text, onfocus: () => area.select() });
  const copy = h("button", { type: "button", class: "primary", onclick: copied }, icon("copy"), t("Copy"));
  const close = h("button", { type: "button", onclick: () => whole.close() }, t("I have it"));
  const whole = dialog(title, [h("p", { class: "muted" }, t("It is shown this once. Give it to nobody but whom it is for.")), area], [copy, close]);
  whole.addEventListener("cancel", (event) => event.preventDefault()); // a stray Escape would lose it
  copy.focus();

  async function copied() {
    try {
      await navigator.clipboard.writeText(text);
      replace(copy, icon("check"), t("Copied."));
    } catch {
      area.focus();
    }
  }
}

// @ts-check
/** Questions above the page. */

import { h, id } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

/**
 * Open a dialog; Escape and its cross close it, and it is gone then.
 *
 * @param {string} title
 * @param {import("./dom.js").Child} content
 * @param {import("./dom.js").Child} [buttons]
 * @returns {HTMLDialogElement}
 */
export function dialog(title, content, buttons = null) {
  const name = id("dialog");
  const close = () => whole.close();
  const cross = h("button", { type: "button", class: "quiet icon-only", "aria-label": t("Close"), onclick: close }, icon("close"));
  const end = buttons ? h("div", { class: "form-end" }, buttons) : null;
  const head = h("div", { class: "card-head" }, h("h2", { id: name }, title), cross);
  const whole = h("dialog", { class: "card", "aria-labelledby": name, onclose: () => whole.remove() }, head, content, end);
  document.body.append(whole);
  whole.showModal();
  return whole;
}

/**
 * Ask before something is done: `if (await confirm({title: t("Kick alice?"), action: t("Kick"), danger: true})) …`.
 *
 * @param {{title: string, text?: import("./dom.js").Child, action: string, danger?: boolean, typed?: string}} question
 *     `typed`: a word, such as the server's name, that has to be typed first
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text = null, action, danger = false, typed = "" }) {
  return new Promise((resolve) => {
    let answer = false;
    const word = h("input", { autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-label": typed });
    const yes = h("button", { class: danger ? "primary danger" : "primary", disabled: typed !== "" }, action);
    const no = h("button", { type: "button", class: "quiet", onclick: () => whole.close() }, t("Cancel"));
    const asked = typed ? h("label", { class: "field" }, t("Type {word} to go on:", { word: typed }), word) : null;
    word.addEventListener("input", () => (yes.disabled = word.value.trim() !== typed));
    const form = h("form", { class: "stack", onsubmit: done }, text, asked, h("div", { class: "form-end" }, yes, no));
    const whole = dialog(title, form);
    whole.addEventListener("close", () => resolve(answer));
    (typed ? word : danger ? no : yes).focus();

    /** @param {Event} event */
    function done(event) {
      event.preventDefault();
      answer = true;
      whole.close();
    }
  });
}

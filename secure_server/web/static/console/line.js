// @ts-check
/** One line to type a command into: completed, with hints and a history. */

import { h, id, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { t } from "../ui/words.js";
import { parse, split } from "../wire/line.js";
import { History } from "./history.js";
import { HIDDEN, isSwitch, quoted, shown, valuesOf } from "./words.js";

const PAUSE = 120; // milliseconds without a key, before the server is asked what may follow
const MOST_SHOWN = 50; // candidates
const TOKEN = /scs_[0-9A-Za-z]{10}_[0-9A-Za-z]*/;

/** @type {History | null} */
let kept = null;

/** @returns {Storage | null} */
function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/**
 * @param {import("../wire/client.js").Client} client
 * @param {import("./runs.js").Runs} runs
 * @returns {{node: Element, leave: () => void}}
 */
export function line(client, runs) {
  const history = (kept ??= new History(storage()));
  const name = id("candidates");
  const list = h("ul", { id: name, role: "listbox", class: "candidates", hidden: true, "aria-label": t("What may follow") });
  const hint = h("p", { class: "hint mono", role: "status" });
  const input = h("input", {
    class: "mono", type: "text", role: "combobox", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": name, "aria-label": t("Type a command"), placeholder: t("Type a command, Tab completes"),
    oninput: typed, onkeydown: key, onblur: () => setTimeout(close, 150),
  });
  const send = h("button", { class: "primary", "aria-label": t("Run") }, icon("play"));
  const node = h("form", { class: "stack line-box", onsubmit: submit }, h("div", { class: "with-button" }, h("div", { class: "line-field" }, input, list), send), hint);
  /** @type {{value: string, told: string}[]} */
  let candidates = [];
  let chosen = -1;
  let asked = 0;
  let timer = 0;
  let leaves = false; // Tab goes on to what comes next, as everywhere else

  function typed() {
    leaves = false;
    close();
    tell();
    clearTimeout(timer);
    if (input.value.trim()) timer = window.setTimeout(() => complete(false), PAUSE);
  }

  function close() {
    list.hidden = true;
    input.ariaExpanded = "false";
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  }

  /** Say of the command what it takes. */
  function tell() {
    const command = client.catalogue.find(split(input.value).filter(Boolean));
    replace(hint, command ? `${command.name} ${command.arguments.map(signature).join(" ")} – ${command.summary}` : "");
  }

  /** @param {boolean} take the only one, or what all have in common */
  async function complete(take) {
    clearTimeout(timer);
    const number = ++asked;
    const before = input.value.slice(0, input.selectionStart ?? input.value.length);
    const found = (await client.complete(before)).slice(0, MOST_SHOWN);
    if (number !== asked || !node.isConnected || document.activeElement !== input) return;
    candidates = found;
    if (take && found.length === 1) {
      accept(0);
      return;
    }
    if (take && found.length === 0) send.focus(); // nobody is held here who has nothing to complete
    if (take && found.length > 1) extend(common(found.map(({ value }) => value)));
    draw();
  }

  function draw() {
    const word = split(input.value.slice(0, input.selectionStart ?? input.value.length)).at(-1) ?? "";
    const useful = candidates.length > 0 && !(candidates.length === 1 && candidates[0].value === word);
    list.hidden = !useful;
    input.ariaExpanded = String(useful);
    replace(list, candidates.map(({ value, told }, index) => {
      const row = h("li", { id: `${name}-${index}`, role: "option", "aria-selected": String(index === chosen), onmousedown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => accept(index) },
        h("span", { class: "mono" }, value), told ? h("span", { class: "small muted" }, told) : null);
      return row;
    }));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", `${name}-${chosen}`);
      list.children[chosen]?.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  /** Put a whole word in place of the one that is typed. @param {number} index */
  function accept(index) {
    const whole = candidates[index]?.value ?? "";
    put(/[=/:]$/.test(whole) ? quotedOpen(whole) : `${quoted(whole)} `);
    close();
    tell();
    timer = window.setTimeout(() => complete(false), PAUSE);
  }

  /** @param {string} start what all candidates begin with */
  function extend(start) {
    const word = split(input.value.slice(0, input.selectionStart ?? input.value.length)).at(-1) ?? "";
    if (start.length > word.length && start.toLowerCase().startsWith(word.toLowerCase())) put(quotedOpen(start));
  }

  /** @param {string} text in place of the word before the cursor */
  function put(text) {
    const at = input.selectionStart ?? input.value.length;
    const before = input.value.slice(0, at);
    const word = split(before).at(-1) ?? "";
    const raw = word === "" ? "" : (/(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"'])+$/.exec(before)?.[0] ?? word);
    input.value = before.slice(0, before.length - raw.length) + text + input.value.slice(at);
    const end = before.length - raw.length + text.length;
    input.setSelectionRange(end, end);
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const open = !list.hidden;
    if (event.key === "Tab" && !event.shiftKey && !leaves && input.value.trim() && (open || input.selectionStart === input.value.length)) {
      if (open && chosen < 0 && candidates.length === 1) chosen = 0;
      event.preventDefault();
      if (open && chosen >= 0) accept(chosen);
      else complete(true);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      event.preventDefault();
      if (open) {
        chosen = (chosen + step + candidates.length + 1) % (candidates.length + 1);
        if (chosen === candidates.length) chosen = -1;
        draw();
      } else {
        const found = history.step(step, input.value);
        if (found !== null) {
          input.value = found;
          input.setSelectionRange(found.length, found.length);
          tell();
        }
      }
    } else if (event.key === "Enter" && open && chosen >= 0) {
      event.preventDefault();
      accept(chosen);
    } else if (event.key === "Escape") {
      leaves = true;
      if (open) close();
      else input.value = "";
      event.preventDefault();
      tell();
    }
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    clearTimeout(timer);
    asked++;
    close();
    const text = input.value;
    const { words, balanced } = parse(text);
    if (!balanced) {
      replace(hint, t("Unbalanced quotes in the line."));
      return;
    }
    if (words.length === 0) return;
    const command = client.catalogue.find(words);
    const values = command ? valuesOf(command, words.slice(command.name.split(" ").length)) : {};
    const slip = TOKEN.test(text); // pasted into the wrong field
    const secret = slip || /^(auth|hello)\b/i.test(text.trim()) || Boolean(command?.arguments.some((one) => one.secret && values[one.name]?.length));
    history.add(text, secret);
    input.value = "";
    tell();
    const said = !secret ? words.map(quoted).join(" ") : command && !slip ? shown(command, values) : `${words[0].replace(TOKEN, HIDDEN)} ${HIDDEN}`;
    await runs.start({ command, values, words, line: said, secret });
  }

  client.addEventListener("catalogue", tell);
  return {
    node,
    leave() {
      clearTimeout(timer);
      client.removeEventListener("catalogue", tell);
    },
  };
}

/** @param {import("../wire/catalogue.js").Argument} argument */
function signature(argument) {
  const word = argument.flag ? (isSwitch(argument) ? `--${argument.name}` : `--${argument.name} …`) : argument.name + (argument.variadic ? " …" : "");
  return argument.optional || argument.flag ? `[${word}]` : word;
}

/** A word without its end, so that typing goes on in it. @param {string} word */
function quotedOpen(word) {
  const whole = quoted(word);
  return whole === word ? word : whole.slice(0, -1);
}

/** What all begin with, whatever the case. @param {string[]} words */
export function common(words) {
  let start = words[0] ?? "";
  for (const word of words) while (!word.toLowerCase().startsWith(start.toLowerCase())) start = start.slice(0, -1);
  return start;
}

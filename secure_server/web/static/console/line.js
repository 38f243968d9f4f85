// @ts-check
/** One line to type a command into: completed, with hints and a history. */

import { h, id, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { t } from "../ui/words.js";
import { parse, split } from "../wire/line.js";
import { common, hintOf, mayAsk } from "./hint.js";
import { History } from "./history.js";
import { orderOf, quoted } from "./words.js";

const PAUSE = 120; // milliseconds without a key, before the server is asked what may follow
const MOST_SHOWN = 50; // candidates

/** @type {Map<string, History>} */
const kept = new Map();

/** What the user typed before. @param {string} user */
function historyOf(user) {
  let found = kept.get(user);
  if (!found) {
    let storage;
    try {
      storage = localStorage;
    } catch {} // nothing may be kept
    kept.set(user, (found = new History(storage, user)));
  }
  return found;
}

/** @param {import("./runs.js").Runs} runs */
export function line(runs) {
  const { client } = runs;
  const history = historyOf(client.account?.user ?? "");
  const name = id("candidates");
  const list = h("ul", { id: name, role: "listbox", class: "candidates", hidden: true, "aria-label": t("What may follow") });
  const hint = h("p", { class: "hint", role: "status" });
  const input = h("input", {
    class: "mono", role: "combobox", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-autocomplete": "list", enterkeyhint: "go",
    "aria-expanded": "false", "aria-controls": name, "aria-label": t("Type a command"), placeholder: t("Type a command, Tab completes"),
    oninput: typed, onkeydown: key, onkeyup: tell, onclick: tell, onblur: () => setTimeout(close, 150),
  });
  const send = h("button", { class: "primary", "aria-label": t("Run") }, icon("play"));
  const node = h("form", { class: "stack line-box", onsubmit: submit }, h("div", { class: "with-button" }, h("div", { class: "line-field" }, input, list), send), hint);
  /** @type {{value: string, told: string}[]} */
  let candidates = [];
  let chosen = -1;
  let asked = 0;
  let timer = 0;
  let leaves = false; // Tab goes on to what comes next, as everywhere else
  let told = "";

  const before = () => input.value.slice(0, input.selectionStart ?? input.value.length);
  const word = () => split(before()).at(-1) ?? "";

  function typed() {
    leaves = false;
    close();
    tell();
    clearTimeout(timer);
    timer = window.setTimeout(complete, PAUSE);
  }

  function close() {
    asked++;
    chosen = -1;
    candidates = [];
    draw();
  }

  /** Say what the command takes, and more of what stands at the cursor. */
  function tell() {
    const text = before();
    if (text === told) return;
    told = text;
    const { pieces, present, told: said, fault } = hintOf(client.catalogue, text);
    const parts = pieces.flatMap((piece, at) => [" ", at === present ? h("strong", null, piece) : piece]);
    replace(hint, fault ? h("span", { class: "danger-text" }, fault) : [h("span", { class: "mono" }, parts), said && ` — ${said}`]);
  }

  async function complete(take = false) {
    clearTimeout(timer);
    if (!mayAsk(client.catalogue, before())) return;
    const number = ++asked;
    const found = (await client.complete(before())).slice(0, MOST_SHOWN);
    if (number !== asked || !node.isConnected || document.activeElement !== input) return;
    candidates = found;
    if (take && found.length === 1) return accept(0); // the only one
    if (take && found.length === 0) send.focus(); // nobody is held here who has nothing to complete
    const start = common(found.map(({ value }) => value));
    if (take && start.length > word().length && start.toLowerCase().startsWith(word().toLowerCase())) put(open(start));
    if (found.length === 1 && found[0]?.value === word()) candidates = [];
    draw();
  }

  function draw() {
    const shows = candidates.length > 0;
    list.hidden = !shows;
    input.ariaExpanded = String(shows);
    replace(list, candidates.map(({ value, told }, index) =>
      h("li", { id: `${name}-${index}`, role: "option", "aria-selected": String(index === chosen), onmousedown: (/** @type {Event} */ event) => event.preventDefault(), onclick: () => accept(index) },
        h("span", { class: "mono" }, value), told && h("span", { class: "small muted" }, told))));
    if (chosen >= 0) {
      input.setAttribute("aria-activedescendant", `${name}-${chosen}`);
      list.children[chosen]?.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  /** Put a whole word in place of the one that is typed. @param {number} index */
  function accept(index) {
    const whole = candidates[index]?.value ?? "";
    put(/[=/:]$/.test(whole) ? open(whole) : `${quoted(whole)} `);
    typed();
    input.focus();
  }

  /** @param {string} text in place of the word before the cursor */
  function put(text) {
    const all = before();
    const raw = word() && /(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"'])+$/.exec(all)?.[0];
    const start = all.slice(0, all.length - (raw || word()).length) + text;
    input.value = start + input.value.slice(all.length);
    input.setSelectionRange(start.length, start.length);
    tell();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const shows = candidates.length > 0;
    const { key } = event;
    if (event.isComposing) return;
    if (key === "Tab") {
      if (event.shiftKey || leaves || !input.value.trim() || (!shows && input.selectionStart !== input.value.length)) return;
      if (chosen >= 0 || candidates.length === 1) accept(Math.max(0, chosen));
      else complete(true);
    } else if (key === "ArrowDown" || key === "ArrowUp") {
      const step = key === "ArrowDown" ? 1 : -1;
      const places = candidates.length + 1; // and none of them
      if (shows) {
        chosen = ((chosen + 1 + step + places) % places) - 1;
        draw();
      } else {
        const found = history.step(step, input.value);
        if (found !== null) input.value = found;
        input.setSelectionRange(input.value.length, input.value.length);
        tell();
      }
    } else if (key === "Enter" && chosen >= 0) accept(chosen);
    else if (key === "Escape") {
      leaves = true;
      if (!shows) input.value = "";
      clearTimeout(timer);
      close();
      tell();
    } else return;
    event.preventDefault();
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    clearTimeout(timer);
    close();
    const { words, balanced } = parse(input.value);
    if (!balanced) {
      replace(hint, h("span", { class: "danger-text" }, t("Unbalanced quotes in the line.")));
      return;
    }
    if (words.length === 0) return;
    history.add(input.value, orderOf(client.catalogue, words).secret);
    input.value = "";
    tell();
    runs.start(words);
  }

  return { node, leave: () => clearTimeout(timer) };
}

/** A word without its end, so that typing goes on in it. @param {string} word */
function open(word) {
  const whole = quoted(word);
  return whole === word ? word : whole.slice(0, -1);
}

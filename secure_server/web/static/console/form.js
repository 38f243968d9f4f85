// @ts-check
/** A form for a command, made from what the server says of it. */

import { h, id, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { href } from "../ui/router.js";
import { t } from "../ui/words.js";
import { runsOf } from "./runs.js";
import { Missing, fromLink, isSwitch, quoted, shown, toLink, wordsOf } from "./words.js";

/**
 * @typedef {import("./words.js").Command} Command
 * @typedef {import("../wire/catalogue.js").Argument} Argument
 * @typedef {import("./words.js").Values} Values
 * @typedef {import("./words.js").Word} Word
 */

/** @type {import("../ui/router.js").View} */
export function formView(client, { name, query }) {
  const node = h("section", { class: "page" });
  const runs = runsOf(client);
  let drawn = "";

  function draw() {
    const command = client.catalogue.find(name.split(" "));
    const signature = JSON.stringify(command ?? null);
    if (signature === drawn) return;
    drawn = signature;
    const back = h("a", { class: "small", href: "#/" }, t("All commands"));
    if (!command || command.name !== name.toUpperCase()) {
      const waits = client.catalogue.commands.length === 0;
      const none = waits ? t("The list of commands is on its way.") : t("There is no command {name} for you here.", { name });
      replace(node, h("header", { class: "page-head" }, back, h("h1", null, name), h("p", { class: "lead" }, none)));
      return;
    }
    replace(node, head(command, back), form(client, command, query), runs.place);
  }

  client.addEventListener("catalogue", draw);
  draw();
  return { node, title: name, leave: () => client.removeEventListener("catalogue", draw) };
}

/** @param {Command} command @param {Node} back */
function head(command, back) {
  const marks = [
    command.danger ? h("span", { class: "badge bad" }, icon("warning"), t("may do harm")) : null,
    command.job ? h("span", { class: "badge accent" }, t("job: goes on without you")) : null,
    command.role ? h("span", { class: "badge" }, command.role) : null,
  ];
  return h("header", { class: "page-head" }, back, h("h1", null, command.name), h("p", { class: "lead" }, command.summary), h("p", { class: "row" }, marks));
}

/** @param {any} client @param {Command} command @param {URLSearchParams} query */
function form(client, command, query) {
  const linked = fromLink(command, query);
  const fields = command.arguments.filter(({ name, flag }) => !(flag && name === "shown")).map((argument) => field(argument, linked.values[argument.name]));
  const wrong = h("p", { class: "alert bad", role: "alert", hidden: true });
  const run = h("button", { class: command.danger ? "primary danger" : "primary" }, icon("play"), t("Run"));
  const link = h("button", { type: "button", class: "quiet", onclick: copyLink }, icon("copy"), t("Copy link"));
  const values = () => Object.fromEntries(fields.map((one) => [one.argument.name, one.value()]));
  const hints = [];
  if (query.size > 0) {
    hints.push(h("p", { class: "alert warn" }, t("A link filled this form. Nothing has run; look at it before you run it.")));
    if (linked.ignored.length > 0) hints.push(h("p", { class: "small muted" }, t("The link's {names} were left out.", { names: linked.ignored.join(", ") })));
  }
  if (command.example) hints.push(h("p", { class: "small muted" }, t("Example:"), " ", h("code", null, `${command.name} ${command.example}`)));
  const whole = h("form", { class: "card stack", novalidate: false, onsubmit: submit },
    hints, h("div", { class: "form" }, fields.map((one) => one.node)), wrong, h("div", { class: "form-end" }, run, link));

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    wrong.hidden = true;
    let given, words;
    try {
      given = Object.fromEntries(await Promise.all(fields.map(async (one) => [one.argument.name, await one.read()])));
      words = wordsOf(command, given);
    } catch (error) {
      wrong.hidden = false;
      replace(wrong, error instanceof Missing ? missing(error) : String(error instanceof Error ? error.message : error));
      fields.find((one) => error instanceof Missing && one.argument.name === error.argument)?.focus();
      return;
    }
    run.disabled = true; // a second click is no second run
    const secret = command.arguments.some((one) => one.secret && given[one.name]?.length);
    try {
      await runsOf(client).start({ command, values: given, words, line: shown(command, given), secret });
      for (const one of fields) if (one.argument.secret) one.forget();
    } finally {
      run.disabled = false;
    }
  }

  async function copyLink() {
    const address = `${location.origin}/${href(["run", command.name], toLink(command, values()))}`;
    try {
      await navigator.clipboard.writeText(address);
      notify(t("The link is copied: it fills this form, and runs nothing."), {});
    } catch {
      notify(address, {});
    }
  }
  return whole;
}

/** @param {Missing} error */
function missing({ argument, behind }) {
  if (!behind) return t("{argument} is missing.", { argument });
  return t("{behind} stands behind {argument}: fill that in as well.", { argument, behind });
}

const WAYS = /** @type {Record<string, string>} */ ({ duration: "90s, 5m, 1h", datetime: "", int: "", float: "" });

/**
 * One argument.
 *
 * @param {Argument} argument
 * @param {readonly Word[]} [filled]
 */
export function field(argument, filled) {
  const name = id("argument");
  const start = filled?.map(String) ?? [];
  const hint = h("p", { class: "hint", id: `${name}-hint` }, hintOf(argument));
  const required = !argument.optional && !argument.flag;
  const common = { id: name, "aria-describedby": `${name}-hint`, required, autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  const label = h("label", { for: name }, argument.name, required ? h("span", { class: "danger-text", "aria-hidden": "true" }, " *") : null);
  /** @type {(node: Element, value: () => Word[], focus: HTMLElement, read?: () => Promise<Word[]>) => any} */
  const made = (node, value, focus, read) => ({
    argument, node, value, read: read ?? (async () => value()), focus: () => focus.focus(),
    forget: () => { /** @type {any} */ (focus).value = ""; },
  });

  if (isSwitch(argument)) {
    const box = h("input", { id: name, type: "checkbox", "aria-describedby": `${name}-hint`, checked: start[0] === "yes" || (!start.length && argument.default === "yes") });
    const value = () => (box.checked ? ["yes"] : argument.default === "yes" ? ["no"] : []);
    return made(h("div", { class: "field" }, h("label", { class: "switch" }, box, h("span", null, argument.name)), hint), value, box);
  }
  const choices = argument.choices.length ? argument.choices : argument.type === "bool" ? ["yes", "no"] : [];
  if (choices.length && !argument.variadic) {
    const empty = required ? t("Choose …") : argument.default ? t("{value} (default)", { value: argument.default }) : t("(none)");
    const list = h("select", common, h("option", { value: "" }, empty), choices.map((one) => h("option", { value: one, selected: one === start[0] }, one)));
    return made(h("div", { class: "field" }, label, list, hint), () => (list.value ? [list.value] : []), list);
  }
  if (argument.file) {
    const file = h("input", { id: `${name}-file`, type: "file", "aria-label": t("{argument}: a file", { argument: argument.name }) });
    const text = h("textarea", { ...common, required: false, rows: 3, value: start[0] ?? "" });
    const read = async () => {
      const chosen = file.files?.[0];
      if (chosen) return [new Uint8Array(await chosen.arrayBuffer())];
      return text.value ? [text.value] : [];
    };
    return made(h("div", { class: "field" }, label, text, file, hint), () => (text.value ? [text.value] : []), text, read);
  }
  if (argument.variadic) {
    const lines = h("textarea", { ...common, rows: 3, value: start.join("\n") });
    const value = () => lines.value.split("\n").filter((line) => line !== "");
    return made(h("div", { class: "field" }, label, lines, hint), value, lines);
  }
  const kind = inputOf(argument);
  const input = h("input", { ...common, ...kind, value: argument.type === "datetime" ? localOf(start[0]) : (start[0] ?? ""), placeholder: argument.default || WAYS[argument.type] || "" });
  const value = () => {
    if (!input.value) return [];
    if (argument.type !== "datetime") return [input.value];
    const date = new Date(input.value);
    return Number.isNaN(date.getTime()) ? [input.value] : [date.toISOString()];
  };
  return made(h("div", { class: "field" }, label, input, hint), value, input);
}

/** @param {Argument} argument @returns {Record<string, unknown>} */
function inputOf(argument) {
  if (argument.secret) return { type: "password", autocomplete: "new-password" };
  const { minimum, maximum } = argument;
  if (argument.type === "int") return { type: "number", step: 1, min: minimum, max: maximum, inputmode: "numeric" };
  if (argument.type === "float") return { type: "number", step: "any", min: minimum, max: maximum, inputmode: "decimal" };
  if (argument.type === "datetime") return { type: "datetime-local", step: 1 };
  return { type: "text" };
}

/** A moment as `datetime-local` takes it. @param {string | undefined} text */
function localOf(text) {
  const date = new Date(text ?? "");
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** @param {Argument} argument */
function hintOf(argument) {
  const { minimum, maximum, pattern, type } = argument;
  const words = [argument.summary];
  if (minimum !== null && maximum !== null) words.push(t("from {minimum} to {maximum}", { minimum, maximum }));
  else if (minimum !== null) words.push(t("at least {minimum}", { minimum }));
  else if (maximum !== null) words.push(t("at most {maximum}", { maximum }));
  if (type === "duration") words.push(t("such as {examples}", { examples: WAYS.duration }));
  if (type === "datetime") words.push(t("in your time"));
  if (pattern) words.push(t("as {pattern}", { pattern }));
  if (argument.variadic) words.push(t("one a line"));
  if (argument.choices.length && argument.variadic) words.push(argument.choices.map(quoted).join(", "));
  if (argument.secret) words.push(t("kept nowhere"));
  return words.filter(Boolean).join(" · ");
}

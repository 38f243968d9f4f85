// @ts-check
/** A form for a command, made from what the server says of it. */

import { h, id, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { notify } from "../ui/notices.js";
import { href } from "../ui/router.js";
import { t } from "../ui/words.js";
import { bounds } from "./hint.js";
import { runsOf } from "./runs.js";
import { Missing, fromLink, isShown, isSwitch, toLink, wordsOf } from "./words.js";

const PAUSE = 200; // milliseconds without a key, before the server is asked what may stand in a field

/**
 * @typedef {import("./words.js").Command} Command
 * @typedef {import("./words.js").Argument} Argument
 * @typedef {import("./words.js").Word} Word
 * @typedef {import("../wire/client.js").Client} Client
 * @typedef {{argument: Argument, node: Element, control: HTMLElement & {value: string}, value: () => string[], read: () => Promise<Word[]>}} Field
 *     `read` is with a chosen file, which is in no link
 */

/** @type {import("../ui/router.js").View} */
export function formView(client, { name, query }) {
  const node = h("section", { class: "page" });
  const back = h("a", { class: "small", href: "#/" }, t("All commands"));
  let drawn = "";

  function draw() {
    const { catalogue } = client;
    const found = catalogue.find(name.split(" "));
    const command = found?.name === name.toUpperCase() ? found : null;
    const signature = JSON.stringify(command);
    if (signature === drawn) return; // what was filled in stays
    drawn = signature;
    const none = catalogue.commands.length ? t("There is no command {name} for you here.", { name }) : t("The list of commands is on its way.");
    const marks = command && [
      command.danger && h("span", { class: "badge bad" }, icon("warning"), t("may do harm")),
      command.job && h("span", { class: "badge accent" }, t("job: goes on without you")),
      command.role && h("span", { class: "badge" }, command.role),
    ];
    const head = h("header", { class: "page-head" }, back, h("h1", null, command?.name ?? name), h("p", { class: "lead" }, command?.summary ?? none), h("p", { class: "row" }, marks));
    replace(node, head, command && [form(client, command, query), runsOf(client).place]);
  }

  client.addEventListener("catalogue", draw);
  draw();
  return { node, title: name, leave: () => client.removeEventListener("catalogue", draw) };
}

/** @param {Client} client @param {Command} command @param {URLSearchParams} query */
function form(client, command, query) {
  const { values, ignored } = fromLink(command, query);
  /** @type {Field[]} */
  const fields = command.arguments.filter((one) => !isShown(one)).map((argument) => field(argument, values[argument.name], (typed) => suggest(argument, typed)));
  const wrong = h("p", { class: "alert bad", role: "alert", hidden: true });
  const run = h("button", { class: command.danger ? "primary danger" : "primary" }, icon("play"), t("Run"));
  const link = h("button", { type: "button", class: "quiet", onclick: copyLink }, icon("copy"), t("Copy link"));

  /** Ask what may stand in a field, behind what stands before it. @param {Argument} argument @param {string} typed */
  async function suggest({ name, flag }, typed) {
    /** @type {string[]} */
    const words = command.name.split(" ");
    for (const one of flag ? [] : fields) {
      if (one.argument.name === name) break;
      if (one.argument.secret || (!one.argument.flag && one.value().length === 0)) return [];
      if (!one.argument.flag) words.push(...one.value());
    }
    return client.complete([...words, ...(flag ? [`--${name}`] : []), typed]);
  }

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    wrong.hidden = run.disabled = true; // a second click is no second run
    try {
      const given = await Promise.all(fields.map(async (one) => [one.argument.name, await one.read()]));
      if (await runsOf(client).start(wordsOf(command, Object.fromEntries(given)))) for (const { argument, control } of fields) if (argument.secret) control.value = "";
    } catch (error) {
      wrong.hidden = false;
      replace(wrong, error instanceof Error ? error.message : String(error));
      if (error instanceof Missing) fields.find(({ argument }) => argument.name === error.argument)?.control.focus();
    } finally {
      run.disabled = false;
    }
  }

  async function copyLink() {
    const given = Object.fromEntries(fields.map((one) => [one.argument.name, one.value()]));
    const address = `${location.origin}/${href(["run", command.name], toLink(command, given))}`;
    await navigator.clipboard.writeText(address).then(() => notify(t("The link is copied: it fills this form, and runs nothing."), { kind: "good" }), () => notify(address, { kind: "warn" }));
  }

  return h("form", { class: "card stack", onsubmit: submit },
    query.size > 0 && h("p", { class: "alert warn" }, t("A link filled this form. Nothing has run; look at it before you run it.")),
    ignored.length > 0 && h("p", { class: "small muted" }, t("The link's {names} were left out.", { names: ignored.join(", ") })),
    command.example && h("p", { class: "small muted" }, t("Example:"), " ", h("code", null, `${command.name} ${command.example}`)),
    h("div", { class: "form" }, fields.map(({ node }) => node)), wrong, h("div", { class: "form-end" }, run, link));
}

/**
 * One argument.
 *
 * @param {Argument} argument @param {Word[]} [filled] @param {(typed: string) => Promise<{value: string, told: string}[]>} [suggest]
 * @returns {Field}
 */
export function field(argument, filled = [], suggest = async () => []) {
  const { name, type, flag, optional, variadic, secret, file, minimum: min, maximum: max, default: usual } = argument;
  const key = id("argument");
  const required = !optional && !flag;
  const start = String(filled[0] ?? "");
  const common = { id: key, required, "aria-describedby": `${key}-hint`, autocomplete: "off", spellcheck: "false", autocapitalize: "off" };
  const text = (/** @type {Record<string, unknown>} */ more) => h("input", { ...common, placeholder: usual, value: start, ...more });
  const label = h("label", { for: key }, name, required && h("span", { class: "danger-text", "aria-hidden": "true" }, " *"));
  const words = [argument.summary, ...bounds(argument)];
  const choices = argument.choices.length || type !== "bool" ? argument.choices : ["yes", "no"];
  if (variadic && choices.length) words.push(choices.join(", "));
  /** @param {Field["control"]} control @param {() => string[]} [value] @param {import("../ui/dom.js").Child} [more] @returns {Field} */
  const made = (control, value = () => [control.value].filter(Boolean), more) => {
    const hint = h("p", { class: "hint", id: `${key}-hint` }, words.filter(Boolean).join(" · "));
    return { argument, control, value, read: async () => value(), node: h("div", { class: "field" }, label, control, more, hint) };
  };

  if (isSwitch(argument)) {
    const box = h("input", { ...common, type: "checkbox", checked: (start || usual) === "yes" });
    const whole = made(box, () => (box.checked ? ["yes"] : usual === "yes" ? ["no"] : []));
    replace(whole.node, h("label", { class: "switch" }, box, h("span", null, name)), whole.node.lastChild);
    return whole;
  }
  if (choices.length && !variadic) {
    const empty = required ? t("Choose …") : usual ? t("{value} (default)", { value: usual }) : t("(none)");
    return made(h("select", common, h("option", { value: "" }, empty), choices.map((one) => h("option", { value: one, selected: one === start }, one))));
  }
  if (secret) {
    words.push(t("kept nowhere"));
    return made(text({ type: "password", autocomplete: "new-password" }));
  }
  if (file) {
    const chosen = h("input", { type: "file", "aria-label": t("{argument}: a file", { argument: name }), onchange: () => (area.disabled = Boolean(chosen.files?.length)) });
    const area = h("textarea", { ...common, required: false, rows: 3, value: start });
    const read = async () => (chosen.files?.[0] ? [new Uint8Array(await chosen.files[0].arrayBuffer())] : [area.value].filter(Boolean));
    return { ...made(area, undefined, chosen), read };
  }
  if (variadic) {
    words.push(t("one a line"));
    const area = h("textarea", { ...common, rows: 3, value: filled.join("\n") });
    return made(area, () => area.value.split("\n").filter(Boolean));
  }
  if (type === "datetime") {
    words.push(t("in your time"));
    const box = text({ type: "datetime-local", step: 1, value: localOf(start) });
    return made(box, () => (box.value ? [new Date(box.value).toISOString()] : []));
  }
  const steps = /** @type {Record<string, object>} */ ({ int: { step: 1, inputmode: "numeric" }, float: { step: "any", inputmode: "decimal" } })[type];
  let timer = 0;
  const list = h("datalist", { id: `${key}-list` });
  const box = text({ ...(steps && { type: "number", min, max, ...steps }), list: list.id, oninput: ask, onfocus: ask });
  async function ask() {
    clearTimeout(timer);
    timer = window.setTimeout(async () => {
      const found = await suggest(box.value);
      replace(list, found.slice(0, 50).map(({ value, told }) => h("option", { value }, told)));
    }, PAUSE);
  }
  return made(box, undefined, list);
}

/** A moment as `datetime-local` takes it. @param {string} text */
function localOf(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? "" : new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

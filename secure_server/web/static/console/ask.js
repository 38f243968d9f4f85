// @ts-check
/** What is done before a command is sent: what it would choose is shown, and the user is asked. */

import { confirm } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { render } from "../ui/value.js";
import { t } from "../ui/words.js";
import { question, valuesOf } from "./words.js";

/**
 * @typedef {import("./words.js").Command} Command
 * @typedef {import("./words.js").Values} Values
 * @typedef {import("./words.js").Word} Word
 */

/**
 * The words to send; null where the user said no.
 *
 * @param {any} client
 * @param {Command} command
 * @param {Values} values
 * @param {Word[]} words
 * @param {string} line as it may be shown
 * @returns {Promise<Word[] | null>} rejects with what the server says of what the command would choose
 */
export async function asked(client, command, values, words, line) {
  const server = location.host;
  const yes = values.yes?.[0] === "yes";
  if (command.preview && !yes) {
    const behind = words.slice(command.name.split(" ").length);
    const rows = await client.run([...command.preview.split(" "), ...behind], { idempotent: true, job: false }).done;
    if (!Array.isArray(rows) || rows.length === 0) return words;
    const described = client.catalogue.find(command.preview.split(" ")) ?? {};
    const keys = rows.map((row) => String(row instanceof Map ? [...row.values()][0] : row[0]));
    const text = h("div", { class: "stack" }, render(rows, described), h("p", { class: "mono small muted" }, line));
    if (!(await confirm({ title: question(command, values, server) || usual(line, server), text, action: t("Run"), danger: command.danger }))) return null;
    const held = command.arguments.some((one) => one.flag && one.name === "shown");
    const start = command.name.split(" ").length;
    return held ? [...words.slice(0, start), `--shown=${keys.join(",")}`, ...words.slice(start)] : words;
  }
  let [about, given] = [command, values];
  if (command.name === "JOB RERUN" && values.job) {
    const told = await client.run(["JOB", "SHOW", String(values.job[0])], { idempotent: true }).done.catch(() => null);
    const again = told instanceof Map ? String(told.get("command") ?? "").split(" ") : [];
    const found = client.catalogue.find(again);
    if (found) [about, given] = [found, valuesOf(found, (told.get("arguments") ?? []).map(String))];
  }
  const title = question(about, given, server) || (about.danger && !yes ? usual(line, server) : "");
  if (!title) return words;
  const text = h("p", { class: "mono small muted" }, line);
  return (await confirm({ title, text, action: t("Run"), danger: about.danger })) ? words : null;
}

/** @param {string} line @param {string} server */
const usual = (line, server) => t("Run {command} on {server}? It may do harm.", { command: line.split(" ")[0], server });

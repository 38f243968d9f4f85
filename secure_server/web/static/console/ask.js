// @ts-check
/** What is done before a command is sent: what it would choose is shown, and the user is asked. */

import { confirm } from "../ui/dialog.js";
import { h } from "../ui/dom.js";
import { render } from "../ui/value.js";
import { t } from "../ui/words.js";
import { isShown, orderOf, question, saysYes, visible } from "./words.js";

/**
 * The words to send; null where the user said no.
 *
 * @param {import("../wire/client.js").Client} client
 * @param {import("./words.js").Order} order
 * @returns {Promise<import("./words.js").Word[] | null>} rejects with what the server says of what it would choose
 */
export async function asked(client, order) {
  const { command, words, start, line, values } = order;
  const { catalogue } = client;
  const tell = (/** @type {string[]} */ ...names) => client.run(names, { idempotent: true, job: false }).done;
  if (!command || saysYes(order)) return words;
  let about = order;
  let shown = null;
  let send = words;
  if (command.preview) {
    const { preview, name } = command;
    const names = preview.split(" ");
    const rows = await client.run([...names, ...words.slice(start)], { idempotent: true, job: false }).done.catch((failure) => {
      throw Object.assign(failure, { text: String(failure.text).replaceAll(preview, name) }); // nobody typed the preview's name
    });
    if (!Array.isArray(rows) || !rows.every((row) => row instanceof Map) || rows.length === 0) return words;
    shown = render(rows, catalogue.find(names));
    const held = `--shown=${rows.map((row) => row.values().next().value).join(",")}`;
    if (command.arguments.some(isShown)) send = [...words.slice(0, start), held, ...words.slice(start)];
  } else if (command.name === "JOB RERUN" && values.job?.[0]) {
    const told = await tell("JOB", "SHOW", String(values.job[0])).catch(() => null); // the server says so of the command, too
    if (told instanceof Map) about = orderOf(catalogue, [...String(told.get("command")).split(" "), ...(told.get("arguments") ?? []).map(String)]);
  }
  const title = question(about, location.host);
  if (!title) return send;
  const text = h("div", { class: "stack" }, shown, h("p", { class: "mono small muted" }, visible(about === order ? line : `${line} (${about.line})`, 1000)));
  return (await confirm({ title, text, action: t("Run"), danger: about.command?.danger })) ? send : null;
}

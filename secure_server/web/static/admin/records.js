// @ts-check
/** What happened, and what happens: the audit trail, the log, events as they come. */

import { Output } from "../console/output.js";
import { h, replace } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { href, here, rename } from "../ui/router.js";
import { table } from "../ui/table.js";
import { failure } from "../ui/value.js";
import { t } from "../ui/words.js";
import { badge, columnsOf } from "./amounts.js";
import { filterField, list } from "./list.js";
import { answer, page } from "./page.js";
import { request } from "./requests.js";

const EVENTS = 200; // kept on the page
const LINES = 200; // of the log, to begin with
const AGAIN = 1000; // milliseconds after which a stream that broke is read anew
const GATHER = 250; // milliseconds for which events are gathered before they are drawn

/** @type {import("../ui/router.js").View} */
export function audit(client, { query }) {
  const shown = list(client, { command: "SERVER AUDIT", query, key: "number", pages: "before", newest: true, cells: { event: badge, detail: (text) => h("span", { class: "small" }, text ?? "–") } });
  const state = client.catalogue.find(["AUDIT"]) && answer(client, ["AUDIT"], (place, value) =>
    replace(place, h("p", { class: "row" }, badge(value.get("state")), h("span", { class: "muted small" }, value.get("why") ?? t("{count} records wait, {lost} are lost", { count: value.get("waiting"), lost: value.get("lost") })))), { every: 10_000 });
  const again = h("button", { type: "button", onclick: () => shown?.look() }, icon("again"), t("Refresh"));
  return page(t("Audit trail"), { tools: again }, state, shown);
}

/** @type {import("../ui/router.js").View} */
export function log(client, { query }) {
  const place = h("div", { class: "stack" });
  let output = new Output();
  let begun = false;
  const stream = following(client, "SERVER LOG", query, {
    words: () => ["--follow", `--lines=${begun ? 0 : LINES}`],
    take: (line) => ((begun = true), output.add(line)),
    clear() {
      begun = false;
      output = new Output();
      replace(place, output.node);
    },
  });
  return page(t("Log"), {}, stream, place);
}

/** @type {import("../ui/router.js").View} */
export function events(client, { query }) {
  const { columns = [], minor = [] } = client.catalogue.find(["SERVER", "WATCH"]);
  /** @type {Map<string, any>[]} */
  let rows = [];
  let timer = 0;
  const grid = table(columnsOf([...columns, "took"], { event: badge }, minor), rows, { caption: t("Events"), empty: t("Nothing has happened yet.") });
  const draw = () => ((timer = 0), grid.update(rows));
  const stream = following(client, "SERVER WATCH", query, {
    words: () => [],
    take(event) {
      rows = [event, ...rows.slice(0, EVENTS - 1)];
      timer ||= window.setTimeout(draw, GATHER);
    },
    clear() {
      rows = [];
      draw();
    },
  });
  return page(t("Events"), { lead: t("What happens, as it happens; the latest first.") }, stream, grid);
}

/**
 * A stream that is read while it is seen, with a filter and a button that stops it.
 *
 * @param {any} client
 * @param {string} command
 * @param {URLSearchParams} query
 * @param {{words: () => string[], take: (part: any) => void, clear: () => void}} reader
 */
function following(client, command, query, { words, take, clear }) {
  let filter = query.get("filter") ?? "";
  let [wanted, over] = [true, false];
  /** @type {any} */
  let run = null;
  const said = h("div", { "aria-live": "polite" });
  const button = h("button", { type: "button", onclick: () => ((wanted = !wanted), look()) });
  const hint = client.catalogue.find(command.split(" ")).arguments.find((/** @type {any} */ one) => one.variadic)?.summary ?? "";
  const field = filterField(client, command, filter, hint, (text) => {
    filter = text;
    rename(href(here(), filter ? { filter } : {}));
    stop();
    clear();
    wanted = true;
    look();
  });

  function look() {
    const goes = wanted && !over && !document.hidden && client.status.state === "connected";
    if (goes && !run) start();
    else if (!goes) stop();
    replace(button, icon(wanted ? "stop" : "play"), wanted ? t("Stop") : t("Go on"));
  }

  function start() {
    replace(said);
    const sent = request({ command, filter, words: words() });
    if (!sent) return end({ code: "ERR", text: t("Unbalanced quotes in the line.") });
    const mine = (run = client.run(sent, { idempotent: true, onPart: (/** @type {any} */ part) => mine === run && take(part) }));
    mine.done.then(() => mine === run && end(null), (/** @type {any} */ failed) => mine === run && end(failed));
  }

  /** @param {any} failed */
  function end(failed) {
    run = null;
    if (failed?.kind) return void setTimeout(look, AGAIN); // the connection's trouble: it goes on with the next one
    wanted = false;
    if (failed) replace(said, failure(failed));
    look();
  }

  function stop() {
    const was = run;
    run = null;
    was?.cancel();
  }

  document.addEventListener("visibilitychange", look);
  client.addEventListener("status", look);
  clear();
  look();
  return {
    node: h("div", { class: "stack" }, field, h("div", { class: "row" }, button), said),
    leave() {
      over = true;
      document.removeEventListener("visibilitychange", look);
      client.removeEventListener("status", look);
      stop();
    },
  };
}

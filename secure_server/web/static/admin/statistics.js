// @ts-check
/** How much the server does, how fast, and for whom. */

import { h, replace, svg } from "../ui/dom.js";
import { duration } from "../ui/moments.js";
import { table } from "../ui/table.js";
import { number, t } from "../ui/words.js";
import { brief, columnsOf, size } from "./amounts.js";
import { list } from "./list.js";
import { answer, page, section } from "./page.js";
import { Samples, at, figures, spark } from "./points.js";

const EVERY = 2000; // milliseconds
/** @type {WeakMap<object, Samples>} of each client: they are there when the view is come back to */
const known = new WeakMap();

/** @type {import("../ui/router.js").View} */
export function statistics(client) {
  const samples = known.get(client) ?? new Samples();
  known.set(client, samples);
  const lead = h("p", { class: "lead" });
  const drawings = h("div", { class: "figures" });
  /** @type {Map<string, ReturnType<typeof figure>>} */
  const drawn = new Map();
  const busiest = table(columnsOf(["command", "minute", "calls", "failed", "minute_p50", "minute_p99", "minute_max"]), [], { key: "command", caption: t("Busiest commands") });
  const users = table(columnsOf(["user", "minute", "calls", "failed"]), [], { key: "user", caption: t("Busiest users") });
  const transports = table(columnsOf(["transport", "sessions", "minute", "calls", "failed"]), [], { key: "transport", caption: t("Transports") });

  const whole = answer(client, ["SERVER", "STATS"], (place, stats) => {
    samples.add(stats);
    replace(lead, [`${t("Version")} ${at(stats, "version")}`, t("up for {time}", { time: duration(at(stats, "uptime")) })].join(" · "), " ", at(stats, "draining") && h("span", { class: "badge warn" }, t("draining")));
    for (const one of figures(samples, { size, brief })) {
      const there = drawn.get(one.name);
      if (there) there.draw(one);
      else {
        const made = figure();
        made.draw(one);
        drawn.set(one.name, made);
        drawings.append(made.node);
      }
    }
    busiest.update(at(stats, "by_command").slice(0, 10));
    users.update(at(stats, "by_user").slice(0, 10));
    transports.update(at(stats, "by_transport"));
    if (drawings.parentNode !== place) replace(place, lead, drawings, section(t("Busiest commands"), { node: busiest })?.node, section(t("Busiest users"), { node: users })?.node, section(t("Transports"), { node: transports })?.node);
  }, { every: EVERY });
  const slow = list(client, { command: "SERVER SLOW", every: 5 * EVERY });
  const limits = list(client, { command: "SERVER LIMITS", key: "limit", every: 5 * EVERY, cells: { used: (used, row) => [number(used ?? 0), bar(used, row.get("most"), row.get("limit"))] } });
  return page(t("Statistics"), {}, whole, section(t("Slowest commands"), slow), section(t("Limits"), limits));
}

/** How near a limit is. @param {any} used @param {any} most @param {string} name */
const bar = (used, most, name) => typeof most === "number" && most > 0 && h("progress", { max: most, value: Math.min(used ?? 0, most), "aria-label": name });

/** A figure with its line. */
function figure() {
  const [name, value, detail] = [h("p", { class: "figure-name" }), h("p", { class: "figure-value" }), h("p", { class: "small muted" })];
  const [area, stroke] = [svg("path", { class: "area" }), svg("path", { class: "stroke" })];
  const line = svg("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, area, stroke);
  return {
    node: h("div", { class: "figure" }, name, value, line, detail),
    /** @param {import("./points.js").Figure} figure */
    draw(figure) {
      name.textContent = figure.name;
      value.textContent = figure.value;
      detail.textContent = figure.detail;
      const path = spark(figure.points);
      area.setAttribute("d", path.area);
      stroke.setAttribute("d", path.stroke);
    },
  };
}

// @ts-check
/** From what SERVER STATS answers to figures and lines; nothing of the page. */

import { number, t } from "../ui/words.js";

const KEPT = 150; // samples: of one each two seconds, five minutes

/** @typedef {Map<string, any>} Stats @typedef {{name: string, value: string, detail: string, points: number[]}} Figure */

/** @param {Stats} stats @param {string} path such as `process.cpu` @returns {any} null where it is not known */
export function at(stats, path) {
  /** @type {any} */
  let found = stats;
  for (const key of path.split(".")) found = found instanceof Map ? found.get(key) : undefined;
  return found ?? null;
}

/** Samples of one server, from which lines are made. */
export class Samples {
  /** @type {Stats[]} */
  #kept = [];

  /** @param {Stats} stats */
  add(stats) {
    const last = this.#kept.at(-1);
    if (last && at(stats, "uptime") < at(last, "uptime")) this.#kept = []; // it was started anew
    this.#kept.push(stats);
    this.#kept.splice(0, this.#kept.length - KEPT);
  }

  /** The last one. @returns {Stats} */
  get last() {
    return this.#kept.at(-1) ?? new Map();
  }

  /** How something was at each. @param {string} path @returns {number[]} */
  level(path) {
    return this.#kept.map((stats) => Number(at(stats, path) ?? 0));
  }

  /** By how much something grew in a second, between each two. @param {string} path @returns {number[]} */
  rate(path) {
    return this.#kept.slice(1).map((stats, index) => {
      const before = this.#kept[index];
      const seconds = at(stats, "uptime") - at(before, "uptime");
      return seconds > 0 ? Math.max(0, (at(stats, path) - at(before, path)) / seconds) : 0;
    });
  }

  /** What the server itself kept, for each second of the last minute. @param {string} name @returns {number[]} */
  history(name) {
    const seconds = at(this.last, "history.seconds") || 1;
    return (at(this.last, `history.${name}`) ?? []).map((/** @type {number} */ many) => many / seconds);
  }
}

const RECENT = 5; // seconds that a rate is told of

/** The mean of the last few. @param {number[]} points */
export function recent(points) {
  const last = points.slice(-RECENT);
  return last.length ? last.reduce((sum, one) => sum + one, 0) / last.length : 0;
}

/** @param {number} value */
const short = (value) => number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });

/**
 * The figures, each with its line.
 *
 * @param {Samples} samples
 * @param {{size: (bytes: number) => string, brief: (seconds: number | null) => string}} said
 * @returns {Figure[]}
 */
export function figures(samples, { size, brief }) {
  const now = (/** @type {string} */ path) => at(samples.last, path) ?? 0;
  const many = (/** @type {string} */ path) => number(now(path));
  const each = (/** @type {number[]} */ points) => t("{count}/s", { count: short(recent(points)) });
  const failed = (/** @type {string} */ of) => t("{count} failed of {all}", { count: many(`${of}.failed`), all: many(`${of}.total`) });
  const [commands, refused, cpu, shaken] = [samples.history("commands"), samples.history("refused"), samples.rate("process.cpu"), samples.rate("handshakes.total")];
  const out = samples.history("out");
  const traffic = samples.history("in").map((bytes, index) => bytes + (out[index] ?? 0));
  /** @type {[name: string, value: string, detail: string, points: number[]][]} */
  const found = [
    [t("Commands"), each(commands), failed("commands"), commands],
    [t("Median time"), brief(at(samples.last, "commands.p50")), "", samples.level("commands.p50")],
    [t("99th percentile"), brief(at(samples.last, "commands.p99")), t("the longest {time}", { time: brief(at(samples.last, "commands.max")) }), samples.level("commands.p99")],
    [t("Clients"), many("connections.clients"), t("{count} not signed in", { count: many("connections.strangers") }), samples.level("connections.clients")],
    [t("Handshakes"), each(shaken), failed("handshakes"), shaken],
    [t("Refused"), each(refused), t("{count} logins since the start", { count: many("logins.refused") }), refused],
    [t("Workers"), t("{used} of {most}", { used: many("workers.running"), most: many("workers.places") }), t("{waiting} wait, {stuck} are stuck", { waiting: many("workers.waiting"), stuck: many("workers.stuck") }), samples.level("workers.running")],
    [t("Jobs"), many("jobs.running"), t("{waiting} wait", { waiting: many("jobs.waiting") }), samples.level("jobs.running")],
    [t("Memory"), size(now("process.rss")), t("{count} threads", { count: many("process.threads") }), samples.level("process.rss")],
    [t("CPU"), `${short(100 * (cpu.at(-1) ?? 0))} %`, t("of one core"), cpu],
    [t("Traffic"), `${size(recent(traffic))}/s`, `↓ ${size(now("bytes.in"))} ↑ ${size(now("bytes.out"))}`, traffic],
    [t("Descriptors"), many("process.descriptors"), t("of {most}", { most: many("process.most_descriptors") }), samples.level("process.descriptors")],
  ];
  return found.filter(([name]) => name !== t("Jobs") || at(samples.last, "jobs")).map(([name, value, detail, points]) => ({ name, value, detail, points }));
}

/**
 * A line through points, and the area below it, within 100 × 30. What hardly changes is a flat line, not noise.
 *
 * @param {number[]} points the oldest first
 * @returns {{stroke: string, area: string}} paths; empty for fewer than two
 */
export function spark(points) {
  if (points.length < 2) return { stroke: "", area: "" };
  const [most, least] = [Math.max(...points), Math.min(...points)];
  const floor = most - least < most / 10 ? 0 : Math.min(least, 0);
  const high = most - floor || 1;
  const places = points.map((value, index) => `${round((100 * index) / (points.length - 1))} ${round(29 - (28 * (value - floor)) / high)}`);
  const stroke = `M${places.join("L")}`;
  return { stroke, area: `${stroke}V30H0Z` };
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;

// @ts-check
/** From what SERVER STATS answers to figures and lines; nothing of the page. */

import { number, t } from "../ui/words.js";

const KEPT = 150; // samples: of one each two seconds, five minutes

/** @typedef {Map<string, any>} Stats @typedef {{name: string, value: string, detail?: string, points: number[]}} Figure */

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
  const now = (/** @type {string} */ path) => at(samples.last, path);
  const [commands, refused, cpu, shaken] = [samples.history("commands"), samples.history("refused"), samples.rate("process.cpu"), samples.rate("handshakes.total")];
  const traffic = samples.history("in").map((bytes, index) => bytes + (samples.history("out")[index] ?? 0));
  const each = (/** @type {number[]} */ points) => t("{count}/s", { count: short(recent(points)) });
  const of = (/** @type {any} */ used, /** @type {any} */ most) => t("{used} of {most}", { used: number(used ?? 0), most: number(most ?? 0) });
  return [
    { name: t("Commands"), value: each(commands), detail: t("{count} failed of {all}", { count: number(now("commands.failed") ?? 0), all: number(now("commands.total") ?? 0) }), points: commands },
    { name: t("Median time"), value: brief(now("commands.p50")), points: samples.level("commands.p50") },
    { name: t("99th percentile"), value: brief(now("commands.p99")), detail: t("the longest {time}", { time: brief(now("commands.max")) }), points: samples.level("commands.p99") },
    { name: t("Clients"), value: number(now("connections.clients") ?? 0), detail: t("{used} of {most}", { used: number(now("connections.strangers") ?? 0), most: number(now("connections.most_strangers") ?? 0) }) + ` ${t("not signed in")}`, points: samples.level("connections.clients") },
    { name: t("Handshakes"), value: each(shaken), detail: t("{count} failed of {all}", { count: number(now("handshakes.failed") ?? 0), all: number(now("handshakes.total") ?? 0) }), points: shaken },
    { name: t("Refused"), value: each(refused), detail: t("{count} logins since the start", { count: number(now("logins.refused") ?? 0) }), points: refused },
    { name: t("Workers"), value: of(now("workers.running"), now("workers.places")), detail: t("{waiting} wait, {stuck} are stuck", { waiting: now("workers.waiting") ?? 0, stuck: now("workers.stuck") ?? 0 }), points: samples.level("workers.running") },
    now("jobs") && { name: t("Jobs"), value: number(now("jobs.running") ?? 0), detail: t("{waiting} wait", { waiting: now("jobs.waiting") ?? 0 }), points: samples.level("jobs.running") },
    { name: t("Memory"), value: size(now("process.rss") ?? 0), detail: t("{count} threads", { count: now("process.threads") ?? 0 }), points: samples.level("process.rss") },
    { name: t("CPU"), value: `${short(100 * (cpu.at(-1) ?? 0))} %`, detail: t("of one core"), points: cpu },
    { name: t("Traffic"), value: `${size(recent(traffic))}/s`, detail: `↓ ${size(now("bytes.in") ?? 0)} ↑ ${size(now("bytes.out") ?? 0)}`, points: traffic },
    { name: t("Descriptors"), value: number(now("process.descriptors") ?? 0), detail: t("of {most}", { most: number(now("process.most_descriptors") ?? 0) }), points: samples.level("process.descriptors") },
  ].filter(Boolean);
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

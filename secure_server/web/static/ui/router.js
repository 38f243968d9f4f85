// @ts-check
/** Addresses within the page: `#/jobs/7`, `#/run/DISK?path=/srv`. They show and fill, and never run anything. */

import { h, replace } from "./dom.js";
import { t } from "./words.js";

/**
 * @typedef {Record<string, string> & {query: URLSearchParams}} Parameters
 *     the parts of the pattern by their names, and what stands behind the question mark
 * @typedef {{node: Element, title?: string, leave?: () => void}} Shown
 *     `leave` is called when another view takes its place: listeners and timers end there
 * @typedef {(client: any, parameters: Parameters) => Shown} View
 */

const routes = /** @type {{pattern: RegExp, names: string[], view: View}[]} */ ([]);
let shown = /** @type {Shown | null} */ (null);
let outlet = /** @type {Element | null} */ (null);
let client = /** @type {any} */ (null);
let told = (/** @type {string} */ _path) => {};

/**
 * Say what an address shows: `route("/jobs/:number", view)`. The first pattern that matches is taken.
 *
 * @param {string} pattern `:name` is one part, `*name` all that is left
 * @param {View} view
 */
export function route(pattern, view) {
  /** @type {string[]} */
  const names = [];
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/([:*])(\w+)/g, (_all, kind, name) => {
    names.push(name);
    return kind === ":" ? "([^/]+)" : "(.*)";
  });
  routes.push({ pattern: new RegExp(`^${source}$`), names, view });
}

/**
 * The address of a view: `href("/run/DISK", {path: "/srv", tag: ["a", "b"]})` is `#/run/DISK?path=%2Fsrv&tag=a&tag=b`.
 *
 * @param {string | string[]} path parts of a list are encoded: `["run", name]`
 * @param {Record<string, string | number | string[]>} [query]
 */
export function href(path, query = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) search.append(name, String(one));
  const whole = typeof path === "string" ? path : `/${path.map(encodeURIComponent).join("/")}`;
  return `#${whole}${search.size ? `?${search}` : ""}`;
}

/** Go to an address. @param {string | string[]} path as of `href` @param {Record<string, string | number | string[]>} [query] */
export function go(path, query) {
  const address = href(path, query);
  if (location.hash === address) show();
  else location.hash = address;
}

/** Write another address for what is shown, without showing it anew. @param {string} address as from `href` */
export function rename(address) {
  history.replaceState(null, "", address);
}

/** The path of what is shown, such as `/jobs/7`. */
export function here() {
  return (location.hash.slice(1) || "/").split("?")[0] || "/";
}

/**
 * Show views within a node from now on; null ends that.
 *
 * @param {Element | null} place
 * @param {any} [ofClient]
 * @param {(path: string) => void} [listener] is told of each path that is shown
 */
export function start(place, ofClient = null, listener = () => {}) {
  leave();
  [outlet, client, told] = [place, ofClient, listener];
  if (place) show();
}

/** Show the address anew. */
export function show() {
  if (!outlet) return;
  leave();
  const path = here();
  const question = location.hash.indexOf("?");
  const query = new URLSearchParams(question < 0 ? "" : location.hash.slice(question + 1));
  shown = found(path, query);
  replace(outlet, shown.node);
  const title = shown.title ?? shown.node.querySelector("h1")?.textContent;
  document.title = title ? `${title} · ${location.hostname}` : location.hostname;
  told(path);
}

/** @param {string} path @param {URLSearchParams} query @returns {Shown} */
function found(path, query) {
  for (const { pattern, names, view } of routes) {
    const match = pattern.exec(path);
    if (!match) continue;
    try {
      const parts = names.map((name, index) => [name, decoded(match[index + 1])]);
      return view(client, Object.assign(Object.fromEntries(parts), { query }));
    } catch (error) {
      console.error(error);
      return { node: missing(t("This cannot be shown."), String(error)) };
    }
  }
  return { node: missing(t("There is nothing at this address."), path) };
}

/** What stands for a text in an address; what stands for none is itself. @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} title @param {string} detail */
function missing(title, detail) {
  const way = h("a", { class: "button", href: "#/" }, t("To the commands"));
  return h("section", { class: "empty" }, h("h1", null, title), h("p", { class: "muted" }, detail), way);
}

function leave() {
  const before = shown;
  shown = null;
  before?.leave?.();
}

globalThis.addEventListener?.("hashchange", () => {
  if (!location.hash.startsWith("#/") && location.hash) return; // a link within the page, or an enrolment
  show();
  if (outlet instanceof HTMLElement) outlet.focus({ preventScroll: true });
  scrollTo(0, 0);
});

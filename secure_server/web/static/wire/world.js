// What the client has of the browser, so that tests can have another one.

/**
 * @typedef {object} World
 * @property {(url: string, protocol: string) => WebSocket} socket
 * @property {() => number} now milliseconds since 1970
 * @property {(milliseconds: number, act: () => void) => () => void} after returns what calls it off
 * @property {() => number} random from 0 to 1
 * @property {() => string} key one that nobody else has
 * @property {(act: () => void) => void} onSign calls when the network or the person may be back
 */

/** @type {World} */
export const BROWSER = {
  socket: (url, protocol) => new WebSocket(url, protocol),
  now: () => Date.now(),
  after(milliseconds, act) {
    const timer = setTimeout(act, milliseconds);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  key: () => crypto.randomUUID(),
  onSign(act) {
    if (typeof window === "undefined") return;
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && act());
    for (const sign of ["online", "pageshow"]) window.addEventListener(sign, act);
  },
};

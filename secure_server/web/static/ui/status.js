// @ts-check
/** How the connection stands, always seen; and what to do where it does not. */

import { saying } from "./cell.js";
import { h, replace } from "./dom.js";
import { duration } from "./moments.js";
import { explain } from "./explain.js";
import { t } from "./words.js";

/**
 * @param {any} client
 * @returns {{chip: HTMLElement, banner: HTMLElement, leave: () => void}} a word for the head of the page, and what is
 *     said below it while there is no connection
 */
export function status(client) {
  const dot = h("span", { class: "dot" });
  const word = h("span", null);
  const chip = h("div", { class: "badge state", role: "status" }, dot, word);
  const banner = h("section", { class: "banner", "aria-live": "polite", hidden: true });
  const left = h("span", { "aria-hidden": "true" });
  let timer = 0;

  function look() {
    const { state, error = null, retryAt = 0 } = client.status;
    clearInterval(timer);
    dot.className = `dot ${{ connected: "good", stopped: "bad" }[/** @type {"stopped"} */ (state)] ?? "busy"}`;
    word.textContent = {
      connected: t("Connected"),
      connecting: t("Connecting"),
      waiting: t("Reconnecting"),
      stopped: t("Disconnected"),
    }[/** @type {"stopped"} */ (state)] ?? t("Signed out");
    banner.hidden = state === "connected" || state === "signed-out" || !(error || retryAt);
    banner.className = `banner ${state === "stopped" ? "bad" : "warn"}`;
    const buttons = [];
    if (state !== "connecting") buttons.push(h("button", { type: "button", onclick: () => client.reconnect() }, state === "waiting" ? t("Try now") : t("Connect again")));
    if (state === "stopped") buttons.push(h("button", { type: "button", class: "quiet", onclick: () => client.signOut() }, t("Another token")));
    const said = error ? saying(error) : t("There is no connection.");
    const more = error?.kind === "never-opened" && h("details", null, h("summary", null, t("What can I do?")), explain(error));
    replace(banner, h("div", { class: "banner-text" }, h("p", null, said, " ", state === "waiting" ? left : null), more), h("div", { class: "row" }, buttons));
    if (state !== "waiting" || !retryAt) return;
    tick();
    timer = setInterval(tick, 1000);
  }

  function tick() {
    const seconds = (client.status.retryAt - Date.now()) / 1000;
    left.textContent = t("Next try in {time}.", { time: duration(seconds) });
  }

  client.addEventListener("status", look);
  look();
  return {
    chip,
    banner,
    leave() {
      clearInterval(timer);
      client.removeEventListener("status", look);
    },
  };
}

// @ts-check
/** The console: commands, one input line, jobs. */

import { h } from "../ui/dom.js";
import { t } from "../ui/words.js";

/** @param {typeof import("../ui/router.js").route} route */
export function register(route) {
  route("/", () => ({ node: h("section", { class: "page" }, h("h1", null, t("Commands"))) }));
}

/** @param {any} _client @returns {import("../ui/shell.js").Link[]} */
export function links(_client) {
  return [{ href: "#/", text: t("Commands"), icon: "commands", under: ["/run/"] }];
}

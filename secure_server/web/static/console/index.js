// @ts-check
/** The console: commands, one input line, jobs. */

import { learn, t } from "../ui/words.js";
import { formView } from "./form.js";
import { jobView, jobsView } from "./jobs.js";
import { listView } from "./list.js";
import { PT_BR } from "./pt-br.js";

learn(PT_BR);

/** @param {typeof import("../ui/router.js").route} route */
export function register(route) {
  route("/", listView);
  route("/run/*name", formView);
  route("/jobs", jobsView);
  route("/jobs/:number", jobView);
}

/** @param {import("../wire/client.js").Client} client @returns {import("../ui/shell.js").Link[]} */
export function links(client) {
  const jobs = client.catalogue.find(["JOBS"]) ? [{ href: "#/jobs", text: t("Jobs"), icon: "jobs" }] : [];
  return [{ href: "#/", text: t("Commands"), icon: "commands", under: ["/run/"] }, ...jobs];
}

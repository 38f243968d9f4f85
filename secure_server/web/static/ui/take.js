// @ts-check
/** What people take away: into the clipboard, or as a file. */

import { notify } from "./notices.js";
import { t } from "./words.js";

/** Copy a text, and say so. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notify(t("Copied."), { kind: "good" });
  } catch {
    notify(t("The browser does not let the page copy: select the text and copy it."), { kind: "warn" });
  }
}

/** Offer a text as a file. @param {string} name @param {string | Blob} content */
export function save(name, content) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: "text/plain" }));
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

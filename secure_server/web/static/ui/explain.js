// @ts-check
/** Why somebody does not get in, and what to do about it. */

import { saying } from "./cell.js";
import { h, replace } from "./dom.js";
import { duration } from "./moments.js";
import { t } from "./words.js";

/** @param {any} error as the client gives it: a Failure @param {{certificate?: boolean, link?: boolean}} [by] the way in */
export function explain(error, { certificate = false, link = false } = {}) {
  const kind = error?.kind ?? "";
  const advice = h("div", { class: "stack small" });
  const said = h("div", { class: "alert bad", role: "alert" }, h("p", null, error?.code ? saying(error) : String(error)), advice);
  /** @param {string} first @param {...string} points */
  const tell = (first, ...points) => replace(advice, h("p", null, first), points.length ? h("ul", { class: "points" }, points.map((point) => h("li", null, point))) : null);
  if (kind === "never-opened" || kind === "no-answer") diagnose(tell);
  else if (link && (kind === "refused" || kind === "token"))
    tell(t("A link is good once, and for a time. It may have been used or be over: ask the administrator for a new one."));
  else if (kind === "refused")
    tell(t("It may have expired, been revoked or been used up: ask the administrator for a new one."));
  else if (certificate && kind === "no-token")
    tell(t("This browser showed no certificate that is enough. Reload the page and choose one when asked, or use a token."));
  else if (error?.retryAfter) tell(t("Try again in {time}.", { time: duration(error.retryAfter) }));
  return said;
}

/**
 * Browsers do not tell a page why its socket failed, so ask by the way that the page itself came.
 *
 * @param {(first: string, ...points: string[]) => void} tell
 */
async function diagnose(tell) {
  tell(t("Looking for the reason…"));
  try {
    await fetch("/", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(8000) });
  } catch {
    const gone = t("The server cannot be reached: it may be stopped, or a network down.");
    tell(gone, t("Or its certificate has changed: open this address in a new tab, and see whether the browser warns."));
    return;
  }
  const apple = /iP(hone|ad|od)|Macintosh.*Safari/.test(navigator.userAgent) && !/Chrom|Firefox/.test(navigator.userAgent);
  const ca = t("The browser does not trust the server's certificate; going on past its warning is not enough. Install the server's CA certificate (secure-server certs trust says how).");
  const safari = t("On an iPhone or iPad: open the CA certificate, install it, and switch it on in Settings, General, About, Certificate Trust Settings. On a Mac: trust it in the keychain.");
  const proxy = t("A proxy passes no WebSocket on, or web.origins of the server does not name {origin}: tell the administrator.", { origin: location.origin });
  const full = t("The server has no room for the moment: try again shortly.");
  tell(t("The page came, but its connection did not open. One of these is the reason:"), ca, ...(apple ? [safari] : []), proxy, full);
}

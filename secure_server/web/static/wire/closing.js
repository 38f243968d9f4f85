// Why a connection ended, and whether to come back by oneself; docs/protocol.md, "The end of a connection".

import { Trouble } from "./trouble.js";
/** @import { Failure, Push } from "./resp3.js" */
/** @import { Kind } from "./trouble.js" */

const MOST_RETRY_AFTER = 3600; // seconds: a server may send its clients away for an hour
const MOST_AWAY = 7 * 86400; // and an administrator somebody for a week
const NEVER = ["goodbye", "kicked", "banned", "revoked", "expired", "auth-failed", "protocol-error"];
/** @type {Map<string, Kind>} by reasons of an end, and by codes of errors in reply to HELLO */
const KINDS = new Map([
  ["kicked", "kicked"], ["banned", "banned"], ["revoked", "revoked"], ["expired", "expired"], ["auth-failed", "refused"],
  ["WRONGPASS", "refused"], ["NOPERM", "refused"], ["NOMECHANISM", "refused"], ["NOAUTH", "no-token"],
  ["BANNED", "banned"], ["THROTTLED", "busy"], ["DRAINING", "busy"], ["UNAVAILABLE", "busy"],
]);
const RETRY_AFTER = /[;,]?\s*\bretry-after=(\d{1,9})\b/;
const REASON = /\breason=([a-z-]{1,40})\s*/;

/** @param {Kind} kind @param {string} server @param {string} reason @param {string|number|undefined} seconds @param {string} said */
function trouble(kind, server, reason, seconds, said) {
  const wait = /^\d+$/.test(String(seconds)) ? Number(seconds) : null;
  const most = reason === "kicked" || reason === "banned" ? MOST_AWAY : MOST_RETRY_AFTER;
  return new Trouble(kind, { server, reason }, { said, reason, retryAfter: wait && Math.min(wait, most) });
}

/** Read `closed <reason> <retry-after or -1> <sentence>`. @param {string} server @param {Push} push */
export function fromPush(server, { items: [word = "", seconds, said = ""] }) {
  const reason = String(word);
  return trouble(KINDS.get(reason) ?? "closed", server, reason, String(seconds), String(said));
}

/**
 * Read a close frame, whose reason begins with the stable word; null where it says nothing of the sort.
 * @param {string} server @param {number} code @param {string} text
 */
export function fromFrame(server, code, text) {
  const reason = /^[a-z-]{1,40}(?= |$)/.exec(text)?.[0];
  if (code === 1006 || !reason) return null;
  return trouble(KINDS.get(reason) ?? "closed", server, reason, RETRY_AFTER.exec(text)?.[1], "");
}

/**
 * What an error means in reply to HELLO, and `-CLOSED reason=<reason> retry-after=<n> <sentence>` at any time.
 * @param {string} server @param {Failure} failure
 */
export function fromFailure(server, { code, text }) {
  const said = text.replace(RETRY_AFTER, "").replace(REASON, "").trim();
  const reason = code === "CLOSED" ? (REASON.exec(text)?.[1] ?? "") : code === "BANNED" ? "banned" : "";
  const kind = KINDS.get(code === "CLOSED" ? reason : code) ?? (code === "CLOSED" ? "closed" : "protocol");
  return trouble(kind, server, reason, RETRY_AFTER.exec(text)?.[1], said);
}

/**
 * What to do after a connection, or a try at one: come back `later`, `on-use` when something is asked for, or `never`.
 * A refused token does not become good by itself. Whoever was told when to come back does so then.
 * @param {Trouble} trouble
 */
export function policy({ kind, reason, retryAfter }) {
  if (kind === "refused" || kind === "no-token") return "never";
  if (retryAfter !== null) return "later";
  if (NEVER.includes(reason)) return "never";
  return reason === "idle" ? "on-use" : "later";
}

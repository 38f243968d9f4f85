// Why a connection ended, and whether to come back by oneself; the rules of docs/protocol.md, "The end of a connection".

import { Trouble } from "./trouble.js";
/** @import { Failure, Push } from "./resp3.js" */
/** @import { Kind } from "./trouble.js" */

const MOST_RETRY_AFTER = 3600; // seconds: a server may send its clients away for an hour
const MOST_AWAY = 7 * 86400; // and an administrator somebody for a week
const NEVER = ["goodbye", "kicked", "banned", "revoked", "expired", "auth-failed", "protocol-error"];
const KINDS = { kicked: "kicked", banned: "banned", revoked: "revoked", expired: "expired", "auth-failed": "refused" };
const BY_CODE = { WRONGPASS: "refused", NOPERM: "refused", NOMECHANISM: "refused", NOAUTH: "no-token", BANNED: "banned",
  THROTTLED: "busy", DRAINING: "busy", UNAVAILABLE: "busy" };
const RETRY_AFTER = /[;,]?\s*\bretry-after=(\d{1,9})\b/;
const REASON = /\breason=([a-z-]{1,40})\s*/;

/**
 * What to raise where the server said why it ends the connection.
 * @param {string} server
 * @param {string} reason
 * @param {number|null} seconds
 * @param {string} said
 */
function ended(server, reason, seconds, said) {
  const kind = /** @type {Kind} */ (Object.hasOwn(KINDS, reason) ? KINDS[/** @type {"kicked"} */ (reason)] : "closed");
  return new Trouble(kind, { server, reason }, { said, reason, retryAfter: bounded(seconds, reason) });
}

/**
 * @param {number|null} seconds
 * @param {string} reason
 */
function bounded(seconds, reason) {
  return seconds && Math.min(seconds, reason === "kicked" || reason === "banned" ? MOST_AWAY : MOST_RETRY_AFTER);
}

/** @param {string} text */
function retryAfter(text) {
  const found = RETRY_AFTER.exec(text);
  return found && Number(found[1]);
}

/**
 * Read `closed <reason> <retry-after or -1> <sentence>`.
 * @param {string} server
 * @param {Push} push
 */
export function fromPush(server, { items: [reason = "", seconds = -1, said = ""] }) {
  return ended(server, String(reason), Number(seconds) >= 0 ? Number(seconds) : null, String(said));
}

/**
 * Read a close frame, whose reason begins with the stable word; null where it says nothing of the sort.
 * @param {string} server
 * @param {number} code
 * @param {string} text
 */
export function fromFrame(server, code, text) {
  const reason = /^[a-z-]{1,40}(?= |$)/.exec(text)?.[0];
  return code === 1006 || !reason ? null : ended(server, reason, retryAfter(text), "");
}

/**
 * Read `-CLOSED reason=<reason> retry-after=<n> <sentence>`.
 * @param {string} server
 * @param {Failure} failure
 */
export function fromFailure(server, { text }) {
  const said = text.replace(RETRY_AFTER, "").replace(REASON, "").trim();
  return ended(server, REASON.exec(text)?.[1] ?? "", retryAfter(text), said);
}

/**
 * What an error in reply to HELLO means.
 * @param {string} server
 * @param {Failure} failure
 */
export function refusal(server, failure) {
  const { code, text } = failure;
  if (code === "CLOSED") return fromFailure(server, failure);
  const kind = /** @type {Kind} */ (Object.hasOwn(BY_CODE, code) ? BY_CODE[/** @type {"NOAUTH"} */ (code)] : "protocol");
  const reason = kind === "banned" ? "banned" : "";
  return new Trouble(kind, { server }, { said: text.replace(RETRY_AFTER, ""), reason, retryAfter: bounded(retryAfter(text), reason) });
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

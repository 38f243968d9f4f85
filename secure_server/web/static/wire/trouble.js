// What goes wrong at the client itself, in sentences that the page can translate.

import { Failure } from "./resp3.js";

const SENTENCES = {
  "never-opened": "The connection to {server} could not be opened.",
  "no-answer": "{server} did not answer in time.",
  lost: "The connection to {server} was lost.",
  protocol: "{server} sent what is no reply of its protocol.",
  closed: "{server} ended the connection: {reason}.",
  kicked: "An administrator of {server} ended this session.",
  banned: "{server} keeps you out.",
  revoked: "Your access to {server} was revoked.",
  expired: "Your access to {server} has expired.",
  refused: "{server} refused the token.",
  "no-token": "{server} wants a token.",
  busy: "{server} does not let you in now.",
  token: "This is no token: copy it whole. Nothing was sent to the server.",
  "may-have-run": "{cause} The command was sent and may have run: check before you send it again.",
  "broke-off": "{cause} The answer broke off, and how the command ended is not known: check before you repeat it.",
  "job-left": "{cause} Job {job} goes on; it can be followed again from part {next}.",
  detached: "Job {job} goes on; it can be followed again from part {next}.",
  "not-sent": "The command was not sent.",
  "signed-out": "You are not signed in.",
  "too-many": "More than {limit} requests wait for answers.",
  "too-long": "The answer is too long to be shown in one piece.",
  "not-here": "{command} is about the connection itself, which this page keeps.",
};

/** @typedef {keyof typeof SENTENCES} Kind */
/** @typedef {{said?: string, reason?: string, retryAfter?: number|null, cause?: Error, job?: number|null}} More */

/**
 * Something went wrong at the client. Beside `text` there is what it was made of, for whoever translates it: `sentence`,
 * `values`, what the server `said`, and the `cause`. `reason` is a close reason's stable word, `retryAfter` the seconds
 * that the server asked to be left alone for.
 */
export class Trouble extends Failure {
  /** @param {Kind} kind @param {Record<string, any>} [values] @param {More} [more] */
  constructor(kind, values = {}, { said = "", reason = "", retryAfter = null, cause, job = null } = {}) {
    const sentence = SENTENCES[kind];
    const whole = sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
    super(kind.toUpperCase(), said ? `${whole} (${said})` : whole);
    this.kind = kind;
    this.sentence = sentence;
    this.values = values;
    this.said = said;
    this.reason = reason;
    this.retryAfter = retryAfter;
    this.cause = cause;
    this.job = job;
  }
}

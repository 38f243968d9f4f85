// @ts-check
/** The way in: a token, a link that is exchanged for one, or the browser's certificate. */

import { h, replace } from "./dom.js";
import { explain } from "./explain.js";
import { icon } from "./icons.js";
import { preferences } from "./preferences.js";
import { status } from "./status.js";
import { copy, save } from "./take.js";
import { t } from "./words.js";

const LINK = /(?:#enroll=|^scs:.*[?&]token=)([^&\s]+)/;

/** The token of a link, or an empty text. @param {string} text */
export function linked(text) {
  const found = LINK.exec(text)?.[1] ?? "";
  try {
    return decodeURIComponent(found);
  } catch {
    return found; // which is no token, and is said to be none
  }
}

/**
 * Take the token of a link out of the address, before anything of it can be kept, sent or looked at.
 *
 * @returns {string} empty where the address is another
 */
export function takeLink() {
  const token = linked(location.hash);
  if (token) history.replaceState(null, "", `${location.pathname}#/`);
  return token;
}

/**
 * Where nobody is signed in.
 *
 * @param {any} client
 * @param {{link?: string, error?: any, again: () => void}} options `link`: a token to exchange. `error`: why the last
 *     session is over. `again`: draws the page anew in another language
 */
export function signIn(client, { link = "", error = null, again }) {
  const card = h("div", { class: "card" });
  const sheet = h("main", { id: "main", class: "way-in", tabindex: -1 }, brand(), card, preferences(client, again));
  if (link) exchange(link);
  else ask(error && explain(error));
  return sheet;

  /** @param {HTMLElement | null} [trouble] */
  function ask(trouble = null) {
    // The name is for password managers alone: the token says who it is.
    const name = h("input", { class: "unseen", name: "username", autocomplete: "username", tabindex: -1, "aria-label": t("Name") });
    const [token, seen] = secret("current-password");
    const said = h("div", { "aria-live": "polite" }, trouble);
    const button = h("button", { class: "primary" }, t("Sign in"));
    const other = h("button", { type: "button", onclick: () => attempt(() => client.signInByCertificate(), true) }, t("Use this browser's certificate"));
    const cancel = h("button", { type: "button", hidden: true, onclick: () => client.signOut() }, t("Cancel"));
    const hint = h("p", { class: "hint", id: "hint" }, t("Paste the token or the link that your administrator gave you. It is kept in this page alone: a reload asks again."));
    token.setAttribute("aria-describedby", "hint");
    const field = h("div", { class: "field" }, h("label", { for: token.id }, t("Token")), seen, hint);
    const or = h("p", { class: "or muted small" }, t("or"));
    const form = h("form", { class: "stack", onsubmit: submit, novalidate: true }, said, name, field, button, or, other, cancel);
    replace(card, h("h1", null, t("Sign in")), form);
    queueMicrotask(() => token.focus()); // by then it is on the page

    /** @param {Event} event */
    function submit(event) {
      event.preventDefault();
      const pasted = token.value.trim();
      const found = linked(pasted);
      if (found) exchange(found);
      else if (pasted) attempt(async () => (name.value = (await client.signIn(pasted)).user));
      else token.focus();
    }

    /** @param {() => Promise<unknown>} way @param {boolean} [certificate] */
    async function attempt(way, certificate = false) {
      const { banner, leave } = status(client); // where the server asks for time, it is waited for
      busy(true);
      try {
        const signed = way();
        replace(said, banner);
        await signed;
      } catch (/** @type {any} */ failed) {
        replace(said, failed.kind === "signed-out" ? null : explain(failed, { certificate }));
        busy(false);
        token.select();
      } finally {
        leave();
      }
    }

    /** @param {boolean} is */
    function busy(is) {
      button.disabled = is;
      [other.hidden, cancel.hidden] = [is, !is];
      replace(button, is ? [h("span", { class: "spinner" }), t("Signing in…")] : t("Sign in"));
    }
  }

  /** @param {string} token */
  async function exchange(token) {
    replace(card, h("h1", null, t("One moment")), h("p", { class: "row", role: "status" }, h("span", { class: "spinner" }), t("Your link is being exchanged for a token…")));
    try {
      keep(await client.enrol(token));
    } catch (failed) {
      const again = h("button", { class: "primary", onclick: () => exchange(token) }, t("Try again"));
      const other = h("button", { class: "quiet", onclick: () => ask() }, t("Use a token"));
      replace(card, h("h1", null, t("This link does not work")), explain(failed, { link: true }), h("div", { class: "form-end" }, again, other));
    }
  }

  /** @param {{token: string, user?: string}} kept */
  function keep({ token, user = "" }) {
    const name = h("input", { id: "name", name: "username", autocomplete: "username", value: user || location.hostname, readonly: Boolean(user) });
    const [field, seen] = secret("current-password", token);
    const said = h("div", { "aria-live": "polite" });
    const button = h("button", { class: "primary" }, icon("check"), t("I have saved it: sign in"));
    const file = () => save(`${name.value}-${location.hostname}.txt`, `${token}\n`);
    const away = h("div", { class: "row" },
      h("button", { type: "button", onclick: () => copy(token) }, icon("copy"), t("Copy")),
      h("button", { type: "button", onclick: file }, icon("download"), t("Save as a file")));
    const form = h("form", { class: "stack", onsubmit: submit }, said,
      h("div", { class: "field" }, h("label", { for: "name" }, t("Name")), name),
      h("div", { class: "field" }, h("label", { for: field.id }, t("Token")), seen),
      away, h("p", { class: "hint" }, t("Your browser may offer to keep it as a password. Until you sign in the link stays good: it can be opened again.")), button);
    replace(card, h("h1", null, t("Save your token")), h("p", { class: "muted" }, t("It is yours from now on, and shown this once; keep it like a password.")), form);
    away.querySelector("button")?.focus();

    /** @param {Event} event */
    async function submit(event) {
      event.preventDefault();
      button.disabled = true;
      try {
        await client.signIn(token);
        remember(name.value, token);
      } catch (failed) {
        button.disabled = false;
        replace(said, explain(failed));
      }
    }
  }
}

/** The name of the place. */
export function brand() {
  return h("a", { class: "brand", href: "#/" }, h("img", { src: "/ui/icon.svg", alt: "", width: 32, height: 32 }), h("span", null, location.host));
}

/**
 * A field for a token, which can be looked at.
 *
 * @param {string} complete
 * @param {string} [value] shown, and not to be changed
 * @returns {[HTMLInputElement, HTMLElement]}
 */
function secret(complete, value = "") {
  const field = h("input", { id: "token", name: "password", type: "password", autocomplete: complete, value, readonly: Boolean(value), required: true, class: "mono", autocapitalize: "off", spellcheck: "false" });
  const look = h("button", { type: "button", class: "icon-only", "aria-label": t("Show the token"), "aria-pressed": "false", onclick }, icon("eye"));
  return [field, h("div", { class: "with-button" }, field, look)];

  function onclick() {
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    look.ariaPressed = String(shown);
  }
}

/** Offer a token to the browser's passwords, where the browser has a way for pages. @param {string} id @param {string} password */
function remember(id, password) {
  const { PasswordCredential: Credential } = /** @type {any} */ (globalThis);
  if (Credential) navigator.credentials.store(new Credential({ id, name: id, password })).catch(() => {});
}

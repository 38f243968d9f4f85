// @ts-check
/** The page: who is signed in sees the views within the shell, everybody else the way in. */

import * as admin from "./admin/index.js";
import * as rooms from "./console/index.js";
import { confirm } from "./ui/dialog.js";
import { replace } from "./ui/dom.js";
import { forget, notices, notify } from "./ui/notices.js";
import { route, show } from "./ui/router.js";
import { shell } from "./ui/shell.js";
import { signIn, takeLink } from "./ui/signin.js";
import "./ui/theme.js";
import { language, t } from "./ui/words.js";
import { Client } from "./wire/client.js";

let link = takeLink(); // first of all: nothing may see it in the address
document.documentElement.lang = language();
rooms.register(route);
admin.register(route);

const client = new Client(`wss://${location.host}/v1/session`, { language: language(), name: "page" });
const links = () => [...rooms.links(client), ...admin.links(client)];
/** @type {string | null} who sees the shell; null before anything is drawn, and empty for the way in */
let drawn = null;
let leave = () => {};

function draw() {
  leave();
  const { account, status } = client;
  drawn = account ? `${account.user} ${account.role}` : "";
  if (account) {
    const frame = shell(client, links, draw);
    leave = frame.leave;
    replace(document.body, frame.nodes);
    frame.begin();
    return;
  }
  leave = () => {};
  forget();
  document.title = `${t("Sign in")} · ${location.hostname}`;
  replace(document.body, signIn(client, { link, error: status.error, again: draw }), notices().place);
  link = "";
}

function look() {
  // Later, for a form has its last word first: password managers look at it when it goes.
  setTimeout(() => {
    const { account } = client;
    if ((account ? `${account.user} ${account.role}` : "") !== drawn) draw();
  });
}

client.addEventListener("status", look);
client.addEventListener("account", look);
client.addEventListener("message", (event) => {
  const { kind, items } = /** @type {CustomEvent} */ (event).detail;
  if (kind === "message") notify(String(items[1] ?? ""), { from: String(items[0] ?? "") });
  else notify(items.map(String).join(" "), { from: kind });
});

addEventListener("hashchange", async () => {
  const found = takeLink();
  if (!found) return;
  const question = t("You are signed in as {user}. Sign out, and use the link?", { user: client.account?.user });
  if (client.account && !(await confirm({ title: t("A link to sign in"), text: question, action: t("Use the link") }))) {
    show();
    return;
  }
  link = found;
  if (client.account) client.signOut();
  else draw();
});

draw();

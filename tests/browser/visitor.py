"""A person at the page: finds things by what they are called, and hears everything that the browser complains of."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.chromium import PATIENCE_MS, Context, Locator, Message, Page

WATCHING = """
globalThis.violations = [];
globalThis.pwned = 0;
globalThis.sockets = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample, sourceFile, lineNumber }) =>
  violations.push(`${violatedDirective}: ${blockedURI} ${sample} at ${sourceFile}:${lineNumber}`));
globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    sockets.push(location.href);
  }
};
"""
"""In each page before its own scripts: what its policy refuses, whether text ran, and where a socket was opened."""

KEPT = """
async () => JSON.stringify([
  { ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state, document.title,
  performance.getEntriesByType("resource").map(({ name }) => name), sockets, await indexedDB.databases(),
  [...document.querySelectorAll("*")].flatMap((one) => [...one.attributes].map(({ value }) => value)),
  document.documentElement.outerHTML,
])
"""
"""All that a page keeps beyond its memory, or shows."""


class Visitor:
    """One page, and what was seen of it.

    Args:
        context: a person's own cookies and storage.
        origin: the server's, such as `https://localhost:5000`.

    Attributes:
        context, origin: these.
        page: Playwright's.
        said: what the browser's console has.
        allowed: what in there is no fault: regular expressions.
    """

    def __init__(self, context: Context, origin: str) -> None:
        self.context = context
        self.origin = origin
        self.said: list[str] = []
        self.allowed: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCHING)
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def _heard(self, message: Message) -> None:
        self.said.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    # What a person does

    def open(self, fragment: str = "") -> None:
        """Load the page."""
        self.page.goto(f"{self.origin}/{fragment}")

    def reload(self) -> None:
        """Load it again, and forget what it had in its memory."""
        self.page.reload()

    def sign_in(self, token: str) -> None:
        """Paste a token, and wait for the connection."""
        self.try_token(token)
        self.connected()

    def try_token(self, token: str) -> None:
        """Paste a token."""
        self.page.get_by_label("Token", exact=True).fill(token)
        self.button("Sign in").click()

    def go(self, address: str) -> None:
        """Type an address within the page, such as `#/jobs`."""
        self.page.evaluate("(address) => { location.hash = address; }", address)

    def type(self, line: str) -> None:
        """Type a command into the line, and send it."""
        self.line().fill(line)
        self.line().press("Enter")

    def stop_the_clock(self) -> None:
        """Have the page's time stand still from here on: nothing is tried because time goes by."""
        self.page.clock.install()
        self.page.clock.pause_at(self.page.evaluate("() => Date.now() + 1000"))

    # What a person sees

    def line(self) -> Locator:
        """Return the line that commands are typed into."""
        return self.page.get_by_role("combobox", name="Type a command")

    def run(self, title: str) -> Locator:
        """Return what the page shows of the newest run whose command was that."""
        heading = self.page.get_by_role("heading", name=title, exact=True)
        return self.page.get_by_role("article").filter(has=heading).first

    def ended(self, title: str, state: str = "done") -> Locator:
        """Return the newest run whose command was that, once it has ended."""
        found = self.run(title)
        found.locator(".badge").get_by_text(state).wait_for()
        return found

    def button(self, name: str) -> Locator:
        """Return a button by its whole name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def text(self, said: str | re.Pattern[str]) -> Locator:
        """Return what says this."""
        return self.page.get_by_text(said)

    def main(self) -> Locator:
        """Return what is between navigation and end."""
        return self.page.get_by_role("main")

    def connected(self) -> None:
        """Wait until the page says so."""
        self.says("Connected")

    def says(self, state: str) -> None:
        """Wait until the state of the connection is said to be that."""
        self.page.locator("header").get_by_role("status").get_by_text(state, exact=True).wait_for()

    def asked_for_token(self) -> None:
        """Wait until nobody is signed in."""
        self.page.get_by_role("heading", name="Sign in").wait_for()

    # What a person does not see

    def kept(self) -> str:
        """Return all that outlives the page's memory, and all that it shows."""
        kept: str = self.page.evaluate(KEPT)
        return kept

    def complaints(self) -> list[str]:
        """Return what the browser refused or the page broke: all of it is a fault."""
        found = [said for said in self.said if said.startswith(("error", "warning", "assert"))]
        if not self.page.is_closed() and self.page.url.startswith(self.origin):
            found += self.page.evaluate("() => globalThis.violations ?? []")
            if ran := self.page.evaluate("() => globalThis.pwned ?? 0"):
                found.append(f"what was to be text ran {ran} times")
        return [one for one in found if not any(re.search(allowed, one) for allowed in self.allowed)]

    def picture(self, path: Path) -> Path:
        """Make a screenshot."""
        self.page.screenshot(path=path, full_page=True)
        return path


def miscopied(token: str) -> str:
    """Return what is no token any more: its last character is another one."""
    return token[:-1] + ("x" if token[-1] != "x" else "y")

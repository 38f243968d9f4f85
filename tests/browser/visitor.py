"""A person at the page: finds things by what they are called, and hears everything that the browser complains of."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.chromium import PATIENCE_MS, Context, Message, Page

WATCHING = """
globalThis.violations = [];
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample, sourceFile, lineNumber }) =>
  violations.push(`${violatedDirective}: ${blockedURI} ${sample} at ${sourceFile}:${lineNumber}`));
globalThis.pwned = 0;
"""
"""In each page before its own scripts: what its policy refuses, and whether anything of ours to try it ran."""


class Visitor:
    """One page, and what was seen of it.

    Args:
        context: a person's own cookies and storage.
        origin: the server's, such as `https://localhost:5000`.

    Attributes:
        page: Playwright's.
        said: what the browser's console has.
        allowed: what in there is no fault: regular expressions.
    """

    def __init__(self, context: Context, origin: str) -> None:
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

    def open(self, fragment: str = "") -> None:
        """Load the page."""
        self.page.goto(f"{self.origin}/{fragment}")

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

"""What axe-core finds that keeps people out: names that are missing, contrast, order, roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import packages
from tests.browser.chromium import AXE, Page

LOOK = """
async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, html, any }) =>
      `${id}: ${help}: ${target.join(" ")} ${html.slice(0, 200)} ${any.map(({ message }) => message).join("; ")}`));
}
"""


def source(config: pytest.Config) -> str:
    """Return the program; it is installed for these tests alone."""
    installed = packages.node_packages(packages.kept(config), AXE)
    return (Path(installed) / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page, program: str) -> list[str]:
    """Return what axe finds on a page as it is now, a line for each place."""
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(f"() => {{ {program} }}")
    found: list[str] = page.evaluate(LOOK)
    return found

"""Chromium as a person has it who trusts our CA: a home with a certificate database, and no option that looks away.

Playwright drives it; it is installed for these tests alone, without a browser of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from secure_server.trust import nss
from secure_server.trust.anchor import anchors_of
from tests import packages

DRIVER = "playwright"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
AXE = {"axe-core": "axe-core@4"}

Driver = Any
"""Playwright's `BrowserType`; its types are there only where the package is."""
Browser = Any
Context = Any
"""Its `BrowserContext`: a person's own cookies, storage and pages."""
Page = Any
Locator = Any
Message = Any
"""Its `ConsoleMessage`."""


def missing() -> str:
    """Return why no browser can be driven here; nothing where one can."""
    if sys.platform == "win32":
        return "needs Chromium on a POSIX system"
    if not any(map(shutil.which, PROGRAMS)):
        return "needs Chromium: apt-get install chromium"
    if shutil.which("certutil") is None or shutil.which("pk12util") is None:
        return "needs certutil: apt-get install libnss3-tools"
    return ""


def trusting(home: Path, ca: Path) -> Path:
    """Make a home whose browser trusts a CA, as `secure-server certs trust` does."""
    home.mkdir(parents=True, exist_ok=True)
    for anchor in anchors_of(ca.parent):
        for database in nss.databases(home):
            database.add(anchor)
    return home


def take_in(home: Path, bundle: Path, password: str) -> None:
    """Import a key with its certificate (PKCS#12), as a person does who was given one."""
    database = home / ".pki" / "nssdb"
    _run("pk12util", "-i", str(bundle), "-d", f"sql:{database}", "-W", password, "-K", "")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL)


@contextmanager
def driver(config: pytest.Config) -> Iterator[Driver]:
    """Run Playwright: an event loop in this thread, so for no longer than the tests of one file."""
    place = str(packages.python_packages(packages.kept(config), DRIVER))
    sys.path.append(place)
    try:
        from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - installed by now

        expect.set_options(timeout=PATIENCE_MS)
        with sync_playwright() as playwright:
            yield playwright.chromium
    finally:
        sys.path.remove(place)


def options(home: Path) -> dict[str, object]:
    """Return what Playwright is told about how to start the browser."""
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    return {"executable_path": program, "env": {**os.environ, "HOME": str(home)}}


def profile(directory: Path, origin: str) -> Path:
    """Make a profile whose person chose to show a page the first certificate that fits, and never to be asked again."""
    kept: dict[str, object] = {f"{origin},*": {"setting": {"filters": [{}]}}}
    preferences = {"profile": {"content_settings": {"exceptions": {"auto_select_certificate": kept}}}}
    (directory / "Default").mkdir(parents=True)
    (directory / "Default" / "Preferences").write_text(json.dumps(preferences), encoding="utf-8")
    return directory


PATIENCE_MS = 20_000
"""How long anything may take on the page; only a failing test waits for it."""

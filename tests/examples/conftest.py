"""A running server for the examples, and the Node packages that two of them use."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OLDEST_NODE = 20
NODE = Path(__file__).parents[2] / "examples" / "node"
NPM_SECONDS = 120.0
"""For two packages from the registry; with a warm cache it takes two."""


@functools.cache
def _install() -> str:
    """Install what the lock file says, unless it is there; return why that cannot be, or nothing."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "needs node and npm: apt-get install nodejs npm"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    if int(version.stdout.removeprefix("v").partition(".")[0] or 0) < OLDEST_NODE:
        return f"needs Node.js {OLDEST_NODE} or newer, which these packages ask for; found {version.stdout.strip()}"
    lock, installed = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with lock.open("rb") as held:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - POSIX only

            fcntl.flock(held, fcntl.LOCK_EX)  # another test run may be about to do the same
        if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
            return ""
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(NODE)]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"npm did not install the packages within {NPM_SECONDS:g} s"
        return "" if done.returncode == 0 else f"npm cannot install the packages: {done.stderr.strip()[-300:]}"


@pytest.fixture(scope="session")
def node() -> Path:
    """The directory whose scripts find `ioredis` and `redis`; skips where these cannot be had."""
    if trouble := _install():
        pytest.skip(trouble)
    return NODE


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """These are about the examples; how our programs run is measured in their own tests."""

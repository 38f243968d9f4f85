"""Packages of others that single tests use: installed when a test first asks for them, and kept for the next run."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

INSTALL_SECONDS = 180.0
"""For what one test asks for, from a registry or from its cache."""
OLDEST_NODE = 20


def kept(config: pytest.Config) -> Path:
    """Return where packages stay from one run of the tests to the next; `pytest --cache-clear` asks for them anew."""
    assert config.cache is not None
    return config.cache.mkdir("foreign")


@contextmanager
def installing(directory: Path) -> Iterator[Path | None]:
    """Give a place to install into, which becomes `directory` if that goes well; None where it is there already."""
    with (directory.parent / f"{directory.name}.lock").open("wb") as held:
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - POSIX only

            fcntl.flock(held, fcntl.LOCK_EX)  # another process of this test run may be about to do the same
        if directory.exists():
            yield None
            return
        part = Path(tempfile.mkdtemp(dir=directory.parent))
        try:
            yield part
            with suppress(OSError):  # another test run was quicker
                part.rename(directory)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def install(argv: list[str], cwd: Path) -> None:
    """Run an installer; skip the test, with its last words, where it fails."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"cannot install: {error}")
    if done.returncode:
        pytest.skip(f"cannot install: {' '.join(done.stderr.split())[-300:]}")


def python_packages(place: Path, requirement: str) -> Path:
    """Return a directory for PYTHONPATH that has what pip is asked for."""
    directory = place / "".join(char for char in requirement if char.isalnum())
    with installing(directory) as part:
        if part is not None:
            options = ["-q", "--disable-pip-version-check", "--only-binary", ":all:", "--target", str(part)]
            install([sys.executable, "-m", "pip", "install", *options, requirement], part)
    return directory


def node_packages(place: Path, wanted: dict[str, str]) -> Path:
    """Return a directory whose scripts find packages, by the names of `wanted`, whose values are npm's."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs node and npm: apt-get install nodejs npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"needs Node.js {OLDEST_NODE} or newer, which these packages ask for; found {version.strip()}")
    package = json.dumps({"dependencies": {name: f"npm:{package}" for name, package in wanted.items()}})
    directory = place / f"node-{hashlib.sha256(package.encode()).hexdigest()[:8]}"  # another list is installed anew
    with installing(directory) as part:
        if part is not None:
            (part / "package.json").write_text(package, encoding="utf-8")
            install(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], part)
    return directory

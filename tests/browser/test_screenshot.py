"""scripts/screenshot.py: the README's picture can be taken anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import screenshot
from tests import packages
from tests.browser import chromium

pytestmark = pytest.mark.long


@pytest.mark.usefixtures("unmeasured")
def test_the_picture_is_taken(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """By the script itself, with the program and with Chromium; it is a picture, and a small one."""
    packages.python_packages(packages.kept(pytestconfig), chromium.DRIVER)  # skips where it cannot be had
    picture = tmp_path / "page.png"
    argv = [sys.executable, str(Path(screenshot.__file__)), "--to", str(picture)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < screenshot.MOST_BYTES

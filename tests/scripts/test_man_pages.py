"""The man pages are what `--help` says, and roff takes them as they are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.man_pages import PAGES, check, roff, update

ROOT = Path(__file__).parents[2]


def test_the_pages_are_what_help_says() -> None:
    """In English, whatever who runs the suite speaks; else run: python scripts/man_pages.py."""
    argv = [sys.executable, "scripts/man_pages.py", "check"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_is_stale_or_of_nothing_is_told_of(tmp_path: Path) -> None:
    """And mended by `update`."""
    update(tmp_path)
    assert check(tmp_path) == []
    (tmp_path / "secure-client.1").write_text("", encoding="ascii")
    (tmp_path / "gone.1").write_text("", encoding="ascii")
    assert check(tmp_path) == ["secure-client.1 is not what --help gives", "gone.1 belongs to no command"]
    update(tmp_path)
    assert check(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (".so /etc/passwd", r"\&.so /etc/passwd"),
        ("'it' `is`", r"\(aqit\(aq \(gais\(ga"),
        ("a\\b --c\n d", r"a\eb \-\-c d"),
        ("CMD,…", r"CMD,\[u2026]"),
    ],
)
def test_roff_obeys_nothing_that_is_text(text: str, written: str) -> None:
    """And a hyphen stays one that a shell knows."""
    assert roff(text) == written


def test_groff_has_nothing_to_say() -> None:
    """With all its warnings."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("needs groff")
    argv = [groff, "-man", "-Tutf8", "-ww", *sorted(map(str, PAGES.glob("*.1")))]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"--token-file" in done.stdout.replace(b"\x1b[1m", b"").replace(b"\x1b[0m", b"")

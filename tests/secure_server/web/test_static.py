"""The page's files, as they are read: small, from nowhere else, and nothing that would take text for a program."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("secure_server.web"))) / "static"
NEVER = (
    r"\.(inner|outer)HTML\s*=",
    r"insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|setHTMLUnsafe|srcdoc",
    r"\beval\(|new Function\b|import\([^\"']|set(Timeout|Interval)\([\"'`]",
    r"document\.cookie|indexedDB|serviceWorker|postMessage",
    r"\.setAttribute\(\"(on|style)",
)
"""What a strict policy forbids or an attacker hopes for, and a page such as ours needs nowhere."""
ELSEWHERE = r"(https?|wss?|data|blob|javascript):(?!//www\.w3\.org/|//\$\{location\.host\})[^\s\"'`),]+"

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def code(path: Path) -> str:
    """Return a script without its comments."""
    text = path.read_text("utf-8")
    return re.sub(r"/\*[\s\S]*?\*/|^\s*//.*$|(?<=[;{},\s])//\s.*$", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(STATIC)))
def test_no_script_takes_text_for_a_program(path: Path) -> None:
    """Nor keeps anything where it lasts, but for preferences."""
    for pattern in NEVER:
        found = re.search(pattern, code(path))
        assert found is None, found[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(STATIC)))
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    """No address of another server, neither in scripts nor in styles."""
    text = code(path) if path.suffix == ".js" else path.read_text("utf-8")
    assert [found[0] for found in re.finditer(ELSEWHERE, text)] == []


def test_what_is_imported_is_there() -> None:
    """By its whole name, for there is no build that would find it."""
    for path in SCRIPTS:
        for name in re.findall(r"(?:from|import)\s*\(?\s*\"([^\"]+)\"", code(path)):
            assert name.startswith("."), f"{path.relative_to(STATIC)} imports {name}"
            assert (path.parent / name).is_file(), f"{path.relative_to(STATIC)} imports {name}"


def test_the_document_has_nothing_inline() -> None:
    """Which the policy would refuse."""
    text = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)

"""The README in Portuguese says what the English one says: its outline, its commands and its links are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, PORTUGUESE = ROOT / "README.md", ROOT / "README.pt-BR.md"
MEND = "bring README.pt-BR.md into step with README.md: "

_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s*#.*$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)]+)\)")


def prose(path: Path) -> str:
    """The text without its code blocks."""
    return _BLOCK.sub("", path.read_text(encoding="utf-8"))


def outline(path: Path) -> list[str]:
    """The levels of the headings, and the list items, table rows and code blocks between them, in order."""
    text = _BLOCK.sub("```", path.read_text(encoding="utf-8"))
    marks = (re.match(r"#+(?= )|- |\||```", line) for line in text.splitlines())
    return [mark[0] for mark in marks if mark]


def blocks(path: Path) -> list[str]:
    """The code blocks, without comments, which are translated."""
    return [_COMMENT.sub("", block) for block in _BLOCK.findall(path.read_text(encoding="utf-8"))]


def links(path: Path) -> list[str]:
    """The targets of the links, in order, without those to the other language."""
    return [target for target in _LINK.findall(prose(path)) if target not in (ENGLISH.name, PORTUGUESE.name)]


def commands(path: Path) -> list[str]:
    """What the first column of a table holds, as far as it is code: commands and directories."""
    rows = [line.split("|")[1] for line in prose(path).splitlines() if line.startswith("| `")]
    return [code for row in rows for code in re.findall(r"`[^`]+`", row)]


def words_in_code(path: Path) -> set[str]:
    """Everything that stands in backquotes: names of programs, commands, options and files."""
    return set(re.findall(r"`[^`]+`", prose(path)))


@pytest.mark.parametrize("part", [outline, blocks, links, commands, words_in_code])
def test_both_languages_say_the_same(part: object) -> None:
    """Headings, lists, tables, commands, links and names; only the words around them are translated."""
    assert callable(part)
    assert part(PORTUGUESE) == part(ENGLISH), MEND + str(part.__doc__)


def test_every_heading_is_translated() -> None:
    """A section that was added to the English README alone, and copied, is found."""
    headings = [set(re.findall(r"^#+ .*$", prose(path), re.MULTILINE)) for path in (ENGLISH, PORTUGUESE)]
    assert not headings[0] & headings[1]


def test_links_lead_somewhere() -> None:
    """Each file that the Portuguese README names is there."""
    missing = [target for target in links(PORTUGUESE) if "://" not in target and not (ROOT / target).exists()]
    assert missing == []

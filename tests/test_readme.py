"""The README in Portuguese says what the English one says: its outline, its commands and its links are the same.

The English one is what a package index shows, too, where a link to a file of the repository would be dead.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, PORTUGUESE = ROOT / "README.md", ROOT / "README.pt-BR.md"
MEND = "bring README.pt-BR.md into step with README.md: "

_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s*#.*$", re.MULTILINE)
_LINK = re.compile(
    r"""\]\(\s*<?([^)\s>]+)  |  ^\ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)  |  (?:href|src)\s*=\s*["']?([^"'\s>]+)""",
    re.MULTILINE | re.VERBOSE,
)
"""Where Markdown's links and pictures lead, its references, and those of HTML."""
_PAGE = re.compile(r"`([\w./-]+\.md|LICENSE)`")


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
    """The targets of the links, in order."""
    return ["".join(target) for target in _LINK.findall(prose(path))]


def pages(path: Path) -> list[str]:
    """The files to read that are named, in order, without the other language's README."""
    return [name for name in _PAGE.findall(prose(path)) if name not in (ENGLISH.name, PORTUGUESE.name)]


def commands(path: Path) -> list[str]:
    """What the first column of a table holds, as far as it is code: commands and directories."""
    rows = [line.split("|")[1] for line in prose(path).splitlines() if line.startswith("| `")]
    return [code for row in rows for code in re.findall(r"`[^`]+`", row)]


def words_in_code(path: Path) -> set[str]:
    """Everything that stands in backquotes: programs, commands, options, files, but for the other language's README."""
    return set(re.findall(r"`[^`]+`", prose(path))) - {f"`{ENGLISH.name}`", f"`{PORTUGUESE.name}`"}


@pytest.mark.parametrize("part", [outline, blocks, links, pages, commands, words_in_code])
def test_both_languages_say_the_same(part: object) -> None:
    """Headings, lists, tables, commands, links and names; only the words around them are translated."""
    assert callable(part)
    assert part(PORTUGUESE) == part(ENGLISH), MEND + str(part.__doc__)


def test_every_heading_is_translated() -> None:
    """A section that was added to the English README alone, and copied, is found."""
    headings = [set(re.findall(r"^#+ .*$", prose(path), re.MULTILINE)) for path in (ENGLISH, PORTUGUESE)]
    assert not headings[0] & headings[1]


@pytest.mark.parametrize(("readme", "other"), [(ENGLISH, PORTUGUESE), (PORTUGUESE, ENGLISH)])
def test_the_pages_that_are_named_are_there(readme: Path, other: Path) -> None:
    """Each file to read, and the README in the other language, which each names."""
    assert f"`{other.name}`" in prose(readme)
    assert len(pages(readme)) > 10
    assert [name for name in pages(readme) if not (ROOT / name).is_file()] == []


def is_picture(target: str) -> bool:
    """Whether it is a picture of the repository, which says in words what it shows."""
    shown = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", prose(ENGLISH) + prose(PORTUGUESE))
    return (ROOT / target).suffix == ".png" and (ROOT / target).is_file() and target in {path for _, path in shown}


def test_the_picture_is_small() -> None:
    """Each checkout holds every one that there ever was."""
    for target in filter(is_picture, links(ENGLISH)):
        assert (ROOT / target).stat().st_size < 200_000


@pytest.mark.parametrize("readme", [ENGLISH, PORTUGUESE])
def test_no_link_is_dead_on_a_package_index(readme: Path) -> None:
    """There the README stands alone: files beside it are named in backquotes, and only whole addresses are links.

    A picture may lie beside it: where it is missing, words stand in its place.
    """
    dead = [target for target in links(readme) if not (target.startswith("https://") or is_picture(target))]
    assert not dead, f"name these files in backquotes instead of linking to them: {', '.join(dead)}"


@pytest.mark.parametrize(
    "text",
    [
        "See [the page](docs/page.md).",
        "See [the page](<docs/page.md>).",
        'See [the page]( docs/page.md "a title").',
        "![a chart](docs/page.md)",
        "See [the page][1].\n\n[1]: docs/page.md",
        "See [the page].\n\n   [the page]: <docs/page.md> 'a title'",
        '<a href="docs/page.md">the page</a>',
        "<img alt='a chart' src = docs/page.md>",
    ],
)
def test_a_link_is_found(tmp_path: Path, text: str) -> None:
    """However it is written, but not in a block of code."""
    (tmp_path / "README.md").write_text(f"{text}\n\n```\n[no](link.md)\n```\n", encoding="utf-8")
    assert links(tmp_path / "README.md") == ["docs/page.md"]

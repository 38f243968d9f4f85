"""The list of commands as a person sees it, and colours for those who want them."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_client.answers.colours import Colour, painted
from secure_client.answers.columns import columns_of, wrapped
from secure_client.answers.overview import folded, overview
from secure_client.answers.rendering import Renderer
from secure_protocol.description import ArgumentDescription, CommandDescription

WORDS = ArgumentDescription("words", optional=True, variadic=True)
COMMANDS = [
    CommandDescription("DEPLOY", "Bring a host up to date with all that was merged since.", "user", (WORDS,)),
    CommandDescription("KICK", "Close a session.", "admin", group="Clients"),
    CommandDescription("CLIENTS", "Say who is connected.", "operator", group="Clients"),
    CommandDescription("CLIENT ID", "Your number.", group="Clients"),
    CommandDescription("再起動", "", group="Évil\x1b[2J"),
    CommandDescription("LONG", "Much.", "user", tuple(ArgumentDescription(f"argument-{n}") for n in range(9))),
]


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 20])
def test_the_list_fits_the_width(columns: int) -> None:
    """By subject, one's own first; by role within; a summary goes on under itself."""
    lines = overview(COMMANDS, columns, io.StringIO()).split("\n")
    assert max(map(columns_of, lines)) <= columns or columns < 40
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings[:2] == ["Of this server", "Clients"]
    order = [line.split()[0] for line in lines if re.match("  [^ ]", line)]
    assert order == ["DEPLOY", "LONG", "CLIENT", "CLIENTS", "KICK", "再起動"]
    text = " ".join(" ".join(lines).split())
    for told in ("Bring a host up to date with all that was merged since.", "(admin) Close a session.", "LONG …"):
        assert told in text
    assert "\x1b" not in text


def test_at_80_columns_it_stands_in_two() -> None:
    """With a hanging indent."""
    lines = overview(COMMANDS[:1], 60, io.StringIO()).split("\n")
    assert lines[:2] == [
        "  DEPLOY [words …]  Bring a host up to date with all that",
        "                    was merged since.",
    ]


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line by itself, so that no cut leaves one open."""
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert painted("a\n\nb", Colour.ERROR, Terminal()) == "\x1b[31ma\x1b[0m\n\n\x1b[31mb\x1b[0m"
    assert painted("a", None, Terminal()) == "a"
    assert painted("a", Colour.ERROR, io.StringIO()) == "a"
    assert "\x1b[36mDEPLOY\x1b[0m" in overview(COMMANDS, 80, Terminal())
    monkeypatch.setenv("NO_COLOR", "")
    assert painted("a", Colour.ERROR, Terminal()) != "a", "empty says nothing"
    monkeypatch.setenv("NO_COLOR", "1")
    assert painted("a", Colour.ERROR, Terminal()) == "a"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert painted("a", Colour.ERROR, Terminal()) == "a"


def test_lines_are_folded_under_an_indent() -> None:
    """Blank ones stay."""
    assert folded(["one two three four", "", "x"], 10) == ["one two", "    three", "    four", "", "x"]
    assert folded(["  name: what it is"], 12) == ["  name: what", "    it is"]
    assert folded(["DO [--a-long-option]"], 18) == ["DO", "    [--a-long-opti", "    on]"]


def test_a_syntax_is_whole_where_there_is_room() -> None:
    """Beside the summary, or on a line of its own."""
    words = tuple(ArgumentDescription(f"word-{number}") for number in range(5))
    command, syntax = CommandDescription("DEPLOY", "It.", "user", words), "DEPLOY word-0 word-1 word-2 word-3 word-4"
    for columns, whole in ((200, True), (120, False), (80, False), (50, True), (40, False)):
        assert (syntax in overview([command], columns, io.StringIO())) is whole


@pytest.mark.parametrize(("columns", "side_by_side"), [(200, 4), (80, 2), (46, 2), (24, 1)])
def test_short_words_are_listed_with_what_they_stand_for(columns: int, side_by_side: int) -> None:
    """Side by side as far as there is room, in order from the top down."""
    short = {"drain": "SERVER DRAIN", "ban": "BAN ADD", "why": "SERVER WHY", "log": "LOG TAIL"}
    lines = overview(COMMANDS, columns, io.StringIO(), short).split("\n")
    shown = lines[lines.index("Short words of this terminal") + 1 : -2]
    assert max(map(columns_of, shown)) <= columns
    assert len(shown[0].split(" = ")) - 1 == side_by_side
    assert [line.split()[0] for line in shown if line] == sorted(short)[: len(shown)]
    assert "Short words" not in overview(COMMANDS, columns, io.StringIO(), {})


@given(text=st.text("ab再\u0301 -", max_size=60), columns=st.integers(2, 30), hanging=st.integers(0, 4))
def test_nothing_is_lost_in_folding(text: str, columns: int, hanging: int) -> None:
    """And no line is too wide; a word is parted only where it does not fit."""
    lines = wrapped(text, columns, hanging)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    room = [columns] + [max(columns - hanging, 2)] * len(lines)
    assert all(columns_of(line) <= room[number] for number, line in enumerate(lines))
    if all(len(word) <= max(columns - hanging, 2) >= columns_of(word) for word in text.split()):
        assert " ".join(lines).split() == text.split()


def test_a_line_without_end_is_folded_at_once() -> None:
    """Whoever sends it."""
    assert len(wrapped("再" * 100_000, 80)) == 2500


@pytest.mark.parametrize(
    ("lines", "tall"),
    [
        (["a"] * 3, False),
        (["a"] * 4, True),
        (["b" * 11, "", "c"], True),
        (["再" * 15], False),
        (["再" * 16], True),
        (["\x1b[31m" * 4], True),
    ],
)
def test_what_is_taller_than_the_screen(monkeypatch: pytest.MonkeyPatch, lines: list[str], tall: bool) -> None:  # noqa: FBT001
    """Folded lines count, wide characters, and what stands for a character that is none."""
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "4")
    renderer, paged = Renderer(io.StringIO(), people=True), []
    renderer.pager = lambda text, _write: paged.append(text)
    renderer.answer("LIST", lines, None)
    assert bool(paged) is tall

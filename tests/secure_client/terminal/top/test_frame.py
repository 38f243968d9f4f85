"""A frame fits every window, shows what matters first, and nothing moves in it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable

import pytest

from secure_client.answers.columns import columns_of
from secure_client.terminal.top import panes
from secure_client.terminal.top.figures import Look, figures
from secure_client.terminal.top.frame import Line, bottom, frame, plain
from secure_client.terminal.top.signs import ASCII, UNICODE, Signs
from secure_client.terminal.top.telling import keys, told
from secure_client.terminal.top.view import Listing, Mode, View
from tests.secure_client.busy_server import STATS, by_command, client

SIZES = [*itertools.product((20, 39, 40, 60, 80, 159, 160, 200, 300), (5, 7, 8, 12, 16, 24, 50, 100))]


def view_of(stats: dict[str, object] = STATS, signs: Signs = UNICODE) -> View:
    """A view of a server."""
    listings = [Listing(panes.commands(signs)), Listing(panes.clients())]
    view = View("ana@localhost:5000", listings, signs, figures=figures(Look(stats, 0.0), signs=signs))
    assert view.figures is not None
    listings[0].rows = view.figures.commands
    listings[1].rows = panes.with_rates([client(number, "ana") for number in range(7, 57)], [], 2.0)
    return view


def text(lines: Iterable[Line]) -> list[str]:
    """Lines without their styles."""
    return ["".join(piece for _style, piece in line) for line in lines]


@pytest.mark.parametrize("language", ["en", "pt_BR"])
def test_it_fits_every_window(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 20x5 to 300x100: no line is wider, and none too many; whatever stands in the lists' place."""
    monkeypatch.setenv("LC_ALL", f"{language}.UTF-8")
    view = view_of()
    for (columns, rows), mode, focus in itertools.product(SIZES, (Mode.LISTS, Mode.TEXT), (0, 1)):
        view.focus = focus
        if mode is Mode.TEXT:
            view.read("Client 7", [*told({**client(7, "ana"), "long": "x" * 500}), *keys()])
        view.mode = mode
        lines = text(frame(view, columns, rows))
        assert len(lines) <= rows - 1
        assert max(map(columns_of, [*lines, *text(bottom(view, columns))])) <= columns


def test_a_window_that_is_too_small_is_told_so() -> None:
    """In words that fit it."""
    assert " ".join(text(frame(view_of(), 20, 5))) == "top needs a window of 40x8; this one has 20x5."


def test_what_matters_is_in_the_smallest_window() -> None:
    """The head, a rate, the latency, and the busiest commands."""
    shown = text(frame(view_of(), 40, 8))
    assert len(shown) == 7
    assert [line.split()[0] for line in (shown[1], shown[2], shown[5])] == ["commands/s", "latency", "STATUS"]


def test_nothing_moves() -> None:
    """Figures of any length stand in the same columns, and what is bad is not wider."""
    stats = copy.deepcopy(STATS)
    stats["connections"]["clients"] = 10**9
    stats["commands"]["p50"] = 12345.0
    stats["workers"]["stuck"] = 99_999
    stats["history"]["commands"] = [10**7] * 60
    for columns in (80, 200):
        for one, other in zip(
            text(frame(view_of(), columns, 24)), text(frame(view_of(stats), columns, 24)), strict=True
        ):
            assert one.find("strangers") == other.find("strangers")
            assert one.find("admins") == other.find("admins")
            assert one.find("most ") == other.find("most ")
            assert len(one) == len(other)


def test_both_lists_are_side_by_side_where_there_is_room() -> None:
    """Else the one that the keys are for."""
    view = view_of()
    wide, narrow = (text(frame(view, columns, 50)) for columns in (200, 80))
    assert any("STATUS" in line and "10.0.0.7" in line for line in wide)
    assert not any("10.0.0.7" in line for line in narrow)
    view.focus = 1
    narrow = text(frame(view, 80, 50))
    assert any("10.0.0.7" in line for line in narrow)
    assert not any("RESTART" in line for line in narrow)


def test_the_head_says_how_it_stands() -> None:
    """Version, uptime, draining; and trouble in the place of the interval, however long."""
    view = view_of({**STATS, "draining": True})
    assert text(frame(view, 80, 24))[0].split() == [
        "ana@localhost:5000",
        "1.4.0",
        *["up", "3d", "4h", "DRAINING", "every", "2", "s"],
    ]
    view.paused = True
    assert text(frame(view, 80, 24))[0].endswith("  paused ")
    view.trouble = "connection lost, reconnecting in 7 s"
    assert text(frame(view, 80, 24))[0].endswith(" connection lost, reconnecting in 7 s ")
    view.trouble = "x" * 200
    assert columns_of(text(frame(view, 80, 24))[0]) == 80


def test_the_lowest_line_is_for_what_is_asked_or_told() -> None:
    """Else for the keys, the most important ones where there is little room."""
    view = view_of()
    assert text(bottom(view, 80))[0].startswith(" q quit  ? help  Tab other list")
    assert text(bottom(view, 20)) == [" q quit  ? help"]
    view.tell("No such field.", bad=True)
    assert bottom(view, 80) == [[("class:bad", " No such field.")]]
    view.tell("word " * 100, bad=True)
    assert len(bottom(view, 80)) == 4
    assert text(bottom(view, 80))[-1].endswith("word …")
    assert len(frame(view, 80, 24)) == 20
    view.mode, view.question = Mode.ASKING, "Kick 7?"
    assert text(bottom(view, 80)) == [" Kick 7?"]


def test_a_list_without_rows_has_a_sentence() -> None:
    """And where nothing is known yet, nothing is said."""
    view = view_of({**STATS, "by_command": []})
    assert " No command was run yet." in text(frame(view, 80, 24))
    view.figures = None
    assert " No command was run yet." not in text(frame(view, 80, 24))


def test_ascii_is_ascii() -> None:
    """All of a frame, whatever is shown."""
    "".join(text(frame(view_of(signs=ASCII), 200, 50))).encode("ascii")


def test_a_frame_that_is_printed_has_both_lists() -> None:
    """The first rows of each; without blanks at the end, or anything that only a terminal understands."""
    view = view_of({**STATS, "by_command": [by_command(f"C{number}", 100 - number) for number in range(50)]})
    lines = plain(view, 100)
    assert lines[0] == "ana@localhost:5000  1.4.0  up 3d 4h"
    assert all(line == line.rstrip() and line.isprintable() for line in lines)
    assert sum(line.startswith(" C") for line in lines) == sum("10.0.0." in line for line in lines) == 10


def test_a_line_is_folded_below_its_own_part() -> None:
    """Where it stands behind a gap; an answer's nested lists have a line for each item."""
    shown = told({"id": 7, "last": [{"command": "A", "seconds": 2}, ["x", "y"]], "none": None})
    assert shown == [" id    7", " last", "   command A  seconds 2", "   x  y", " none  -"]
    view = view_of()
    view.read("Keys", [" Enter  one two three four five six seven eight nine ten"])
    assert text(frame(view, 40, 24))[2:4] == [" Enter  one two three four five six", "        seven eight nine ten"]

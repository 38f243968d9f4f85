"""Tables for people: columns where they fit, a record a row where they do not."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from secure_client.answers.tables import Drawn, draw, fitted
from secure_protocol.replies import Table

TABLE = Table(("id", "since"), [(7, "2026-01-02T03:04:05+00:00"), (8, None)])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def plain(table: Table, width: int) -> list[str]:
    """The drawn lines without styles, which NO_COLOR leaves (bold is no colour)."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in draw(table, width).split("\n")]


def test_a_table_that_fits_has_columns() -> None:
    """A heading, a rule, and a line a row."""
    lines = plain(TABLE, 80)
    assert lines[0].split() == ["id", "since"]
    assert [line.split()[0] for line in lines[2:]] == ["7", "8"]
    assert all(len(line) <= 80 for line in lines)


def test_moments_are_local_and_short() -> None:
    """A moment with an offset loses the offset and keeps its second; another text is left alone."""
    assert "05" in plain(TABLE, 80)[2]
    assert "+00:00" not in "".join(plain(TABLE, 80))
    impossible = Table(("since",), [("2026-99-02T03:04:05+00:00",)])
    assert plain(impossible, 80)[2] == "2026-99-02T03:04:05+00:00"


def test_a_table_that_does_not_fit_becomes_records() -> None:
    """Nothing is cut: each row is a block of `column  value`, within the width."""
    wide = Table(("id", "text"), [(7, "z" * 50), (8, "y")])
    lines = plain(wide, 30)
    assert lines[0].startswith("1 ─")
    assert lines[1].split() == ["id", "7"]
    assert "".join(lines).count("z") == 50
    assert all(len(line) <= 30 for line in lines)
    assert any(line.startswith("2 ─") for line in lines)


def test_a_dumb_terminal_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich takes every dumb terminal for one of 80 columns; a wider one cuts nothing."""
    monkeypatch.setenv("TERM", "dumb")
    lines = plain(Table(("id", "text"), [(7, "z" * 90)]), 120)
    assert lines[0].split() == ["id", "text"]
    assert len(lines[1]) == 94
    assert lines[2].endswith("z" * 90)


words = st.text("ab #[]-日é", max_size=12)
tables = st.integers(1, 3).flatmap(
    lambda columns: st.builds(
        lambda names, rows: Table(tuple(names), rows),
        st.lists(words.filter(bool), min_size=columns, max_size=columns, unique=True),
        st.lists(st.tuples(*[words] * columns), min_size=1, max_size=11),
    )
)


@settings(deadline=None, max_examples=60)  # rich takes its time, which is why the test is there
@given(tables, st.sampled_from([None, 60, 40]))
@example(Table(("id", "text"), [(number, "z" * 50) for number in range(11)]), 40)
def test_rows_stand_as_rich_would_draw_them(table: Table, width: int | None) -> None:
    """What is put into rich's frame looks as if rich had drawn it, styles included: columns that fit, and records."""
    if width is None:
        assert draw(table, 1000) == drawn_by_rich(table, 1000, records=False)
    else:
        assert draw(table, width, vertical=True) == drawn_by_rich(table, width, records=True)


@settings(deadline=None)
@given(tables, st.integers(8, 100), st.sets(st.sampled_from(["a", "b", "ab"])))
def test_whatever_the_width_all_is_there(table: Table, width: int, minor: set[str]) -> None:
    """Nothing is cut: what is not shown is a minor column, and said. No line is too wide where no word is."""
    shown = re.sub(r"\x1b\[[0-9;]*m", "", draw(table, width, minor=tuple(sorted(minor))))
    gone = [name for name in table.columns if name in minor and "No room for" in " ".join(shown.split())]
    kept = [index for index, name in enumerate(table.columns) if name not in gone]
    letters = Counter(character for row in table.rows for index in kept for character in str(row[index]))
    del letters[" "]
    del letters["-"]  # as a cell it says nothing, and does not hang below a row
    assert letters <= Counter(shown)
    words = " ".join(str(text) for line in (table.columns, *table.rows) for text in line).split()
    if all(cell_len(word) <= 3 for word in words):
        assert all(cell_len(line) <= width for line in shown.split("\n"))


MANY = Table(
    ("id", "user", "address", "cipher", "connected", "detail"),
    [
        (7, "ana", "192.0.2.77:40312", "TLS_AES_256_GCM_SHA384", "2026-01-02T03:04:05+00:00", "token=a1 role=user"),
        (8, "bob", "192.0.2.9:40313", "TLS_AES_256_GCM_SHA384", "2026-01-02T03:04:05+00:00", "token=b2 role=admin"),
    ],
)
WITHOUT_CIPHER = ["id", "user", "address", "connected", "detail"]


@pytest.mark.parametrize("minor", [("cipher", "connected"), ("user", "cipher", "connected")])
def test_minor_columns_go_first_and_are_named(minor: tuple[str, ...]) -> None:
    """Those that are missed least go first; one whose place another's going made again comes back."""
    lines = drawn(MANY, 72, minor=minor)
    assert lines[0].split() == WITHOUT_CIPHER
    assert lines[-2:] == ["", "No room for cipher."]
    assert len(lines) == 6


def test_cells_are_folded_between_words() -> None:
    """Ids, addresses and moments stay whole."""
    table = Table(tuple(WITHOUT_CIPHER), [(*row[:3], *row[4:]) for row in MANY.rows])
    lines = drawn(table, 62)
    assert lines[0].split() == WITHOUT_CIPHER
    assert [line.split() for line in lines[2:]] == [
        ["7", "ana", "192.0.2.77:40312", "2026-01-02", *_time(MANY.rows[0][4]), "token=a1"],
        ["role=user"],
        ["8", "bob", "192.0.2.9:40313", "2026-01-02", *_time(MANY.rows[1][4]), "token=b2"],
        ["role=admin"],
    ]
    assert all(len(line) <= 62 for line in lines)


def _time(moment: object) -> list[str]:
    """A moment's time of day, where the test runs."""
    return [datetime.fromisoformat(str(moment)).astimezone().strftime("%H:%M:%S")]


def test_the_last_columns_hang_below_where_they_do_not_fit() -> None:
    """With their names, as many in a line as fit; what says nothing does not hang there."""
    rows: list[tuple[object, ...]] = [(1, "ana", "192.0.2.7:1", "x" * 30, "ok"), (2, "bob", "192.0.2.8:1", None, "no")]
    lines = drawn(Table(("id", "user", "address", "token", "outcome"), rows), 42)
    assert lines[0].split() == ["id", "user", "address"]
    assert lines[2:] == [
        "1   ana   192.0.2.7:1",
        f"    token {'x' * 30}",
        "    outcome ok",
        "2   bob   192.0.2.8:1",
        "    outcome no",
    ]


def test_rows_that_follow_stand_below_the_first() -> None:
    """In their columns; what is wider than those is whole all the same, and records are counted on."""
    first = Table(("id", "user"), [(1, "ana")])
    table = Drawn(first, 80)
    assert [*table.following([(2, "bo"), (1000, "a very long name")])] == ["2   bo", "1000  a very long name"]
    folds = Drawn(Table(("id", "user"), [(1, "ana maria")]), 9)
    assert folds.first[2:] == ["1   ana", "    maria"]
    assert [*folds.following([(2, "a very-long name")])] == ["2   a", "    very-long", "    name"]
    records = Drawn(first, 80, vertical=True)
    assert next(iter(records.following([(2, "bob")]))).startswith("2 ─")


def test_what_is_no_terminal_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets whole lines without styles, and nothing that a terminal would obey."""
    monkeypatch.setenv("COLUMNS", "20")
    rows = [("ca.pem", "x" * 50), ("a\x1b[31m", "[bold]")]
    assert fitted(["file", "names"], rows, io.StringIO()).split("\n") == [
        "file       names",
        "-" * 9 + "  " + "-" * 50,
        "ca.pem     " + "x" * 50,
        "a\\x1b[31m  [bold]",
    ]


@pytest.mark.parametrize("vertical", [False, True])
def test_states_have_colours(vertical: bool) -> None:  # noqa: FBT001
    """Those that are known; the words stand where they stood."""
    table = Table(
        ("job", "state", "who"), [(7, "done", "ana"), (8, "timed-out", "ana"), (9, "odd", "done"), (10, None, "")]
    )
    shown = draw(table, 80, vertical=vertical, colours=True)
    assert "\x1b[32mdone\x1b[0m" in shown
    assert "\x1b[31mtimed-out\x1b[0m" in shown
    plain = draw(table, 80, vertical=vertical)
    assert re.sub(r"\x1b\[3[0-9]m(.*?)\x1b\[0m", r"\1", shown) == plain
    assert shown.count("\x1b[3") == 2


def drawn(table: Table, width: int, minor: tuple[str, ...] = ()) -> list[str]:
    """The drawn lines without styles."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in draw(table, width, minor=minor).split("\n")]


def drawn_by_rich(table: Table, width: int, *, records: bool) -> str:
    """The same by rich alone, which takes the better part of a millisecond a row."""
    console = Console(width=width, height=25, force_terminal=True, highlight=False)
    columns = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in table.columns:
        columns.add_column(Text(column), no_wrap=True)
    for row in table.rows:
        columns.add_row(*map(Text, map(str, row)))
    shown: list[RenderableType] = [columns]
    if records:
        shown = []
        for number, row in enumerate(table.rows, 1):
            record = RichTable(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
            record.add_column(style="bold", no_wrap=True)
            record.add_column(overflow="fold")
            for column, value in zip(table.columns, row, strict=True):
                record.add_row(Text(column), Text(str(value)))
            shown += [Rule(str(number), align="left", characters="─"), record]
    with console.capture() as captured:
        console.print(*shown, sep="\n")
    return "\n".join(line.rstrip() for line in captured.get().strip("\n").split("\n"))

"""Tables for people: columns where they fit, a record a row where they do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich import box
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from secure_client.answers.tables import draw
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
@given(tables, st.sampled_from([80, 30, 20, 12, 4]))
@example(Table(("id", "text"), [(number, "z" * 20) for number in range(11)]), 20)
def test_rows_stand_as_rich_would_draw_them(table: Table, width: int) -> None:
    """The rows that are put into rich's frame look as if rich had drawn them, styles included."""
    assert draw(table, width) == drawn_by_rich(table, width)


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


def drawn_by_rich(table: Table, width: int) -> str:
    """The same by rich alone, which takes the better part of a millisecond a row."""
    console = Console(width=width, height=25, force_terminal=True, highlight=False)
    columns = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in table.columns:
        columns.add_column(Text(column), no_wrap=True)
    for row in table.rows:
        columns.add_row(*map(Text, map(str, row)))
    shown: list[RenderableType] = [columns]
    if console.measure(columns, options=console.options.update(width=10_000)).maximum > width:
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

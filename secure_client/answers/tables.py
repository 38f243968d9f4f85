"""Tables for people: columns where they fit the terminal, a record a row where they do not.

Rich draws the frames, and each value that has to be folded. The other rows are only put into the frame that it drew
once: it takes the better part of a millisecond for one, and there may be 10,000 clients to list.

Imported only when a table meets a terminal: rich would double the start-up time of `-c PING`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from secure_client.answers.colours import STATES, paint
from secure_protocol import text_replies
from secure_protocol.printable import printable
from secure_protocol.replies import Table

GAP = 2
"""Blanks between columns."""
PLACE = "#"
"""Stands in a frame for what is to come there; no escape sequence has it."""
STATE = "state"
"""The column that jobs, tokens and certificates have their states in."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")


def draw(table: Table, width: int, *, vertical: bool = False, colours: bool = False) -> str:
    """Return a table as lines of at most `width` columns: a row a line where they fit, and nobody wants it otherwise.

    Args:
        table: any.
        width: of the terminal.
        vertical: a row is to be lines in any case.
        colours: states have theirs.

    Moments are shown in local time, without an offset; programs have `--json`.
    """
    names = [printable(column) for column in table.columns]
    rows = [[_cell(value) for value in row] for row in table.rows]
    widths = [max(1, *map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    across = sum(widths) + GAP * (len(widths) - 1)
    state = names.index(STATE) if colours and STATE in names else None
    if across <= width and not vertical:
        return "\n".join(_columns(names, rows, widths, state))
    return "\n".join(_records(names, rows, width, state))


def _columns(names: list[str], rows: list[list[str]], widths: list[int], state: int | None) -> Iterator[str]:
    head = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name, width in zip(names, widths, strict=True):
        head.add_column(Text(name), no_wrap=True, width=width)
    yield from _drawn(head, sum(widths) + GAP * (len(widths) - 1))
    for row in rows:
        yield (" " * GAP).join(_painted(list(map(set_cell_size, row, widths)), row, state)).rstrip()


def _painted(cells: list[str], row: list[str], state: int | None) -> list[str]:
    """Give the state of a row its colour, in cells that may be wider."""
    if state is not None and (colour := STATES.get(row[state])) is not None:
        cells[state] = cells[state].replace(row[state], paint(row[state], colour))
    return cells


def _records(names: list[str], rows: list[list[str]], width: int, state: int | None) -> Iterator[str]:
    """Each row as lines `column  value`, under a rule with its number, as psql's expanded display."""
    room = width - max(map(cell_len, names)) - GAP
    heads = [line.removesuffix(PLACE) for line in _drawn(_record(names, [PLACE] * len(names)), width)]
    rule, digits = "", 0
    for number, row in enumerate(rows, 1):
        if digits != len(str(number)):
            digits = len(str(number))
            (rule,) = _drawn(Rule(PLACE * digits, align="left", characters="─"), width)
        yield rule.replace(PLACE * digits, str(number))
        if max(map(cell_len, row)) <= room:
            yield from map(str.rstrip, map(str.__add__, heads, _painted([*row], row, state)))
        else:
            yield from _drawn(_record(names, row), width)


def _record(names: list[str], row: list[str]) -> RichTable:
    shown = RichTable(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in zip(names, row, strict=True):
        shown.add_row(Text(name), Text(value))
    return shown


def _drawn(shown: RenderableType, width: int) -> list[str]:
    # force_terminal: whether stdout is one was decided by the caller; NO_COLOR is honoured by rich itself.
    # height: without one a dumb terminal would have 80 columns, whatever `width` says.
    console = Console(width=width, height=25, force_terminal=True, highlight=False)
    with console.capture() as captured:
        console.print(shown)
    return [line.rstrip() for line in captured.get().strip("\n").split("\n")]


def _cell(value: object) -> str:
    text = text_replies.cell(value)
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        except (ValueError, OverflowError):  # no such day: shown as it came
            return text
    return text

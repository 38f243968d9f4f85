"""Tables for people: columns where they fit the terminal (see `layout`), a record a row where they do not.

Rich draws the frames, and each value of a record that has to be folded. The other rows are only put into the frame that
it drew once: it takes the better part of a millisecond for one, and there may be 10,000 clients to list.

Imported only when a table meets a terminal: rich would double the start-up time of `-c PING`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, zip_longest
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from secure_client.answers.colours import STATES, paint
from secure_client.answers.columns import screen, wrapped
from secure_client.answers.layout import GAP, INDENT, Fit, fit, fold
from secure_client.answers.moments import in_local_time
from secure_client.i18n import _
from secure_protocol import text_replies
from secure_protocol.printable import printable
from secure_protocol.replies import Table

NARROWEST = 4
"""Columns beside the names of a record; where there are fewer, values stand below their names."""
PLACE = "#"
"""Stands in a frame for what is to come there; no escape sequence has it."""
NOTHING = ("", "-")
"""Cells that say nothing: they do not hang below a row."""
STATE = "state"
"""The column that jobs, tokens and certificates have their states in."""


def draw(table: Table, width: int, *, vertical: bool = False, colours: bool = False, minor: Sequence[str] = ()) -> str:
    """Return a table as lines of at most `width` columns: a row a line where they fit, and nobody wants it otherwise.

    Args:
        table: any.
        width: of the terminal.
        vertical: a row is to be lines in any case.
        colours: states have theirs.
        minor: columns that may be left out, those first that are missed least; what was is said below.

    Moments are shown in local time, without an offset; programs have `--json`.
    """
    drawn = Drawn(table, width, vertical=vertical, colours=colours, minor=minor)
    return "\n".join([*drawn.first, *drawn.foot(chosen_by="")])


def fitted(columns: Sequence[str], rows: Iterable[Sequence[str]], stream: TextIO) -> str:
    """Return a table as it is written to a stream: as wide as its terminal, or as it likes where there is none.

    Args:
        columns: their headings.
        rows: text of any origin.
        stream: that it is written to.
    """
    table = Table(tuple(columns), [tuple(row) for row in rows])
    if stream.isatty():
        return draw(table, screen().columns)
    names, cells = table.columns, [list(map(text_replies.cell, row)) for row in table.rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    lines = [names, ["-" * width for width in widths], *cells]
    return "\n".join(_line(line, widths) for line in lines)


class Drawn:
    """A table whose first rows decide how it is drawn, and others may follow.

    Args:
        table: with the first rows.
        width, vertical, colours, minor: as of `draw`.

    Attributes:
        first: the heading, and the first rows.
    """

    def __init__(
        self, table: Table, width: int, *, vertical: bool = False, colours: bool = False, minor: Sequence[str] = ()
    ) -> None:
        self._names = [printable(column) for column in table.columns]
        self._width = width
        self._state = self._names.index(STATE) if colours and STATE in self._names else None
        self._numbers = count(1)
        rows = [[_cell(value) for value in row] for row in table.rows]
        self._fit = None if vertical else fit(self._names, rows, width, minor)
        self.first = [*self._head(), *self._lines(rows)]

    def following(self, rows: Iterable[Sequence[object]]) -> Iterator[str]:
        """Return the lines of rows that follow; what is wider than what came first sticks out, and is whole."""
        return self._lines([[_cell(value) for value in row] for row in rows])

    def foot(self, chosen_by: str) -> list[str]:
        """Return what is said below the last row: which columns there was no room for.

        Args:
            chosen_by: the option that chooses columns; empty where there is none.
        """
        found = self._fit
        shown = range(len(self._names)) if found is None else (*found.kept, *found.hanging)
        gone = [name for index, name in enumerate(self._names) if index not in shown]
        if not gone:
            return []
        told = _("No room for {columns}; {option} chooses others.") if chosen_by else _("No room for {columns}.")
        return ["", *fold(told.format(columns=", ".join(gone), option=chosen_by), self._width)]

    def _head(self) -> list[str]:
        found = self._fit
        if found is None:
            return []
        head = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        head.header_style = "bold"
        for index, width in zip(found.kept, found.widths, strict=True):
            head.add_column(Text(self._names[index]), no_wrap=not found.folds, width=width)
        return _drawn(head, found.across)

    def _lines(self, rows: list[list[str]]) -> Iterator[str]:
        if self._fit is None:
            return _records(self._names, rows, self._width, self._state, self._numbers)
        return _columns(self._names, rows, self._fit, self._width, self._state)


def _columns(names: list[str], rows: list[list[str]], found: Fit, width: int, state: int | None) -> Iterator[str]:
    where = found.kept.index(state) if state in found.kept else None
    for row in rows:
        cells = [row[index] for index in found.kept]
        if not found.folds:
            yield _line(cells, found.widths, where)
            hanging = [f"{names[index]} {row[index]}" for index in found.hanging if row[index] not in NOTHING]
            yield from (" " * INDENT + line for line in _joined(hanging, width - INDENT))
            continue
        parts = [fold(cell, size) for cell, size in zip(cells, found.widths, strict=True)]
        for line in zip_longest(*parts, fillvalue=""):
            yield _line(line, found.widths, where)


def _joined(texts: Iterable[str], width: int) -> Iterator[str]:
    """Return texts in lines, each whole where it fits one, as many as fit beside each other."""
    line = ""
    for text in texts:
        if line and cell_len(line) + GAP + cell_len(text) <= width:
            line += " " * GAP + text
            continue
        if line:
            yield line
        *lines, line = wrapped(text, width) if cell_len(text) > width else [text]
        yield from lines
    if line:
        yield line


def _line(cells: Sequence[str], widths: Sequence[int], state: int | None = None) -> str:
    """Return one line; the state in its colour."""
    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
    return (" " * GAP).join(_painted(padded, cells, state)).rstrip()


def _painted(cells: list[str], row: Sequence[str], state: int | None) -> list[str]:
    """Give the state of a row its colour, in cells that may be wider."""
    if state is not None and (colour := STATES.get(row[state])) is not None:
        cells[state] = cells[state].replace(row[state], paint(row[state], colour))
    return cells


def _records(
    names: list[str], rows: list[list[str]], width: int, state: int | None, numbers: Iterator[int]
) -> Iterator[str]:
    """Each row as lines `column  value`, under a rule with its number, as psql's expanded display."""
    room = width - max(map(cell_len, names)) - GAP
    heads = [line.removesuffix(PLACE) for line in _drawn(_record(names, [PLACE] * len(names)), width)]
    rule, digits = "", 0
    for row, number in zip(rows, numbers, strict=False):
        if digits != len(str(number)):
            digits = len(str(number))
            (rule,) = _drawn(Rule(PLACE * digits, align="left", characters="─"), width)
        yield rule.replace(PLACE * digits, str(number))
        if room < NARROWEST:
            for name, value in zip(names, row, strict=True):
                yield from (*wrapped(name, width), *(f" {line}" for line in wrapped(value, width - 1)))
        elif max(map(cell_len, row)) <= room:
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
    return in_local_time(text_replies.cell(value), "%Y-%m-%d %H:%M:%S")

"""Tables for people: columns where they fit the terminal, a record a row where they do not.

Imported only when a table meets a terminal: rich would double the start-up time of `-c PING`.
"""

from __future__ import annotations

import re
from datetime import datetime

from rich import box
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table as RichTable
from rich.text import Text

from secure_protocol import text_replies
from secure_protocol.printable import printable
from secure_protocol.replies import Table

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")


def draw(table: Table, width: int) -> str:
    """Return a table as lines of at most `width` columns.

    Moments are shown in local time, without an offset; programs have `--json`.
    """
    # force_terminal: whether stdout is one was decided by the caller; NO_COLOR is honoured by rich itself.
    console = Console(width=width, force_terminal=True, highlight=False)
    shown: list[RenderableType] = [_columns(table)]
    if console.measure(shown[0], options=console.options.update(width=10_000)).maximum > width:
        shown = [part for number, row in enumerate(table.rows, 1) for part in _record(table.columns, row, number)]
    with console.capture() as captured:
        console.print(*shown, sep="\n")
    return "\n".join(line.rstrip() for line in captured.get().strip("\n").split("\n"))


def _columns(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in table.columns:
        shown.add_column(Text(printable(column)), no_wrap=True)
    for row in table.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _record(columns: tuple[str, ...], row: tuple[object, ...], number: int) -> list[RenderableType]:
    """One row as lines `column  value`, under a rule with its number, as psql's expanded display."""
    shown = RichTable(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for column, value in zip(columns, row, strict=True):
        shown.add_row(Text(printable(column)), _cell(value))
    return [Rule(str(number), align="left", characters="─"), shown]


def _cell(value: object) -> Text:
    text = text_replies.cell(value)
    if _MOMENT.fullmatch(text):
        try:
            text = datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        except (ValueError, OverflowError):  # no such day: shown as it came
            return Text(text)
    return Text(text)

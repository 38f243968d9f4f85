"""The two lists: the busiest commands and the busiest clients, with what each column of them shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from secure_client.answers.columns import columns_of
from secure_client.i18n import N_, _
from secure_client.terminal.prompt.hint import cut
from secure_client.terminal.top import units
from secure_client.terminal.top.figures import number
from secure_client.terminal.top.signs import Signs
from secure_protocol.printable import printable

Row = Mapping[str, object]

GAP = 2
"""Blanks between columns."""
SHORTEST = 0.4
"""Seconds between two looks that tell a rate; of less, chance would make it."""
CELL_CHARACTERS = 200
"""Of a value that a server sent, looked at."""
RATES = ("commands", "in", "out")
"""Columns of clients from which rates are made, `commands/s` and so on."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: of the value in a row.
        heading: English, translated where it is shown.
        shown: the value as it is read.
        width: columns that its values take; those of text take at least so many, and share what is left.
        text: of letters, at the left; else of figures, at the right.
        rank: the higher, the sooner it is left out where there is too little room.
    """

    name: str
    heading: str
    shown: Callable[[object], str]
    width: int = 7
    text: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Pane:
    """One list.

    Attributes:
        title: English, translated where it is shown.
        key: the column by which a row is known again.
        columns: from left to right.
        order: the column that it is sorted by at first, the largest first.
        empty: what is said where it has no rows, English likewise.
    """

    title: str
    key: str
    columns: Sequence[Column]
    order: str
    empty: str


def _text(value: object) -> str:
    return (
        units.UNKNOWN if value is None else printable(value if isinstance(value, str) else str(value), CELL_CHARACTERS)
    )


def _figure(write: Callable[[float | None], str]) -> Callable[[object], str]:
    def shown(value: object) -> str:
        return write(value if isinstance(value, int | float) and not isinstance(value, bool) else None)

    return shown


COUNT, RATE, SIZE = _figure(units.count), _figure(units.rate), _figure(units.size)
SPAN = _figure(units.span)


def commands(signs: Signs) -> Pane:
    """Return the list of commands, `by_command` of `SERVER STATS`."""
    time = _figure(lambda value: units.time(value, signs.micro))
    return Pane(
        N_("Commands"),
        "command",
        [
            Column("command", N_("command"), _text, 12, text=True),
            Column("minute", N_("last min"), COUNT),
            Column("calls", N_("calls"), COUNT, rank=2),
            Column("failed", N_("failed"), COUNT, rank=1),
            Column("p50", N_("p50"), time, rank=3),
            Column("p99", N_("p99"), time),
            Column("max", N_("longest"), time, rank=4),
            Column("worker_seconds", N_("workers"), time, rank=5),
        ],
        "minute",
        N_("No command was run yet."),
    )


def clients() -> Pane:
    """Return the list of clients, as `CLIENTS` tells of them."""
    return Pane(
        N_("Clients"),
        "id",
        [
            Column("id", N_("id"), _text, 6),
            Column("user", N_("user"), _text, 12, text=True),
            Column("address", N_("address"), _text, 15, text=True, rank=3),
            Column("commands/s", N_("cmd/s"), RATE, 6),
            Column("in/s", N_("in/s"), SIZE, rank=4),
            Column("out/s", N_("out/s"), SIZE, rank=5),
            Column("commands", N_("commands"), COUNT, rank=1),
            Column("idle", N_("idle"), SPAN, rank=2),
            Column("last", N_("last"), _text, 8, text=True, rank=6),
        ],
        "commands/s",
        N_("No clients are connected."),
    )


def clients_at_once() -> Pane:
    """Return the list of clients for one look, which tells no rates."""
    pane = clients()
    columns = [column for column in pane.columns if not column.name.endswith("/s")]
    return replace(pane, columns=columns, order="commands")


def with_rates(now: Sequence[Row], before: Sequence[Row], seconds: float) -> list[Row]:
    """Return rows of clients with what each did a second, since the look before; None for one that was not there.

    Args:
        now: the newest look's.
        before: those of the look before.
        seconds: between the two.
    """
    earlier = {str(row.get("id")): row for row in before}
    found: list[Row] = []
    for row in now:
        then = earlier.get(str(row.get("id")), {})
        found.append({**row, **{f"{name}/s": _rate(number(row, name), number(then, name), seconds) for name in RATES}})
    return found


def _rate(now: float | None, then: float | None, seconds: float) -> float | None:
    if now is None or then is None or seconds < SHORTEST or now < then:
        return None
    return (now - then) / seconds


def ordered(rows: Sequence[Row], column: str, *, rising: bool) -> list[Row]:
    """Return rows sorted by a column; what has no value there is last, and what is alike stays as it was."""
    known = [row for row in rows if row.get(column) is not None]
    figures = all(isinstance(row[column], int | float) for row in known)

    def value(row: Row) -> tuple[float, str]:
        here = row[column]
        return (float(here), "") if figures and isinstance(here, int | float) else (0.0, str(here).casefold())

    return sorted(known, key=value, reverse=not rising) + [row for row in rows if row.get(column) is None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The columns that there is room for, and how wide each is."""

    columns: Sequence[Column]
    widths: Sequence[int]

    def heading(self, order: str, mark: str) -> str:
        """Return the headings, with a mark at the one that is sorted by."""
        return self._joined([(mark if each.name == order else "") + _(each.heading) for each in self.columns])

    def line(self, row: Row) -> str:
        """Return a row."""
        return self._joined([each.shown(row.get(each.name)) for each in self.columns])

    def _joined(self, texts: Sequence[str]) -> str:
        return (" " * GAP).join(
            placed(text, width, right=not column.text)
            for text, width, column in zip(texts, self.widths, self.columns, strict=True)
        )


def fitted(pane: Pane, columns: int) -> Fitted:
    """Return the columns of a pane that fit; the same ones whatever is in the rows, so that nothing jumps."""
    chosen = list(pane.columns)
    while len(chosen) > 1 and sum(map(_least, chosen)) + GAP * (len(chosen) - 1) > columns:
        chosen.remove(max(chosen, key=lambda each: each.rank))
    widths = [_least(each) for each in chosen]
    texts = [index for index, each in enumerate(chosen) if each.text]
    spare = max(0, columns - sum(widths) - GAP * (len(chosen) - 1))
    for turn, index in enumerate(texts):
        share = spare // (len(texts) - turn)
        widths[index] += share
        spare -= share
    if len(chosen) == 1:
        widths = [columns]
    return Fitted(chosen, widths)


def _least(column: Column) -> int:
    return max(column.width, columns_of(_(column.heading)) + 1)  # and the mark of the order


def placed(text: str, width: int, *, right: bool = False) -> str:
    """Return text in exactly so many columns."""
    text = cut(text, width)
    blanks = " " * max(0, width - columns_of(text))
    return blanks + text if right else text + blanks

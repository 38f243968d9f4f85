"""Which columns of a table a terminal has room for, and how wide each is.

Nothing is cut, and nothing is left out unsaid. Where the columns do not fit as they are, those go that the table's
author can do without; then cells are folded at their blanks, so that ids, names and addresses stay whole; then the last
columns hang below each row, with their names; and where that leaves too few in a row, each value has a line of its own:
`fit` has no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from secure_client.answers.columns import wrapped

GAP = 2
"""Blanks between columns."""
INDENT = 4
"""Blanks before what hangs below a row."""
FEWEST = 3
"""Columns that a row has at least, where others hang below it."""
TALLEST = 3
"""Lines that folded rows have at most on average; taller ones are hard to tell apart."""
SAMPLE = 200
"""Rows that are looked at for where to fold; that no word is parted is seen to in all of them."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
"""As tables show it: one word to who reads it."""


class Fit(NamedTuple):
    """How a table fits.

    Attributes:
        kept: the columns that are shown, by their places.
        widths: of each of those.
        folds: cells of several lines may be among them.
        hanging: the columns that hang below their rows.
    """

    kept: tuple[int, ...]
    widths: tuple[int, ...]
    folds: bool = False
    hanging: tuple[int, ...] = ()

    @property
    def across(self) -> int:
        """How wide the table is."""
        return across(self.widths)


def across(widths: Sequence[int]) -> int:
    """Return how wide a table of such columns is."""
    return sum(widths) + GAP * (len(widths) - 1)


def fit(names: Sequence[str], rows: Sequence[Sequence[str]], width: int, minor: Sequence[str] = ()) -> Fit | None:
    """Return how a table fits; None where each of its values needs a line.

    Args:
        names: of the columns.
        rows: printable cells.
        width: of the terminal.
        minor: the names of columns that can go, those first that are missed least.
    """
    columns = list(zip(names, *rows, strict=True))
    widths = [max(1, *map(cell_len, column)) for column in columns]
    kept = _without(names, widths, width, minor)
    found = Fit(tuple(kept), tuple(widths[index] for index in kept))
    if found.across <= width:
        return found
    return _folded([columns[index] for index in kept], found, width) or _hung(widths, width)


def fold(cell: str, width: int) -> list[str]:
    """Part a cell into lines at its blanks; a longer word sticks out, rather than being parted."""
    if cell_len(cell) <= width:
        return [cell]
    return wrapped(cell, max(width, _longest_word(cell))) or [""]


def _without(names: Sequence[str], widths: Sequence[int], width: int, minor: Sequence[str]) -> list[int]:
    """Return the places of the columns that stay: as many as fit, those that are missed most before the others."""
    kept, gone = list(range(len(names))), list[int]()
    for name in minor:
        if across([widths[index] for index in kept]) <= width or len(kept) == 1:
            break
        if name in names:
            gone.append(names.index(name))
            kept.remove(gone[-1])
    if across([widths[index] for index in kept]) > width:
        return kept
    for index in reversed(gone):  # a wide one made room for narrower ones that went before it
        if across([widths[one] for one in (*kept, index)]) <= width:
            kept.append(index)
    return sorted(kept)


def _hung(widths: Sequence[int], width: int) -> Fit | None:
    """Leave the first columns in a row, as many as fit; None where those are too few to be one."""
    count = len(widths)
    while count and across(widths[:count]) > width:
        count -= 1
    if count < FEWEST:
        return None
    return Fit(tuple(range(count)), tuple(widths[:count]), hanging=tuple(range(count, len(widths))))


def _folded(columns: Sequence[Sequence[str]], found: Fit, width: int) -> Fit | None:
    """Make the widest columns narrower, each time to where its lines break, until all fit; None where rows get tall."""
    least = [max(1, *map(_longest_word, column)) for column in columns]
    if across(least) > width:
        return None
    widths, samples = list(found.widths), [column[: SAMPLE + 1] for column in columns]
    while across(widths) > width:
        index = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        lines = (line for cell in samples[index] for line in fold(cell, widths[index] - 1))
        widths[index] = max(least[index], *map(cell_len, lines))
    rows = list(zip(*samples, strict=True))[1:]
    height = sum(max(len(fold(cell, size)) for cell, size in zip(row, widths, strict=True)) for row in rows)
    return Fit(found.kept, tuple(widths), folds=True) if height <= TALLEST * len(rows) else None


def _longest_word(cell: str) -> int:
    if _MOMENT.fullmatch(cell):
        return cell_len(cell)
    return max(map(cell_len, cell.split()), default=0)

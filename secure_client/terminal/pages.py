"""Long tables, page by page: a person sees the first rows while the others are still to come.

Which they are, and by which column they go on, the server says of its command (`pages`). A program asks for all at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Self

from secure_client.catalogue import Catalogue
from secure_client.typed.arguments import call_of
from secure_client.typed.line import Line

FIRST_ROWS = 200
"""More than a screen has, and soon there."""
FOLLOWING_ROWS = 1000
"""Each of the pages behind the first: some tenths of a second, and few enough that Ctrl-C is heard."""
LIMIT, AFTER, SORT = "limit", "after", "sort"
"""The options that pages are asked for by; and the one that puts rows in an order that no page goes on in."""

Rows = list[dict[object, object]]


class Pages(NamedTuple):
    """A line whose answer comes page by page.

    Attributes:
        line: as it was typed.
        start: where its options may stand.
        column: by which it goes on.
    """

    line: Line
    start: int
    column: str

    @classmethod
    def of(cls, line: Line, catalogue: Catalogue) -> Self | None:
        """Return how a line's answer comes in pages; None where it does not, or its user chose another part."""
        call = call_of(catalogue, line.words)
        if call is None or not call.description.pages:
            return None
        options = {argument.name for argument in call.description.arguments if argument.flag}
        given = {item.argument.name for item in call.given if item.argument.flag}
        if not {LIMIT, AFTER} <= options or given & {LIMIT, AFTER, SORT}:
            return None
        return cls(line, call.start, call.description.pages)

    @property
    def first(self) -> Line:
        """The line that asks for the first page."""
        return self._with(LIMIT, FIRST_ROWS)

    def taken(self, value: object, ask: Callable[[Line], object]) -> tuple[object, Iterator[Rows] | None]:
        """Return what to show of the answer to `first`, and the rows that follow; None where that is all.

        Args:
            value: the answer.
            ask: has another line answered; raises ClientError.
        """
        if not (isinstance(value, list) and len(value) >= FIRST_ROWS and _are_rows(value)):
            return value, None
        if self.column not in value[-1]:  # the user chose other columns
            return ask(self.line), None
        return value, self._following(value, ask)

    def _following(self, rows: Rows, ask: Callable[[Line], object]) -> Iterator[Rows]:
        wanted = FIRST_ROWS
        while len(rows) >= wanted:
            wanted, last = FOLLOWING_ROWS, rows[-1][self.column]
            value = ask(self._with(LIMIT, wanted, AFTER, last))
            if not (isinstance(value, list) and value and _are_rows(value)):
                return
            rows = value
            yield rows

    def _with(self, *options: object) -> Line:
        """Return the line with options and their values behind the command's name."""
        names, values = options[::2], options[1::2]
        words = [f"--{name}={value}".encode() for name, value in zip(names, values, strict=True)]
        return self.line._replace(words=(*self.line.words[: self.start], *words, *self.line.words[self.start :]))


def _are_rows(value: Sequence[object]) -> bool:
    return all(isinstance(row, dict) for row in value)

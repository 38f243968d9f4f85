"""What is looked at, and how: the lists, what is chosen in them, and what stands in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from secure_client.terminal.top.figures import Figures
from secure_client.terminal.top.options import USUAL
from secure_client.terminal.top.panes import Pane, Row, ordered
from secure_client.terminal.top.signs import UNICODE, Signs


class Mode(Enum):
    """What the keys are for."""

    LISTS = auto()
    """Rows are chosen."""
    TEXT = auto()
    """What is told of one, or the keys, stands in the lists' place."""
    ASKING = auto()
    """A question is answered with a key."""
    TYPING = auto()
    """A line is typed at the bottom."""


@dataclass(slots=True)
class Listing:
    """One of the lists.

    Attributes:
        pane: which one.
        rows: as they came.
        order: the column that it is sorted by.
        rising: the smallest first.
        filter: of its rows; empty for all of them.
        chosen: the key of the row that the cursor is on; None: the first.
        first: the number of the row that is shown first.
        columns: those that were shown last; only by them it is sorted.
    """

    pane: Pane
    rows: Sequence[Row] = ()
    order: str = ""
    rising: bool = False
    filter: str = ""
    chosen: object = None
    first: int = 0
    columns: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.order = self.order or self.pane.order

    @property
    def sorted(self) -> list[Row]:
        """The rows as they are shown."""
        return ordered(self.rows, self.order, rising=self.rising)

    @property
    def row(self) -> Row | None:
        """The row that the cursor is on; None where there is none at all."""
        rows = self.sorted
        return rows[self.at(rows)] if rows else None

    def at(self, rows: Sequence[Row]) -> int:
        """Return the number of the row that the cursor is on; where that one has gone, the first."""
        return next((number for number, row in enumerate(rows) if row.get(self.pane.key) == self.chosen), 0)

    def move(self, by: int) -> None:
        """Have the cursor on another row, so many further down."""
        if rows := self.sorted:
            self.chosen = rows[max(0, min(len(rows) - 1, self.at(rows) + by))].get(self.pane.key)

    def scroll(self, rows: Sequence[Row], height: int) -> None:
        """Have the row with the cursor among those that are shown, of which there are `height`."""
        at = self.at(rows)
        self.first = max(0, min(self.first, at, len(rows) - height), at - height + 1)

    def sort(self, by: int) -> None:
        """Sort by another column, so many further to the right."""
        names = list(self.columns) or [column.name for column in self.pane.columns]
        at = names.index(self.order) if self.order in names else 0
        self.order, self.rising = names[(at + by) % len(names)], False
        column = next(each for each in self.pane.columns if each.name == self.order)
        self.rising = column.text  # names are looked for by their letters


@dataclass(slots=True)
class View:
    """All that a frame is made from.

    Attributes:
        where: the server's address, and as whom.
        listings: the lists.
        signs: what can be shown.
        interval: seconds between two looks.
        figures: of the newest look; None before there was one.
        focus: the number of the list that keys are for.
        paused: nothing is asked.
        trouble: why nothing new comes; empty where it does.
        message: what is told in the keys' place, until the next key.
        bad: that is an error.
        mode: what the keys are for.
        question: that is asked.
        title: over a text.
        text: what stands in the lists' place.
        first: the number of its line that is shown first.
    """

    where: str
    listings: Sequence[Listing]
    signs: Signs = UNICODE
    interval: float = USUAL
    figures: Figures | None = None
    focus: int = 0
    paused: bool = False
    trouble: str = ""
    message: str = ""
    bad: bool = False
    mode: Mode = Mode.LISTS
    question: str = ""
    title: str = ""
    text: Sequence[str] = field(default=())
    first: int = 0

    @property
    def listing(self) -> Listing:
        """The list that keys are for."""
        return self.listings[self.focus]

    def tell(self, message: str, *, bad: bool = False) -> None:
        """Tell something, until the next key."""
        self.message, self.bad = message, bad

    def reverse(self) -> None:
        """Turn the order of the list around."""
        self.listing.rising = not self.listing.rising

    def read(self, title: str, text: Sequence[str]) -> None:
        """Have a text in the lists' place."""
        self.mode, self.title, self.text, self.first = Mode.TEXT, title, text, 0

"""What was measured: a value for each round, of each quantity, for each contestant."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Better(Enum):
    """Which way a quantity is good."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is measured.

    Attributes:
        name: in JSON, file names and targets.
        title: for people.
        unit: of the values.
        better: which way is good.
    """

    name: str
    title: str
    unit: str
    better: Better = Better.LOWER


@dataclass(slots=True)
class Figure:
    """The values of one quantity for one contestant."""

    quantity: Quantity
    contestant: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return min(self.values), max(self.values)


class Figures:
    """All of them, in the order in which they came."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str], Figure] = {}

    def add(self, quantity: Quantity, contestant: str, value: float) -> None:
        """Take one round's value."""
        key = (quantity.name, contestant)
        self._figures.setdefault(key, Figure(quantity, contestant)).values.append(value)

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def of(self, quantity: str) -> list[Figure]:
        """Return the figures of one quantity."""
        return [figure for figure in self if figure.quantity.name == quantity]

    def ratio(self, quantity: str, contestant: str, peer: str) -> float | None:
        """Return the contestant's median over the peer's; None where one of them was not measured, or is zero."""
        one, other = self._figures.get((quantity, contestant)), self._figures.get((quantity, peer))
        if one is None or other is None or not other.median:
            return None
        return one.median / other.median


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def shown(value: float) -> str:
    """Write a value with three digits that tell something: 12,345, 123, 12.3, 0.012."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"

"""What a measure is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.contestants import Arena, Contestant
from benchmarks.figures import Quantity
from benchmarks.scale import Scale

Take = Callable[[Arena, Contestant, Scale], dict[str, float]]
"""Measures one contestant once; returns the values by the quantities' names, those that it has."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One subject.

    Attributes:
        name: for `--only`.
        title: for people.
        quantities: what is measured.
        contestants: of whom.
        take: measures.
        note: how, in a sentence.
        rounds: how many at most, and none to warm up; None as the scale has it.
    """

    name: str
    title: str
    quantities: tuple[Quantity, ...]
    contestants: tuple[Contestant, ...]
    take: Take
    note: str
    rounds: int | None = None

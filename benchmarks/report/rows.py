"""The rows that the terminal's tables and those in Markdown have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.contest import Outcome
from benchmarks.contestants import OURS, REDIS
from benchmarks.figures import Figure, Figures, Quantity, shown
from benchmarks.measures.measure import Measure
from benchmarks.targets import Bound, Verdict

HEADINGS = ("", "median", "least", "most", "unit", "ratio")
TARGET_HEADINGS = ("target", "compared with", "aim", "ratio", "")


@dataclass(frozen=True, slots=True)
class Block:
    """One quantity: its title and a row for each contestant."""

    quantity: Quantity
    rows: list[tuple[str, ...]]


def base(figures: list[Figure]) -> str:
    """Return whom the others are compared with: redis-server, or else the first."""
    names = [figure.contestant for figure in figures]
    return REDIS.name if REDIS.name in names else names[0]


def blocks(measure: Measure, figures: Figures) -> Iterator[Block]:
    """Return what a measure has, quantity by quantity."""
    for quantity in measure.quantities:
        found = figures.of(quantity.name)
        if found:
            yield Block(quantity, [_row(figure, found, figures) for figure in found])


def _row(figure: Figure, beside: list[Figure], figures: Figures) -> tuple[str, ...]:
    ratio = figures.ratio(figure.quantity.name, figure.contestant, base(beside))
    told = f"{ratio:.2f}×" if ratio is not None and len(beside) > 1 else ""
    values = map(shown, (figure.median, *figure.spread))
    return (figure.contestant, *values, figure.quantity.unit, told)


def target_row(verdict: Verdict, quantities: dict[str, str]) -> tuple[str, ...]:
    """Return a target and what came of it."""
    target = verdict.target
    whose = "" if target.contestant is OURS else f" ({target.contestant.name})"
    aim = f"{target.bound.value} {target.factor:g}×"
    reached = "reached" if verdict.reached else "missed"
    if target.beyond:
        beyond = verdict.ratio >= target.beyond if target.bound is Bound.AT_LEAST else verdict.ratio <= target.beyond
        aim += f", beyond {target.beyond:g}×"
        reached = "reached, and beyond" if beyond else reached
    return (quantities[target.quantity] + whose, target.peer.name, aim, f"{verdict.ratio:.2f}×", reached)


def titles(outcome: Outcome) -> dict[str, str]:
    """Return what to call each quantity where its measure is not named."""
    return {
        quantity.name: f"{measure.title}: {quantity.title}"
        for measure in outcome.measures
        for quantity in measure.quantities
    }

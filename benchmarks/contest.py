"""Take the measures: each contestant once in every round, beginning with another one each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.children import ChildError, LackingError
from benchmarks.contestants import Arena, Contestant, Place
from benchmarks.figures import Figures
from benchmarks.loads.connection import LoadError
from benchmarks.measures.measure import Measure
from benchmarks.scale import Scale
from secure_client.errors import ClientError

FAILURES = (ChildError, LoadError, ClientError, OSError, json.JSONDecodeError)
"""What a contestant may do wrong. Anything else is a mistake of ours."""


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        measures: that were taken.
        figures: the values.
        failures: sentences; each is a contestant that failed at a measure.
        lacking: what cannot run here, and what to do about it, by contestant or measure.
    """

    measures: tuple[Measure, ...]
    figures: Figures = field(default_factory=Figures)
    failures: list[str] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What is done next: one contestant in one round."""

    measure: Measure
    contestant: Contestant
    round: int
    """One below 0 warms up."""


def steps(measures: Sequence[Measure], scale: Scale) -> list[list[Step]]:
    """Return all steps, a list for each measure."""
    return [
        [
            Step(measure, contestant, number)
            for number in (
                range(-scale.warm_ups, scale.rounds)
                if measure.rounds is None
                else range(min(measure.rounds, scale.rounds))
            )
            for contestant in rotated(measure.contestants, number)
        ]
        for measure in measures
    ]


def rotated(contestants: Sequence[Contestant], by: int) -> list[Contestant]:
    """Return all, beginning with another one."""
    start = by % len(contestants)
    return [*contestants[start:], *contestants[:start]]


def run(measures: Sequence[Measure], scale: Scale, place: Place, on_step: Callable[[Step], None]) -> Outcome:
    """Measure.

    Args:
        measures: what.
        scale: how much.
        place: where.
        on_step: told of each step before it is done.
    """
    outcome, arena = Outcome(tuple(measures)), Arena(place)
    for taken in steps(measures, scale):
        failed: set[str] = set()
        try:
            for step in taken:
                on_step(step)
                name = step.contestant.name
                if lacking := step.contestant.lacking():
                    outcome.lacking[name] = lacking
                elif name not in failed:
                    try:
                        _take(step, scale, arena, outcome)
                    except LackingError as error:
                        failed.add(name)
                        outcome.lacking[step.measure.name] = str(error)
                    except FAILURES as error:
                        failed.add(name)
                        outcome.failures.append(f"{step.measure.name}, {name}: {error or type(error).__name__}")
        finally:
            arena.end()
    return outcome


def _take(step: Step, scale: Scale, arena: Arena, outcome: Outcome) -> None:
    values = step.measure.take(arena, step.contestant, scale)
    for quantity in step.measure.quantities:
        if step.round >= 0 and quantity.name in values:
            outcome.figures.add(quantity, step.contestant.name, values[quantity.name])

"""Targets name what is measured, and are judged by the right side of the factor."""

from __future__ import annotations

from benchmarks.contest import Outcome
from benchmarks.contestants import REDIS
from benchmarks.measures import ALL
from benchmarks.targets import TARGETS, Bound, Target, verdicts


def test_each_target_names_a_quantity_that_both_sides_are_measured_by() -> None:
    """A misspelt one would never be judged, and nobody would notice."""
    measured = {
        (quantity.name, contestant.name)
        for measure in ALL
        for quantity in measure.quantities
        for contestant in measure.contestants
    }
    for target in TARGETS:
        assert {(target.quantity, target.contestant.name), (target.quantity, target.peer.name)} <= measured, target


def test_names_of_measures_and_quantities_are_unique() -> None:
    """Figures are kept by name."""
    names = [quantity.name for measure in ALL for quantity in measure.quantities]
    assert len(set(names)) == len(names)
    assert len({measure.name for measure in ALL}) == len(ALL)


def test_the_factor_itself_reaches_the_target() -> None:
    """At least and at most include it."""
    least, most = (Target("x", REDIS, bound, 0.5) for bound in (Bound.AT_LEAST, Bound.AT_MOST))
    assert [least.reached_by(ratio) for ratio in (0.49, 0.5, 0.51)] == [False, True, True]
    assert [most.reached_by(ratio) for ratio in (0.49, 0.5, 0.51)] == [True, True, False]


def test_only_what_was_measured_is_judged(outcome: Outcome) -> None:
    """One target has both its sides here."""
    (verdict,) = verdicts(outcome.figures)
    assert (verdict.target.factor, verdict.ratio, verdict.reached) == (0.9, 0.5, False)

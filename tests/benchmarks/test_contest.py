"""Rounds: everybody in each, beginning with another one, the first one for warming up; failures stop one, not all."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.children import ChildError, LackingError
from benchmarks.contest import Step, run, steps
from benchmarks.contestants import Arena, Contestant, Place, peer
from benchmarks.figures import Quantity
from benchmarks.measures.measure import Measure
from benchmarks.scale import QUICK, Scale

ONE, TWO, BROKEN = (peer(name, "none") for name in ("one", "two", "broken"))
ABSENT = Contestant("absent", ONE.start, lambda: "install it")
COST = Quantity("cost", "cost", "µs")
TWICE = replace(QUICK, rounds=2, warm_ups=1)


def measured(place: Place, *contestants: Contestant, rounds: int | None = None) -> tuple[list[str], list[str], object]:
    """Run a measure whose value is how often it was taken; returns the order, the failures, and the values."""
    taken, told = [], []

    def take(_arena: Arena, contestant: Contestant, _scale: Scale) -> dict[str, float]:
        taken.append(contestant.name)
        if contestant is BROKEN:
            raise ChildError("it broke")
        return {"cost": taken.count(contestant.name)}

    def on_step(step: Step) -> None:
        told.append(step.contestant.name)

    measure = Measure("cost", "cost", (COST, Quantity("other", "other", "µs")), contestants, take, "", rounds)
    outcome = run([measure], TWICE, place, on_step)
    assert len(told) == len(contestants) * (TWICE.rounds + 1 if rounds is None else min(rounds, TWICE.rounds))
    values = {figure.contestant: figure.values for figure in outcome.figures}
    return taken, [*outcome.failures, *outcome.lacking.values()], values


def test_rounds_interleave_and_the_warm_up_is_dropped(place: Place) -> None:
    """The first value of each is not among the figures."""
    assert measured(place, ONE, TWO) == (
        ["two", "one", "one", "two", "two", "one"],
        [],
        {"one": [2.0, 3.0], "two": [2.0, 3.0]},
    )


def test_a_measure_may_have_rounds_of_its_own(place: Place) -> None:
    """Then nothing is dropped."""
    assert measured(place, ONE, rounds=1)[2] == {"one": [1.0]}


def test_no_measure_has_more_rounds_than_the_scale(place: Place) -> None:
    """A quick run is quick for all."""
    assert measured(place, ONE, rounds=9)[2] == {"one": [1.0, 2.0]}


def test_a_quick_run_drops_nothing() -> None:
    """None of its rounds is for warming up, and there are two, which shows how far apart they are."""
    measure = Measure("cost", "cost", (COST,), (ONE,), lambda *_: {}, "")
    assert [step.round for step in steps([measure], QUICK)[0]] == [0, 1]
    assert [step.round for step in steps([measure], TWICE)[0]] == [-1, 0, 1]


def test_who_fails_or_is_not_there_does_not_keep_the_others(place: Place) -> None:
    """It is tried once, and named."""
    taken, failures, values = measured(place, ONE, BROKEN, ABSENT)
    assert taken.count("broken") == 1
    assert failures == ["cost, broken: it broke", "install it"]
    assert values == {"one": [2.0, 3.0]}


def test_a_measure_that_lacks_something_is_skipped_with_the_reason(place: Place) -> None:
    """That is no failure, and the reason stands by the measure's name."""

    def take(_arena: Arena, _contestant: Contestant, _scale: Scale) -> dict[str, float]:
        raise LackingError("no index")

    outcome = run([Measure("cost", "cost", (COST,), (ONE,), take, "")], TWICE, place, lambda _: None)
    assert (outcome.failures, outcome.lacking) == ([], {"cost": "no index"})

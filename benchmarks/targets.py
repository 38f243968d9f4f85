"""What is aimed at: ratios within one run, since machines differ and are shared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from benchmarks.contestants import ASYNCIO, OURS, REDIS, THREADS, UVLOOP, Contestant
from benchmarks.figures import Figures
from benchmarks.measures.growth import (
    FEW_COMMANDS,
    FEW_CONNECTIONS,
    MANY_COMMANDS,
    MANY_CONNECTIONS,
    MANY_TOKENS,
    ONE_TOKEN,
    SOME_CONNECTIONS,
)


class Bound(Enum):
    """On which side of the factor the ratio is to be."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of two contestants' medians.

    Attributes:
        quantity: of which.
        peer: compared with whom.
        bound, factor: what is aimed at.
        contestant: whose.
        beyond: what would be better still; 0: nothing.
    """

    quantity: str
    peer: Contestant
    bound: Bound
    factor: float
    contestant: Contestant = OURS
    beyond: float = 0.0

    def reached_by(self, ratio: float) -> bool:
        """Whether a ratio is on the right side."""
        return ratio >= self.factor if self.bound is Bound.AT_LEAST else ratio <= self.factor


_LEAST, _MOST = Bound.AT_LEAST, Bound.AT_MOST
UNCHANGED = 1.05
"""What still passes for no change: ratios of two equal servers differ by so much from run to run."""

TARGETS = (
    Target("echo-1.rate", REDIS, _LEAST, 0.9),
    Target("echo-1.cpu", REDIS, _MOST, 1.3),
    Target("echo-16.rate", REDIS, _LEAST, 0.6, beyond=0.8),
    Target("idle-1000", REDIS, _MOST, 0.5),
    Target("idle-5000", REDIS, _MOST, 0.5),
    Target("idle-10000", REDIS, _MOST, 0.5),
    Target("storm.p99", REDIS, _MOST, 0.5),
    Target("logins.rate", REDIS, _LEAST, 0.9),
    Target("echo-1.rate", UVLOOP, _LEAST, 1.4),
    Target("echo-16.rate", UVLOOP, _LEAST, 2.5),
    Target("echo-1.rate", ASYNCIO, _LEAST, 2.0),
    Target("echo-16.rate", ASYNCIO, _LEAST, 3.0),
    Target("echo-1.rate", THREADS, _LEAST, 2.5),
    Target("echo-16.rate", THREADS, _LEAST, 4.0),
    Target("crowd.cpu", FEW_CONNECTIONS, _MOST, 1.10, SOME_CONNECTIONS),
    Target("crowd.cpu", FEW_CONNECTIONS, _MOST, 1.10, MANY_CONNECTIONS),
    Target("commands.cpu", FEW_COMMANDS, _MOST, UNCHANGED, MANY_COMMANDS),
    Target("tokens.cpu", ONE_TOKEN, _MOST, UNCHANGED, MANY_TOKENS),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, and what came of it."""

    target: Target
    ratio: float

    @property
    def reached(self) -> bool:
        """Whether it was reached."""
        return self.target.reached_by(self.ratio)


def verdicts(figures: Figures) -> Iterator[Verdict]:
    """Judge the targets whose both sides were measured."""
    for target in TARGETS:
        ratio = figures.ratio(target.quantity, target.contestant.name, target.peer.name)
        if ratio is not None:
            yield Verdict(target, ratio)

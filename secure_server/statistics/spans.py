"""How long things took: counts in a fixed logarithmic histogram, so that any number of them takes the same memory."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from operator import add, sub

PER_OCTAVE = 8
"""Steps between a time and its double: what a step stands for is within 4.5 % of all that is counted there."""
OCTAVES = 40
"""From a microsecond, below which nobody asks, to twelve days, beyond which a command is no longer waited for."""
BOUNDS = tuple(1e-6 * 2 ** (step / PER_OCTAVE) for step in range(OCTAVES * PER_OCTAVE))
"""Seconds at which each step but the first begins."""
_MIDDLE = 2 ** (-0.5 / PER_OCTAVE)
_SHOWN = (BOUNDS[0] * _MIDDLE, *(bound / _MIDDLE for bound in BOUNDS))
"""What each step is told as: its geometric middle."""

Counts = list[int]
"""How often each step was met."""


class Spans:
    """Times that were taken. One thread writes, or those who hold a lock; any thread reads.

    Attributes:
        counts: by step.
        seconds: all of them together.
        longest: the longest of them.
    """

    __slots__ = ("counts", "longest", "seconds")

    def __init__(self) -> None:
        self.counts: Counts = [0] * (len(BOUNDS) + 1)
        self.seconds = self.longest = 0.0

    def take(self, seconds: float, times: int = 1) -> None:
        """Count so many that took `seconds` together, each as much as the others."""
        each = seconds / times
        self.counts[bisect(BOUNDS, each)] += times
        self.seconds += seconds
        self.longest = max(self.longest, each)


def nothing() -> Counts:
    """Return counts of nothing."""
    return [0] * (len(BOUNDS) + 1)


def together(parts: Sequence[Counts]) -> Counts:
    """Return the counts of all parts, as of now."""
    total = list(parts[0]) if parts else nothing()
    for part in parts[1:]:
        total = list(map(add, total, part))
    return total


def since(now: Counts, before: Counts | None) -> Counts:
    """Return what was counted since `before`; None: since the start."""
    return now if before is None else list(map(sub, now, before))


def quantiles(counts: Counts, shares: Sequence[float]) -> list[float | None]:
    """Return the seconds that such shares of the runs took at most, within 4.5 %; None where there was no run.

    Args:
        counts: by step.
        shares: of 1; 1 for the longest.
    """
    so_far = list(accumulate(counts))
    if not so_far[-1]:
        return [None] * len(shares)
    # The first step up to which there are so many; where the share is between two runs, it is the later one.
    return [_SHOWN[bisect(so_far, min(share * so_far[-1], so_far[-1] - 1))] for share in shares]

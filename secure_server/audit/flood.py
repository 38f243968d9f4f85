"""A flood of refused tries: some are written as they are, the others counted by what they have in common."""

from __future__ import annotations

import threading
from collections import Counter
from typing import NamedTuple

KINDS = 1_000
"""Kinds of refused tries that are counted apart, a second; beyond it, addresses are counted together."""


class Kind(NamedTuple):
    """What refused tries may have in common; none of it is a peer's own word.

    Attributes:
        event, outcome, command: as in `Entry`.
        reason: why.
        netblock: from where.
    """

    event: str
    outcome: str
    command: str
    reason: str
    netblock: str


class Flood:
    """Tells which refused tries are written as they are. Any thread.

    Args:
        per_second: so many.

    Attributes:
        per_second: the same, from here on.
    """

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._lock = threading.Lock()
        self._second = 0
        self._written = 0
        self._counted: Counter[Kind] = Counter()

    def admits(self, kind: Kind, now: float) -> bool:
        """Whether this one is written; else it was counted.

        Args:
            kind: what it is like.
            now: Unix seconds.
        """
        with self._lock:
            if int(now) != self._second:
                self._second, self._written = int(now), 0
            if self._written < self.per_second:
                self._written += 1
                return True
            if kind not in self._counted and len(self._counted) >= KINDS:
                kind = Kind(kind.event, kind.outcome, "", "", "others")
            self._counted[kind] += 1
            return False

    @property
    def counting(self) -> bool:
        """Whether a count waits to be taken."""
        return bool(self._counted)

    def take(self) -> list[tuple[Kind, int]]:
        """Return what was counted, and begin anew."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        return list(counted.items())

"""The commands that took longest since the start, or since somebody had them forgotten."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from secure_server.audit.record import Withheld
from secure_server.audit.who import Who

KEPT = 100
"""So many; a table of more nobody reads, and each may hold `HELD_BYTES` of each of its arguments."""
SLOW_SECONDS = 0.001
"""What takes less is never among them: it costs less than it would to note it down."""


class Slow(NamedTuple):
    """One of them.

    Attributes:
        seconds: for how long its handler ran, or until its peer was answered without it.
        order: a number that no other has.
        moment: when it was answered, Unix seconds.
        who: asked.
        command: its name.
        arguments: bounded, and without secrets; None where all of them are.
        more: arguments that were left out.
    """

    seconds: float
    order: int
    moment: float
    who: Who
    command: str
    arguments: Sequence[bytes | Withheld] | None
    more: int


class Slowest:
    """Keeps them. Its owner holds a lock."""

    def __init__(self) -> None:
        self._heap: list[Slow] = []
        self._order = count()
        self.least = SLOW_SECONDS
        """What is to be noted takes as long at least."""

    def note(
        self,
        moment: float,
        seconds: float,
        who: Who,
        command: str,
        arguments: tuple[Sequence[bytes | Withheld] | None, int],
    ) -> None:
        """Take one in, in the place of the quickest where there are enough."""
        slow = Slow(seconds, next(self._order), moment, who, command, *arguments)
        if len(self._heap) < KEPT:
            heapq.heappush(self._heap, slow)
        else:
            heapq.heappushpop(self._heap, slow)
        if len(self._heap) == KEPT:
            self.least = self._heap[0].seconds

    def forget(self) -> int:
        """Begin anew; how many there were."""
        forgotten = len(self._heap)
        self._heap.clear()
        self.least = SLOW_SECONDS
        return forgotten

    def all(self) -> list[Slow]:
        """Return them, the slowest first."""
        return sorted(self._heap, reverse=True)

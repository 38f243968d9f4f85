"""The population before authentication: how many there may be, from where, and who is turned away."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from enum import StrEnum


class Turned(StrEnum):
    """Why a newcomer was turned away: for the log and for totals."""

    FULL = "unauthenticated-connections"
    EARLY = "early-drop"
    SOURCE = "connections-from-one-source"


class Newcomers:
    """Counts strangers: connections in handshake, and sessions before authentication. Its owner holds a lock.

    From `early_drop` percent of all places on, newcomers are turned away at random, ever more often up to certainty
    when all are taken (as OpenSSH's MaxStartups): who floods is hit in proportion, and honest ones still come in.

    Args:
        most: strangers at once.
        early_drop: percent of those.
        per_source: of those, from one netblock.
        chance: a number from 0 up to 1, each time another.
    """

    def __init__(
        self, most: int, early_drop: int, per_source: int, chance: Callable[[], float] = random.random
    ) -> None:
        self._most = most
        self._start = most * early_drop / 100
        self._per_source = per_source
        self._chance = chance
        self._sources: Counter[str] = Counter()  # only netblocks that have strangers, so no more than `most`
        self.count = 0
        self.turned_away: Counter[Turned] = Counter()

    def enter(self, netblock: str) -> Turned | None:
        """Take a place; None, or why there is none for this one.

        Args:
            netblock: as `netblock_of` has it; empty counts as a source of its own.
        """
        turned = self._judge(netblock)
        if turned is None:
            self.return_(netblock)
        else:
            self.turned_away[turned] += 1
        return turned

    def return_(self, netblock: str) -> None:
        """Count one in that was let in before, and is a stranger again: whoever is there is not turned away."""
        self.count += 1
        self._sources[netblock] += 1

    def leave(self, netblock: str) -> None:
        """Give a place back."""
        self.count -= 1
        self._sources[netblock] -= 1
        if not self._sources[netblock]:
            del self._sources[netblock]

    def _judge(self, netblock: str) -> Turned | None:
        if self.count >= self._most:
            return Turned.FULL
        if self._sources.get(netblock, 0) >= self._per_source:
            return Turned.SOURCE
        if self.count >= self._start and self._chance() < (self.count - self._start) / (self._most - self._start):
            return Turned.EARLY
        return None

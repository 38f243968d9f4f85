"""The population before authentication: how many there may be, from where, and who gives way to whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum


class Shortage(StrEnum):
    """Which places were short when a stranger gave way: for the log and for totals."""

    ALL = "unauthenticated-connections"
    SOURCE = "connections-from-one-source"


GiveWay = Callable[[Shortage], None]
"""Ends a stranger whose place is another's now. Any thread."""


class Place:
    """A stranger's place.

    Args:
        source: whose share it is of, as `source_of` has it; empty counts as a source of its own.
        give_way: ends the stranger; put here by whoever has it in its care.

    Attributes:
        held: it is the stranger's still.
    """

    __slots__ = ("give_way", "held", "source")

    def __init__(self, source: str, give_way: GiveWay) -> None:
        self.source = source
        self.give_way = give_way
        self.held = False


class Newcomers:
    """Counts strangers: connections in handshake, and sessions before authentication. Its owner holds a lock.

    Whoever comes finds a place. Where one is short, the oldest stranger of the heaviest source gives way: a flood loses
    its own connections, however fast it opens them, while whoever comes from elsewhere has the time it needs. (Turning
    newcomers away, by chance or when all is full, turns honest ones away as often as the rest of the crowd.) Each step
    takes the same time, however many there are.

    Args:
        most: strangers at once.
        per_source: of those, from one source.

    Attributes:
        most, per_source: these.
        count: strangers now.
        given_way: how many gave way to others, by why.
    """

    def __init__(self, most: int, per_source: int) -> None:
        self.most = most
        self.per_source = per_source
        self._sources: dict[str, dict[Place, None]] = {}
        """Those with strangers, so no more than `most`; of each its places, the oldest first."""
        self._weights: dict[int, dict[str, None]] = {}
        """Which sources have so many strangers; who has had them longest first."""
        self._heaviest = 0
        self.count = 0
        self.given_way: Counter[Shortage] = Counter()

    @property
    def heaviest(self) -> int:
        """Strangers of the source that has most of them."""
        return self._heaviest

    def take_up(self, most: int, per_source: int) -> None:
        """Have other bounds for those who come from here on; nobody who is here gives way for it."""
        self.most, self.per_source = most, per_source

    def enter(self, place: Place) -> tuple[Place, Shortage] | None:
        """Take a place; whose is given up for it, if any, and why. That stranger is to be told, without the lock."""
        given = self._short_of(place.source)
        if given is not None:
            loser, shortage = given
            self.leave(loser)
            self.given_way[shortage] += 1
        places = self._sources.setdefault(place.source, {})
        places[place] = None
        place.held = True
        self.count += 1
        self._weigh(place.source, len(places) - 1, len(places))
        return given

    def leave(self, place: Place) -> None:
        """Give a place back; nothing happens where it is another's already."""
        if not place.held:
            return
        place.held = False
        places = self._sources[place.source]
        del places[place]
        if not places:
            del self._sources[place.source]
        self.count -= 1
        self._weigh(place.source, len(places) + 1, len(places))

    def _short_of(self, source: str) -> tuple[Place, Shortage] | None:
        """Whose place a newcomer from `source` needs, and why; None where there is room."""
        if len(self._sources.get(source, ())) >= self.per_source:
            return next(iter(self._sources[source])), Shortage.SOURCE
        if self.count >= self.most:
            return next(iter(self._sources[next(iter(self._weights[self._heaviest]))])), Shortage.ALL
        return None

    def _weigh(self, source: str, before: int, after: int) -> None:
        """A source has one stranger more, or one less."""
        if before:
            same = self._weights[before]
            del same[source]
            if not same:
                del self._weights[before]
        if after:
            self._weights.setdefault(after, {})[source] = None
        if after > self._heaviest or self._heaviest not in self._weights:
            self._heaviest = after

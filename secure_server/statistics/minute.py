"""The last minute: what each of its seconds added to totals that only grow."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from secure_server.statistics.spans import Counts

SECONDS = 60
"""Of which is known what each of them added."""
SLICE = 10
"""Seconds between two looks at times that were taken: each look keeps a histogram for each command."""


class Totals(NamedTuple):
    """What is known of each second.

    Attributes:
        commands: answered.
        failed: of those, with an error.
        connections: that became sessions.
        refused: handshakes that failed, and logins.
        received, sent: protocol bytes.
    """

    commands: int = 0
    failed: int = 0
    connections: int = 0
    refused: int = 0
    received: int = 0
    sent: int = 0


class Minute:
    """The ring of seconds. Its owner holds a lock.

    Args:
        now: monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._next = now + 1  # when the present second is over
        self._before = Totals()
        self._seconds: deque[Totals] = deque([Totals()] * SECONDS, SECONDS)
        self.commands = Added()
        self.users = Added()
        self.transports = Added()
        self._looks: deque[dict[str, Counts]] = deque([{}], SECONDS // SLICE)
        self._next_look = now + SLICE

    def is_over(self, now: float) -> bool:
        """Whether the present second is."""
        return now >= self._next

    def close(
        self, now: float, totals: Totals, commands: Counter[str], users: Counter[str], transports: Counter[str]
    ) -> None:
        """End the present second, and those before it that were not ended in time: each of them had its share.

        Args:
            now: monotonic seconds.
            totals: since the start.
            commands: calls since the start, by name.
            users: likewise.
            transports: likewise.
        """
        passed = int(now - self._next) + 1
        self._next += passed
        added = [value - before for value, before in zip(totals, self._before, strict=True)]
        self._before = totals
        for second in range(max(0, passed - SECONDS), passed):
            self._seconds.append(Totals(*(_share(value, second, passed) for value in added)))
        self.commands.close(commands, passed)
        self.users.close(users, passed)
        self.transports.close(transports, passed)

    def look_is_due(self, now: float) -> bool:
        """Whether times are to be looked at again."""
        return now >= self._next_look

    def look(self, now: float, times: dict[str, Counts]) -> None:
        """Keep how the times of each command stand, for later ones to be compared with."""
        last = self._looks[-1]  # most commands rest most of the time
        times = {name: before if (before := last.get(name)) == counts else counts for name, counts in times.items()}
        missed = int(now - self._next_look) // SLICE
        self._next_look += SLICE * (missed + 1)
        self._looks.extend([times] * min(missed + 1, SECONDS // SLICE))

    def times_before(self, name: str) -> Counts | None:
        """Return how the times of a command stood nearly a minute ago; None where there were none."""
        return self._looks[0].get(name)

    def history(self) -> Iterator[list[int]]:
        """Return for each of the totals what each second added, oldest first."""
        return (list(column) for column in zip(*self._seconds, strict=True))


class Added:
    """What the last seconds added to counts by name; only of those that grew."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._seconds: deque[Counter[str]] = deque([Counter[str]()] * SECONDS, SECONDS)

    def close(self, counts: Counter[str], passed: int) -> None:
        """End so many seconds."""
        added = _grown(counts, self._before)
        self._before = counts
        empty = Counter[str]()
        self._seconds.extend([empty] * min(passed - 1, SECONDS))
        self._seconds.append(added)

    def all(self, counts: Counter[str]) -> Counter[str]:
        """Return what they added, together with what the present second has so far."""
        total = _grown(counts, self._before)
        for second in self._seconds:
            total.update(second)
        return total


def _grown(counts: Counter[str], before: Counter[str]) -> Counter[str]:
    return Counter({name: count - before[name] for name, count in counts.items() if count != before[name]})


def _share(value: int, second: int, seconds: int) -> int:
    """Return what one of so many seconds has of a value, so that all of them together have the whole."""
    return value * (second + 1) // seconds - value * second // seconds

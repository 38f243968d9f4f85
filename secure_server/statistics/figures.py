"""What is counted of one command, and of one who asks."""

from __future__ import annotations

from collections import Counter

from secure_server.statistics.spans import Counts, Spans, together
from secure_server.statistics.tally import Runs

OTHERS = "others"
"""Under this name those are counted for whom there is no room."""
MOST_CODES = 64
"""Errors told apart; the server has about thirty, and handlers may make up their own."""


class Command:
    """Of one command. Under its owner's lock, but for what I/O threads count for themselves.

    Attributes:
        refused: turned away before their handler was called.
        failures: those answered an error, refused ones included, by its code.
        asked: answered in any way, but for those that I/O threads count.
        spans: times of its handler, likewise.
        worker_seconds: for how long its handlers kept a worker.
        by_thread: what each I/O thread counted, by its number.
    """

    __slots__ = ("asked", "by_thread", "failures", "refused", "spans", "worker_seconds")

    def __init__(self) -> None:
        self.asked = self.refused = 0
        self.failures: Counter[str] = Counter()
        self.spans = Spans()
        self.worker_seconds = 0.0
        self.by_thread: dict[int, Spans] = {}

    @property
    def calls(self) -> int:
        """All that was answered."""
        return self.asked + sum(sum(spans.counts) for spans in self.by_thread.values())

    @property
    def failed(self) -> int:
        """Those answered an error."""
        return self.failures.total()

    @property
    def counts(self) -> Counts:
        """Times of its handler, by step."""
        return together([spans.counts for spans in self.all_spans])

    @property
    def seconds(self) -> float:
        """All times of its handler together."""
        return sum(spans.seconds for spans in self.all_spans)

    @property
    def longest(self) -> float | None:
        """The longest time of its handler; None where it was never called."""
        longest = max(spans.longest for spans in self.all_spans)
        return longest if any(map(any, (spans.counts for spans in self.all_spans))) else None

    @property
    def all_spans(self) -> list[Spans]:
        """Its own, and those of I/O threads."""
        return [self.spans, *self.by_thread.values()]

    def fail(self, code: str) -> None:
        """Count an error."""
        self.failures[code if code in self.failures or len(self.failures) < MOST_CODES else OTHERS] += 1


class Asker:
    """Of one principal by one transport. Under its owner's lock, likewise.

    Attributes:
        asked: requests, but for those that I/O threads count.
        failed: of those.
        by_thread: what each I/O thread counted, by its number.
    """

    __slots__ = ("asked", "by_thread", "failed")

    def __init__(self) -> None:
        self.asked = self.failed = 0
        self.by_thread: dict[int, Runs] = {}

    @property
    def calls(self) -> int:
        """All requests."""
        return self.asked + sum(runs.count for runs in self.by_thread.values())

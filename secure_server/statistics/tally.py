"""What an I/O thread counts for itself, of requests that cost it little more than the counting."""

from __future__ import annotations

from bisect import bisect

from secure_server.statistics.spans import BOUNDS, Spans


class Runs:
    """How often one who came by one transport had something run. Its own I/O thread writes, any thread reads.

    Attributes:
        count: so often.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tally:
    """One command, run for one who came by one transport. Its own I/O thread only, so there is no lock.

    Args:
        spans: of the command, on this thread.
        runs: of whoever it is, on this thread.
    """

    __slots__ = ("_runs", "_spans")

    def __init__(self, spans: Spans, runs: Runs) -> None:
        self._spans = spans
        self._runs = runs

    def add(self, count: int, seconds: float) -> None:
        """Count so many runs, which took so long together; this is `Spans.take`, without another call."""
        spans, each = self._spans, seconds / count
        self._runs.count += count
        spans.counts[bisect(BOUNDS, each)] += count
        spans.seconds += seconds
        if each > spans.longest:  # noqa: PLR1730 - `max` would be another call
            spans.longest = each

"""A rate with a burst."""

from __future__ import annotations

import threading


class TokenBucket:
    """Lets through `per_second` on average, and `burst` at once. Any thread.

    Args:
        per_second: above zero.
        burst: what a bucket that rested holds.
        now: monotonic seconds.
    """

    __slots__ = ("__weakref__", "_filled", "_level", "_lock", "burst", "per_second")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self.per_second = per_second
        self.burst = burst
        self._level = float(burst)
        self._filled = now
        self._lock = threading.Lock()

    def take(self, now: float) -> float:
        """Take one; return 0, or the seconds until there is one again, where nothing was taken.

        Args:
            now: monotonic seconds, on the clock of the constructor.
        """
        with self._lock:
            self._fill(now)
            if self._level >= 1:
                self._level -= 1
                return 0.0
            return (1 - self._level) / self.per_second

    def left(self, now: float) -> float:
        """Return how many may be taken at once now, on the clock of the constructor."""
        with self._lock:
            self._fill(now)
            return self._level

    def full(self, now: float) -> bool:
        """Whether it holds its burst again, as a new one does."""
        with self._lock:
            self._fill(now)
            return self._level >= self.burst

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._filled)  # two threads read the clock one after the other, and arrive swapped
        self._filled += elapsed
        self._level = min(float(self.burst), self._level + elapsed * self.per_second)

"""Commands that run now: one that takes long is recorded when that shows, for its end may never come."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from secure_server.audit.record import Entry

LONG_SECONDS = 5.0
"""A command that runs for longer is recorded as running: long enough that few are, short for who asks what goes on."""
RUNNING = "running"
"""The outcome of that record."""


class Running:
    """Holds an entry for each command on a worker, until it has ended or was told of. Any thread.

    Bounded by the number of workers.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[object, tuple[float, Entry]] = {}  # in the order in which they are due

    @contextlib.contextmanager
    def holding(self, entry: Entry, begun: Callable[[], None]) -> Iterator[None]:
        """Hold an entry while the `with` lasts.

        Args:
            entry: what is recorded when it takes long.
            begun: called where nothing ran before: whoever asks for `due` may have to wake sooner.
        """
        key = object()
        with self._lock:
            first = not self._entries
            self._entries[key] = (self._clock() + LONG_SECONDS, entry)
        if first:
            begun()
        try:
            yield
        finally:
            with self._lock:
                self._entries.pop(key, None)

    def due(self) -> list[Entry]:
        """Return, once each, those that have run for long."""
        now = self._clock()
        with self._lock:
            keys = [key for key, (when, _) in self._entries.items() if when <= now]
            return [self._entries.pop(key)[1] for key in keys]

    @property
    def wait(self) -> float | None:
        """Seconds until the next one is due; None while nothing runs."""
        with self._lock:
            first = next(iter(self._entries.values()), None)
        return None if first is None else max(0.0, first[0] - self._clock())

"""What comes of an answer before its end: parts of a stream, and progress.

It joins two threads. The link `put`s what arrives; whoever waits for the answer `take`s it. What lies between is
bounded: when it is `full` the link stops reading, so that a slow reader pauses the server and grows no queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from secure_client.core.call import ROOM_BYTES
from secure_client.core.progress import Progress

TICK = 1.0
"""Seconds waited at a stretch. A signal that comes between Python's last look at signals and the wait does not cut it
short; its handler runs behind it, so that a Ctrl-C takes so long and no longer."""


class Parts:
    """The parts that came and were not taken yet, in order, and the last progress."""

    def __init__(self) -> None:
        self.on_room: Callable[[], None] = _nothing
        self._lock = threading.Lock()
        self._news = threading.Lock()  # open while there is something to take; `wait` closes it behind itself
        self._news.acquire()
        self._waiting: deque[object] = deque()
        self._bytes = 0
        self._progress: Progress | None = None
        self._dropped = False
        self._ended = False

    # -- the link's thread --------------------------------------------------------------------------------------------

    def put(self, part: object, size: int) -> None:
        """Take a part; `full` is for the caller to heed before it reads on.

        Args:
            part: a decoded value, or what stands for one.
            size: bytes that it takes.
        """
        with self._lock:
            if not self._dropped:
                self._waiting.append(part)
                self._bytes += size
                self._wake()

    def tell(self, progress: Progress) -> None:
        """Take a progress, in place of one that nobody has looked at yet."""
        with self._lock:
            if not self._dropped:
                self._progress = progress
                self._wake()

    @property
    def full(self) -> bool:
        """Whether the reader is too far behind."""
        return self._bytes >= ROOM_BYTES

    # -- any thread ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """The answer is there: `wait` waits no more."""
        with self._lock:
            self._ended = True
            self._wake()

    def drop(self) -> None:
        """Nobody wants what has come, nor what still comes."""
        with self._lock:
            self._dropped = True
            self._clear()
        self.on_room()

    # -- the reader ---------------------------------------------------------------------------------------------------

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for something to take; return whether there is.

        An exception that a signal raises here, such as Ctrl-C, leaves nothing behind that the link would wait for.
        """
        while not (self._ended or self._news.acquire(timeout=max(0.0, min(timeout, TICK)))):
            timeout -= TICK
            if timeout <= 0:
                return False
        return True

    def take(self) -> tuple[list[object], Progress | None, bool]:
        """Return the parts since, the newest progress if any, and whether it was all.

        The end is told once everything else was taken, so that no part comes after the answer.
        """
        with self._lock:
            parts, progress, ended = list(self._waiting), self._progress, self._ended
            was_full = self.full
            self._clear()
        if was_full:
            self.on_room()
        return parts, progress, ended

    def _wake(self) -> None:
        if self._news.locked():
            self._news.release()

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._progress = None


def _nothing() -> None:
    """Wake nobody: no link has taken the request yet."""

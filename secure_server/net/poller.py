"""Readiness of file descriptors: raw epoll where there is one, `selectors` elsewhere.

`selectors` alone would do; it builds a named tuple an event, on the way of every request, so Linux gets the system's
object as it is.
"""

from __future__ import annotations

import select
import selectors
from typing import Protocol

NOTHING = 0
"""Registered, and of no interest for the moment."""
READ = 1
"""EPOLLIN."""
WRITE = 4
"""EPOLLOUT."""
BROKEN = 8 | 16
"""EPOLLERR and EPOLLHUP: reported whether asked for or not."""


class Poller(Protocol):
    """What an event loop needs of the system."""

    def register(self, fd: int, interest: int, /) -> None:
        """Begin to watch."""

    def modify(self, fd: int, interest: int, /) -> None:
        """Watch for something else."""

    def unregister(self, fd: int, /) -> None:
        """Stop watching."""

    def poll(self, timeout: float, /) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (-1: for ever); return descriptors and what they are ready for."""
        ...

    def close(self) -> None:
        """Free it."""


class SelectorsPoller:
    """The portable poller, for systems without epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle: set[int] = set()  # registered with no interest, which `selectors` cannot express

    def register(self, fd: int, interest: int) -> None:
        """Begin to watch."""
        if events := self._events(interest):
            self._selector.register(fd, events)
        else:
            self._idle.add(fd)

    def modify(self, fd: int, interest: int) -> None:
        """Watch for something else."""
        self.unregister(fd)
        self.register(fd, interest)

    def unregister(self, fd: int) -> None:
        """Stop watching."""
        if fd in self._idle:
            self._idle.discard(fd)
        else:
            self._selector.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Wait at most `timeout` seconds (-1: for ever)."""
        ready = self._selector.select(None if timeout < 0 else timeout)
        return [
            (key.fd, (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & selectors.EVENT_WRITE else 0))
            for key, mask in ready
        ]

    def close(self) -> None:
        """Free it."""
        self._selector.close()

    @staticmethod
    def _events(interest: int) -> int:
        return (selectors.EVENT_READ if interest & READ else 0) | (selectors.EVENT_WRITE if interest & WRITE else 0)


def new_poller() -> Poller:
    """Return the best poller of this system."""
    return select.epoll() if hasattr(select, "epoll") else SelectorsPoller()

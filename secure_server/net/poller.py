"""Readiness of file descriptors: raw epoll where there is one, `selectors` elsewhere: kqueue, poll, or else select.

`selectors` alone would do; it builds a named tuple an event, on the way of every request, so Linux gets the system's
object as it is.
"""

from __future__ import annotations

import errno
import select
import selectors
import sys
from typing import Protocol

NOTHING = 0
"""Registered, and of no interest for the moment."""
READ = 1
"""EPOLLIN."""
WRITE = 4
"""EPOLLOUT."""
BROKEN = 8 | 16
"""EPOLLERR and EPOLLHUP: reported whether asked for or not."""

FD_SETSIZE = 512 if sys.platform == "win32" else 1024
"""What `select` takes: descriptors with a number below that on POSIX, whose numbers are the lowest that are free; on
Windows so many of them, whatever their numbers. Python raises for others, at each wait."""


class Poller(Protocol):
    """What an event loop needs of the system."""

    def register(self, fd: int, interest: int, /) -> None:
        """Begin to watch.

        Raises:
            OSError: it takes no more.
        """

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
    """The portable poller, for systems without epoll.

    Args:
        selector: what waits; None is the best of this system.
    """

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self._selector = selector or selectors.DefaultSelector()
        self._bounded = isinstance(self._selector, selectors.SelectSelector)
        self._idle: set[int] = set()  # registered with no interest, which `selectors` cannot express

    def register(self, fd: int, interest: int) -> None:
        """Begin to watch; see `Poller`."""
        if self._bounded and self._rank(fd) >= FD_SETSIZE:
            raise OSError(errno.EMFILE, "select takes no more descriptors")
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

    def _rank(self, fd: int) -> int:
        """What of a descriptor `select` minds."""
        return len(self._selector.get_map()) + len(self._idle) if sys.platform == "win32" else fd

    @staticmethod
    def _events(interest: int) -> int:
        return (selectors.EVENT_READ if interest & READ else 0) | (selectors.EVENT_WRITE if interest & WRITE else 0)


def new_poller() -> Poller:
    """Return the best poller of this system."""
    return select.epoll() if hasattr(select, "epoll") else SelectorsPoller()


def most_watched() -> int | None:
    """Return how many descriptors the pollers of this system take; None where nothing but the system's limit counts."""
    if hasattr(select, "epoll") or not issubclass(selectors.DefaultSelector, selectors.SelectSelector):
        return None
    return FD_SETSIZE

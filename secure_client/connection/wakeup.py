"""Waiting for one socket, and being woken from any thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Waker:
    """Waits for a socket or for `wake`; all but `wake` belong to one thread. Its descriptors live until `close`."""

    def __init__(self) -> None:
        self._reading, self._writing = socket.socketpair()
        self._reading.settimeout(0)
        self._writing.settimeout(0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reading, selectors.EVENT_READ)
        self._watched: dict[socket.socket, int] = {}
        self._lock = threading.Lock()  # of `wake` against `close`: a closed descriptor's number may be somebody else's

    def wake(self) -> None:
        """End the wait that is going on, or else the next one; any thread."""
        with self._lock, contextlib.suppress(OSError):  # full: a wake-up waits there already; closed: nobody waits
            self._writing.send(b"\0")

    def wait(
        self,
        watched: socket.socket | None,
        events: int,
        timeout: float | None,
        beside: socket.socket | None = None,
    ) -> bool:
        """Wait for `events` on `watched`, for `wake`, or `timeout` seconds; return whether the socket is ready.

        Args:
            watched: the socket; None: none.
            events: `selectors.EVENT_…`.
            timeout: seconds; None: as long as it takes.
            beside: another one, which ends the wait when it has something to read.
        """
        wanted = {watched: events} if watched is not None else {}
        if beside is not None:
            wanted[beside] = selectors.EVENT_READ
        self._watch(wanted)
        ready = [key.fileobj for key, _ in self._selector.select(timeout)]
        if self._reading in ready:
            with contextlib.suppress(BlockingIOError):
                while self._reading.recv(4096):
                    pass
        return watched is not None and watched in ready

    def forget(self) -> None:
        """Watch no socket; before the one watched is closed or wrapped anew."""
        self._watch({})

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            self._selector.close()
            self._reading.close()
            self._writing.close()

    def _watch(self, wanted: dict[socket.socket, int]) -> None:
        if wanted == self._watched:
            return
        for each in self._watched:
            self._selector.unregister(each)
        for each, events in wanted.items():
            self._selector.register(each, events)
        self._watched = wanted

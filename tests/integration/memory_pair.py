"""Two ends joined by bounded memory: what `socket.socketpair` gives, without a socket or a descriptor.

It is to `memory_transport` what the kernel is to the transports of the house.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

ROOM_BYTES = 16384
"""What waits in one direction; more waits at its sender."""


class Pipe:
    """One direction."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ended = False
        self._changed = threading.Condition()

    def put(self, data: bytes | bytearray, seconds: float) -> int:
        """Take from the front of `data` what there is room for, waiting so long for some, and return how much.

        Raises:
            BrokenPipeError: one of the ends wants no more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._bytes) < ROOM_BYTES, seconds)
            if self._ended:
                raise BrokenPipeError
            taken = data[: ROOM_BYTES - len(self._bytes)]
            self._bytes += taken
            self._changed.notify_all()
        return len(taken)

    def take(self, most: int, seconds: float) -> bytes | None:
        """Return what is there, waiting so long for it: None for nothing yet, nothing at all at the end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended or self._bytes, seconds):
                return None
            data = bytes(self._bytes[:most])
            del self._bytes[:most]
            self._changed.notify_all()
        return data

    def end(self) -> None:
        """Let nothing more in; what is there can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class MemorySocket:
    """One end, used as a socket is. Any thread.

    Attributes:
        on_change: called, on the other end's thread, when that has sent, taken or ended something: what a poller would
            tell.
    """

    def __init__(self, incoming: Pipe, outgoing: Pipe) -> None:
        self.on_change: Callable[[], None] = _nobody
        self._incoming = incoming
        self._outgoing = outgoing
        self._seconds = 0.0
        self._other = self

    @classmethod
    def pair(cls) -> tuple[MemorySocket, MemorySocket]:
        """Return two that are joined; neither waits for anything until it is told to."""
        up, down = Pipe(), Pipe()
        one, other = cls(up, down), cls(down, up)
        one._other, other._other = other, one
        return one, other

    def settimeout(self, seconds: float) -> None:
        """How long one step may take."""
        self._seconds = seconds

    def send(self, data: bytes | bytearray) -> int:
        """Send from the front of `data`, and return how much of it went.

        Raises:
            TimeoutError, BlockingIOError: nothing did; the latter where nothing may wait.
            BrokenPipeError: the other end takes no more.
        """
        if not (taken := self._outgoing.put(data, self._seconds)):
            raise TimeoutError if self._seconds else BlockingIOError
        self._other.on_change()
        return taken

    def sendall(self, data: bytes) -> None:
        """Send all of it."""
        while data:
            data = data[self.send(data) :]

    def recv(self, most: int) -> bytes:
        """Return what came, nothing at all once the other end sends no more.

        Raises:
            TimeoutError, BlockingIOError: nothing came; the latter where nothing may wait.
        """
        data = self._incoming.take(most, self._seconds)
        if data is None:
            raise TimeoutError if self._seconds else BlockingIOError
        self._other.on_change()
        return data

    def shutdown(self, _how: int) -> None:
        """Send no more."""
        self._outgoing.end()
        self._other.on_change()

    def close(self) -> None:
        """Neither send nor take any more."""
        self._incoming.end()
        self.shutdown(0)


def _nobody() -> None:
    """Who is told where nobody asked to be."""

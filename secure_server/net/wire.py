"""What carries a connection's bytes, with or without TLS. Owning thread only."""

from __future__ import annotations

import socket
from typing import Protocol

READ_BYTES = 16384
"""Taken from the peer in one turn: one TLS record. A bigger buffer is allocated each time and seldom filled."""
WRITE_BYTES = 16384
"""Sent in one step: one TLS record, so that a slow peer's reading is seen."""


class Wire(Protocol):
    """One connection's bytes in both directions, over a non-blocking socket.

    Attributes:
        sock: the socket, for what concerns the connection and not its bytes.
        unsent: bytes of the wire's own making that the socket has not taken; until it has, nothing else is read or
            written. False, or empty, for none.
        ready: something has come that no event of the socket will announce.
        suspect: reading may be dear and come to nothing, as far as is known: so few such turns are taken in a round.
    """

    sock: socket.socket

    @property
    def unsent(self) -> object:
        """See above."""
        ...

    @property
    def ready(self) -> bool:
        """See above."""
        ...

    @property
    def suspect(self) -> bool:
        """See above."""
        ...

    def read(self) -> bytes | None:
        """Return what came, in one bounded step: None for nothing now, nothing at all once the peer ended its side.

        Raises:
            OSError: the connection is lost.
        """
        ...

    def write(self, output: bytearray) -> int:
        """Send from the front of `output`, and return how much of it the socket took.

        What it did not take stays at the front of `output` until it did: the next call goes on with it.

        Raises:
            OSError: the connection is lost.
        """
        ...

    def end(self) -> socket.socket:
        """Say that nothing more will come, where the wire can say so, and return the socket: the caller's to close."""
        ...


class PlainWire:
    """A socket as it is: the admin socket's.

    Args:
        sock: connected, non-blocking.
    """

    __slots__ = ("sock",)

    unsent = b""
    ready = False
    suspect = False

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def read(self) -> bytes | None:
        """See `Wire`."""
        try:
            return self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return None

    def write(self, output: bytearray) -> int:
        """See `Wire`."""
        try:
            return self.sock.send(output if len(output) <= WRITE_BYTES else output[:WRITE_BYTES])
        except BlockingIOError:
            return 0

    def end(self) -> socket.socket:
        """See `Wire`."""
        return self.sock

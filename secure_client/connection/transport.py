"""A stream of bytes to the server: TCP with TLS, or a Unix socket without; QUIC is one, too.

The socket is non-blocking, and only the thread that opened it may use it (OpenSSL forbids concurrent use of one SSL
object). Waiting is the caller's: `connect` is given a function that waits for the socket, so that whoever drives it can
be woken for other reasons, such as the user leaving.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
from collections.abc import Callable
from typing import Protocol

LINGER_TIMEOUT = 0.5
"""Seconds to wait at the end for the server's own close: closing with unread bytes would reset the connection."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds, probes: a peer that vanished is noticed within a minute. No request of ours does that, for it would
keep an idle session from ending."""
HEAD_START = 0.25
"""Seconds that the first of QUIC and TLS has for itself, where both are tried: more than a handshake takes on most
networks, less than is noticed."""
CHUNK_BYTES = 64 * 1024
"""Read or written at once; four TLS records."""


class Wait(Protocol):
    """What waits for a socket while a transport is opened."""

    def __call__(
        self, watched: socket.socket, events: int, deadline: float, beside: socket.socket | None = None
    ) -> bool:
        """Wait until a socket is ready for `selectors.EVENT_…`; with another one beside it, also until that has come.

        Returns:
            Whether the socket is ready; always, where none is beside it.

        Raises:
            TimeoutError: neither was by `deadline`, in monotonic seconds.
        """


class Transport:
    """One stream, driven by one thread; `open_transport` makes it.

    Attributes:
        kind: `unix`, `tls` or `quic`.
        socket: to be waited for.
        moved_to: the address of this machine that it went on from last, where it can do that; empty where it did not.
        deadline: the monotonic second at which to call `tick`; None: there is none.
        holds: it has something for `receive`, of which its socket says nothing.
    """

    kind = "unix"

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.moved_to = ""

    @property
    def deadline(self) -> float | None:
        """As of the class."""
        return None

    @property
    def holds(self) -> bool:
        """As of the class."""
        return False

    def tick(self) -> None:
        """Look at the time, and at the socket; after each wait for it."""

    def interest(self, *, reads: bool, writes: bool) -> int:
        """Return which `selectors.EVENT_…` of the socket to wait for, where something is to be read or written."""
        return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if writes else 0)

    @property
    def certificate(self) -> bytes | None:
        """The server's, in DER; None without TLS."""
        return None

    def send(self, data: bytes | bytearray) -> int:
        """Send from the front of `data`; return how many bytes the network took, 0 when it takes none now.

        Raises:
            OSError: the connection broke.
        """
        try:
            return self.socket.send(data[:CHUNK_BYTES])
        except BlockingIOError:
            return 0

    def receive(self) -> bytes | None:
        """Return what came, `b""` at the end of the stream, or None when nothing is there now.

        Raises:
            OSError: the connection broke, or TLS ended without close_notify.
        """
        try:
            return self.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return None

    def finish(self) -> None:
        """Say that nothing more comes, where that takes more than TCP's own end."""

    def close(self, clock: Callable[[], float]) -> None:
        """End the stream so that the peer sees an end and not a reset; at most `LINGER_TIMEOUT`."""
        with contextlib.suppress(OSError, ValueError):
            self.finish()
            # The plain socket's shutdown: that of TLS would drop its layer first.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
            _linger(self.socket, clock() + LINGER_TIMEOUT, clock)
        self.socket.close()


def is_cut(error: OSError) -> bool:
    """Say whether TLS ended without close_notify: that is a lost connection, and there is no more to say of it."""
    return is_of_tls(error) and type(error).__name__ == "SSLEOFError"


def is_of_tls(error: OSError) -> bool:
    """Say whether it is an error of TLS, without importing that: a Unix socket has none."""
    return type(error).__module__ == "ssl"


def reason(error: OSError) -> str:
    """Return why a connection broke, in the operating system's or OpenSSL's words."""
    if is_of_tls(error):
        return (getattr(error, "reason", None) or "TLS error").lower().replace("_", " ")
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


def tune(plain: socket.socket) -> None:
    """Set what every TCP socket of ours has."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a command is one small packet that should go at once
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # not on every platform
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _linger(plain: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
    while (left := deadline - clock()) > 0:
        readable, _, _ = select.select([plain], [], [], left)
        if not readable or not socket.socket.recv(plain, CHUNK_BYTES):
            return

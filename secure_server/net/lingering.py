"""The end of a connection, so that the peer reads everything and never sees a reset.

A socket that is closed while it holds unread bytes sends a reset, and the reset makes the peer's system throw away
what it had received but not yet read: the goodbye, the error message. So: end our side, read and drop what still
comes until the peer ends its side or the time is up, and only then close.
"""

from __future__ import annotations

import logging
import socket

from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import READ
from secure_server.net.wire import Wire

_log = logging.getLogger("secure_server.net")

MOST_LINGERING = 1024
"""Sockets lingering on one loop; beyond it they are closed at once, so a storm cannot exhaust descriptors."""
MOST_DROPPED = 1024 * 1024
"""Bytes read and dropped; a peer that sends more than this after the end gets its reset."""


class Lingering:
    """Ends sockets of one loop. Loop thread only.

    Args:
        loop: whose thread it runs on.
        seconds: how long a peer may take to end its side.
        most: sockets at once; others are closed without waiting.

    Attributes:
        seconds: of those that begin to linger from here on. Any thread may change it.
    """

    def __init__(self, loop: EventLoop, seconds: float, most: int = MOST_LINGERING) -> None:
        self.seconds = seconds
        self._loop = loop
        self._most = most
        self._open: set[_Socket] = set()

    def close(self, wire: Wire) -> None:
        """Have the wire say its end, end our side, linger, close. Its socket must be unregistered."""
        raw = wire.end()
        try:
            raw.shutdown(socket.SHUT_WR)
        except OSError:  # the peer is gone already: nothing to spare it
            raw.close()
            return
        if len(self._open) >= self._most:
            raw.close()
            return
        try:
            self._open.add(_Socket(self, self._loop, raw, self._loop.now + self.seconds))
        except OSError:  # the poller takes no more
            raw.close()

    def close_all(self) -> None:
        """Close at once whatever still lingers: the loop is about to stop."""
        for lingering in list(self._open):
            lingering.finish()

    @property
    def count(self) -> int:
        """Sockets lingering now."""
        return len(self._open)

    def forget(self, lingering: _Socket) -> None:
        """One is done."""
        self._open.discard(lingering)


class _Socket:
    def __init__(self, owner: Lingering, loop: EventLoop, sock: socket.socket, deadline: float) -> None:
        self._owner = owner
        self._loop = loop
        self._socket = sock
        self._dropped = 0
        loop.register(sock.fileno(), READ, self._on_event)
        self._timer = loop.call_at(deadline, self.finish)

    def _on_event(self, _ready: int) -> None:
        try:
            data = self._socket.recv(16384)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        except BaseException:  # noqa: BLE001 - whatever it is: left watched, its event would come again without end
            _log.exception("unexpected error at the end of a connection")
            data = b""
        self._dropped += len(data)
        if not data or self._dropped > MOST_DROPPED:
            self.finish()

    def finish(self) -> None:
        self._timer.cancel()
        self._loop.unregister(self._socket.fileno())
        self._socket.close()
        self._owner.forget(self)

"""An I/O loop with the connections it owns."""

from __future__ import annotations

import socket
from collections.abc import Callable

from secure_protocol.reasons import CloseReason
from secure_server.config.settings import Timeouts
from secure_server.net.connection import Connection, OnClosed
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import Lingering
from secure_server.net.tls_socket import TlsSocket
from secure_server.session.session import Session


class IOThread:
    """One thread that owns sockets: reads, dispatches and writes for all of them.

    Args:
        name: of the thread.
        timeouts: deadlines of its connections.
        on_closed: told of each session whose connection ended; called on this thread.
        clock: monotonic seconds.
    """

    def __init__(self, name: str, timeouts: Timeouts, on_closed: OnClosed, clock: Callable[[], float]) -> None:
        self._loop = EventLoop(name, clock)
        self._lingering = Lingering(self._loop, timeouts.linger)
        self._timeouts = timeouts
        self._on_closed = on_closed
        self._connections: dict[Session, Connection] = {}
        self._forget_one = self._forget  # bound once, for every connection keeps it

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """Close what is still open and what lingers, and end the thread."""
        self._loop.call_soon(self._close_all)
        self._loop.stop()

    @property
    def lingering(self) -> int:
        """Sockets that still wait for their peer's end. Any thread."""
        return self._lingering.count

    def adopt(self, sock: TlsSocket | socket.socket, session: Session) -> Callable[[], None]:
        """Own a connected, non-blocking socket from here on. Any thread.

        Returns:
            What begins the exchange, so that the session can be made known before its first request is answered.
        """
        connection = Connection(self._loop, sock, session, self._timeouts, self._lingering, self._forget_one)
        session.attach(connection)

        def begin() -> None:
            self._connections[session] = connection
            connection.start()

        return lambda: self._loop.call_soon(begin)

    # Loop thread only

    def _forget(self, session: Session) -> None:
        del self._connections[session]
        self._on_closed(session)

    def _close_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.close(CloseReason.DRAINING)
        self._lingering.close_all()

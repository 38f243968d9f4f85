"""One established connection: a conversation joined to a descriptor's interest. I/O thread only.

Reads once per event, gives the bytes to the session, and sends in the same round what the session answered. What the
socket does not take waits in `session.output`; while much waits, the session stops reading.
"""

from __future__ import annotations

import logging

from secure_protocol.reasons import CloseReason
from secure_server.config.settings import Timeouts
from secure_server.net.conversation import Conversation, OnClosed
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import Lingering
from secure_server.net.poller import BROKEN, READ, WRITE
from secure_server.net.tls_wire import WastedError
from secure_server.net.wire import Wire
from secure_server.session.session import Session

NONE = -1
"""In place of a descriptor that the poller does not take."""

_log = logging.getLogger("secure_server.net")


class Connection(Conversation):
    """Carries a session over a wire that has a descriptor.

    Args:
        loop: the owning loop.
        wire: established, its socket non-blocking.
        session: what it carries.
        timeouts: deadlines.
        lingering: ends the wire.
        on_closed: told once, as soon as nothing more is exchanged.
    """

    __slots__ = ("_fd", "_interest", "_lingering", "_queued")

    _wire: Wire

    def __init__(
        self,
        loop: EventLoop,
        wire: Wire,
        session: Session,
        timeouts: Timeouts,
        lingering: Lingering,
        on_closed: OnClosed,
    ) -> None:
        super().__init__(loop, wire, session, timeouts, on_closed)
        self._fd = wire.sock.fileno()
        self._lingering = lingering
        self._interest = READ
        self._queued = False  # for a turn as a suspect

    def start(self) -> None:
        """Begin to exchange."""
        try:
            self._loop.register(self._fd, READ, self._on_event)
        except OSError as error:
            _log.error("a connection cannot be watched, and is closed: %s", error)
            self._fd = NONE
        super().start()
        if self._fd == NONE:
            self.close(CloseReason.INTERNAL_ERROR)

    def _on_event(self, ready: int) -> None:
        """From bytes in to bytes out, in three steps: read, `_answer`, `_deliver`; see `EventLoop.defer` for why."""
        try:
            if ready & BROKEN and not self._session.wants_input:
                self.lose()  # nobody would read the error that waits there
            elif ready & (READ | BROKEN) and self._wire.suspect:
                if not self._queued:
                    self._queued = True
                    self._loop.suspects.append(self._on_turn)
            elif ready & (READ | BROKEN) and self._read():
                self._loop.defer(self._answer)
            else:
                self._advance()
        except BaseException:  # noqa: BLE001 - whatever it is: left open, its event would come again without end
            self._fail()

    def _on_turn(self) -> None:
        """As `_on_event`, of a suspect: those wait in line, see `EventLoop`."""
        self._queued = False
        if not self._open:
            return
        try:
            if self._read():
                self._loop.defer(self._answer)
            else:
                self._advance()
        except BaseException:  # noqa: BLE001 - as above
            self._fail()

    def _read(self) -> bool:
        """Read once; whether something came that is to be answered."""
        if self._received or (self._interest != READ and not (self._session.wants_input and not self._wire.unsent)):
            return False  # read in this round already, or an event of before it stopped to want that
        try:
            data = self._wire.read()
        except WastedError:
            self.close(CloseReason.PROTOCOL_ERROR)
            return False
        except OSError:
            self.lose()
            return False
        if data is None:
            return False
        self._received = data
        if not data:
            self._session.end_input()
        return bool(data)

    def settle(self) -> None:
        """Watch the descriptor for what is wanted now."""
        interest = self._wanted()
        if interest != self._interest and self._fd != NONE:
            self._loop.modify(self._fd, interest)
            self._interest = interest
        if interest & READ and self._wire.ready:
            self._loop.call_soon(self._on_ready)

    def _on_ready(self) -> None:
        """Read what no event announces."""
        if self._open and self._wire.ready:
            self._on_event(READ)

    def _wanted(self) -> int:
        """What to wait for: the one place that decides it."""
        if self._wire.unsent:
            return WRITE
        session = self._session
        return (READ if session.wants_input else 0) | (WRITE if session.output else 0)

    def taken_down(self) -> None:
        """End the wire: orderly where the peer still listens; see `Lingering`."""
        if self._fd != NONE:
            self._loop.unregister(self._fd)
        self._lingering.close(self._wire)

"""One established connection: the socket, its TLS, and the session it carries. I/O thread only.

Reads once per event, gives the bytes to the session, and sends in the same round what the session answered. What the
socket does not take waits in `session.output`; while much waits, the session stops reading.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable

from secure_protocol.reasons import CloseReason
from secure_server.config.settings import Timeouts
from secure_server.net.event_loop import EventLoop, Timer
from secure_server.net.lingering import Lingering
from secure_server.net.poller import BROKEN, READ, WRITE
from secure_server.net.tls_socket import TlsSocket, stream_of
from secure_server.session.session import Session
from secure_server.session.state import State

_log = logging.getLogger("secure_server.net")

READ_BYTES = 16384
"""One TLS record: a bigger buffer is allocated each time and seldom filled, and nothing stays inside OpenSSL."""
WRITE_BYTES = 16384
"""One TLS record, the step in which a peer's reading is seen: OpenSSL says nothing of a write before all of it went."""
NEVER = float("inf")

OnClosed = Callable[[Session], None]


class Connection:
    """Carries a session over a socket.

    Args:
        loop: the owning loop.
        sock: connected, non-blocking; TLS established where it is TLS.
        session: what it carries.
        timeouts: deadlines.
        lingering: ends the socket.
        on_closed: told once, as soon as nothing more is exchanged.
    """

    __slots__ = (
        "_fd",
        "_interest",
        "_lingering",
        "_loop",
        "_on_closed",
        "_open",
        "_plain",
        "_read_wants_write",
        "_received",
        "_session",
        "_socket",
        "_state",
        "_stream",
        "_timeouts",
        "_timer",
        "_write_wants_read",
        "_written",
    )

    def __init__(
        self,
        loop: EventLoop,
        sock: TlsSocket | socket.socket,
        session: Session,
        timeouts: Timeouts,
        lingering: Lingering,
        on_closed: OnClosed,
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._stream = stream_of(sock)
        self._session = session
        self._timeouts = timeouts
        self._lingering = lingering
        self._on_closed = on_closed
        self._interest = READ
        self._open = False
        self._plain = False  # nothing but output came of what was answered last
        self._received = b""  # in a round, what was read and not answered yet
        self._state = session.state  # as of the last look: another state has another deadline
        self._read_wants_write = False
        self._write_wants_read = False
        self._written = loop.now  # when the peer last took bytes, or had nothing to take
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to exchange."""
        self._open = True
        self._loop.register(self._fd, READ, self._on_event)
        self._watch_deadline()
        self._advance()  # it may have been closed before it began

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the loop's thread, and send what it answered. Any thread."""

        def run() -> None:
            callback()
            self.flush()

        self._loop.call_soon(run)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back after `seconds`, and send what that answered."""

        def fire() -> None:
            callback()
            self.flush()

        return self._loop.call_at(self._loop.now + seconds, fire)

    def flush(self) -> None:
        """Send what the session answered since, and end the connection if the session is done."""
        if self._open:
            self._advance()

    def _on_event(self, ready: int) -> None:
        """From bytes in to bytes out, in three steps: read, `_answer`, `_deliver`; see `EventLoop.defer` for why."""
        session = self._session
        try:
            if ready & BROKEN and not session.wants_input:
                self._lose()  # nobody would read the error that waits there
                return
            if (ready & (READ | BROKEN) or self._read_wants_write) and self._read():
                self._loop.defer(self._answer)
            elif self._open:
                self._advance()
        except Exception:  # noqa: BLE001 - one connection's bug must not reach the others
            self._fail()

    def _read(self) -> bool:
        """Read once; whether something came that is to be answered."""
        session = self._session
        if (self._interest != READ or self._write_wants_read) and not session.wants_input:
            return False  # an event of before it stopped to want that
        self._read_wants_write = False
        try:
            self._received = self._stream.read(READ_BYTES)
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except ssl.SSLWantWriteError:
            self._read_wants_write = True
            return False
        except ssl.SSLEOFError:  # an end without close_notify, as many clients do it; requests are framed, so a
            self._received = b""  # truncated one is seen to be that
        except OSError:
            self._lose()
            return False
        if not self._received:
            session.end_input()
        return bool(self._received)

    def _answer(self) -> None:
        """Let the session answer what was read."""
        data, self._received = self._received, b""
        if not self._open:  # closed since, by what another thread handed over
            return
        try:
            self._plain = self._session.receive(data, self._loop.now)
            self._loop.defer(self._deliver)
        except Exception:  # noqa: BLE001 - as above
            self._fail()

    def _deliver(self) -> None:
        """Send the answers. Where they are all that came of it, and all go, there is no more to look at."""
        if not self._open:
            return
        try:
            if not (self._plain and self._write() and not self._session.output):
                self._advance()
        except Exception:  # noqa: BLE001 - as above
            self._fail()

    def _fail(self) -> None:
        """Close for an error that is no peer's."""
        _log.exception("unexpected error, closing session %d", self._session.number)
        self.close(CloseReason.INTERNAL_ERROR)

    def _advance(self) -> None:
        """Send, take up what waited for room, and end when the session is over."""
        session = self._session
        while session.output and self._write():
            if not session.output and session.held:
                session.process()  # reading or dispatching had paused for lack of room
        if not self._open:
            return
        if session.state is State.CLOSING and not session.output:
            self._end()
            return
        if session.state is not self._state:
            self._state = session.state
            self._watch_deadline()
        interest = self._wanted()
        if interest != self._interest:
            self._loop.modify(self._fd, interest)
            if interest & WRITE and not self._interest & WRITE:
                self._written = self._loop.now
                self._watch_deadline()
            self._interest = interest

    def _write(self) -> bool:
        """Send once; whether to go on."""
        output = self._session.output
        self._write_wants_read = False
        try:
            sent = self._stream.write(output if len(output) <= WRITE_BYTES else output[:WRITE_BYTES])
        except (ssl.SSLWantWriteError, BlockingIOError):
            return False
        except ssl.SSLWantReadError:
            self._write_wants_read = True
            return False
        except OSError:
            self._lose()
            return False
        del output[:sent]
        self._session.activity.sent += sent
        self._written = self._loop.now
        return True

    def _wanted(self) -> int:
        """What to wait for: the one place that decides it."""
        session = self._session
        wanted = 0
        if (session.wants_input and not self._read_wants_write) or self._write_wants_read:
            wanted |= READ
        if (session.output and not self._write_wants_read) or (session.wants_input and self._read_wants_write):
            wanted |= WRITE
        return wanted

    def _deadline(self) -> tuple[float, CloseReason]:
        """When the present state has lasted too long, and what that is called."""
        session, timeouts = self._session, self._timeouts
        state = (NEVER, CloseReason.IDLE)
        if session.state is State.UNAUTHENTICATED:
            state = (session.established + timeouts.authentication, CloseReason.AUTH_TIMEOUT)
        elif timeouts.idle and not session.local:
            since = self._loop.now if session.busy else session.activity.last_active
            state = (since + timeouts.idle, CloseReason.IDLE)
        if session.output:  # beside the other deadline, which nobody may stretch by reading slowly
            return min(state, (self._written + timeouts.write, CloseReason.SLOW_CONSUMER))
        return state

    def _watch_deadline(self) -> None:
        """Have a timer no later than the deadline. A deadline that moved away is found out when the timer fires."""
        when, _ = self._deadline()
        if when < NEVER and (self._timer is None or when < self._timer.when):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if not self._open:
            return
        when, reason = self._deadline()
        if when > self._loop.now:
            self._watch_deadline()
            return
        self.close(reason)

    def close(self, reason: CloseReason) -> None:
        """Say why, send what the socket takes at this moment, and end: what it does not take would wait for ever."""
        self._session.close(reason)
        while self._session.output and self._open and self._write():
            pass
        self._end()

    def _lose(self) -> None:
        """The peer is gone."""
        self._session.close(CloseReason.CONNECTION_LOST)
        self._end()

    def _end(self) -> None:
        """Exchange nothing more. Orderly where the peer still listens; see `Lingering`."""
        if not self._open:
            return
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        self._loop.unregister(self._fd)
        self._session.output.clear()
        self._session.end()
        self._lingering.close(self._socket)
        self._on_closed(self._session)

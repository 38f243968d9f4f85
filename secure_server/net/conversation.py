"""A session joined to its wire: deadlines, the pump, back-pressure and the end. Owning thread only.

It knows no descriptor. A transport with one adds the interest in it (`secure_server.net.connection`); another says
when bytes have come, and when there is room again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from secure_protocol.reasons import CloseReason
from secure_server.config.settings import Timeouts
from secure_server.net.event_loop import EventLoop, Timer
from secure_server.session.session import Session
from secure_server.session.state import State

_log = logging.getLogger("secure_server.net")

NEVER = float("inf")

OnClosed = Callable[[Session], None]


class Outlet(Protocol):
    """What takes a conversation's bytes: a wire; see `secure_server.net.wire` for what its methods promise."""

    @property
    def unsent(self) -> object:
        """Whether bytes of its own making wait to be sent."""
        ...

    def write(self, output: bytearray, /) -> int:
        """Send from the front; return how much of it went, or raise OSError where nothing will go any more."""
        ...


def _since(session: Session) -> tuple[State, float, float]:
    """What a session's deadline counts from."""
    return session.state, session.established, session.half_sent_since


class Conversation:
    """Carries one session.

    Args:
        loop: whose thread owns it.
        wire: takes what the session answers.
        session: what it carries.
        timeouts: deadlines.
        on_closed: told once, as soon as nothing more is exchanged.
    """

    __slots__ = (
        "_loop",
        "_on_closed",
        "_open",
        "_plain",
        "_received",
        "_session",
        "_since",
        "_timeouts",
        "_timer",
        "_waits",
        "_wire",
        "_written",
    )

    def __init__(
        self, loop: EventLoop, wire: Outlet, session: Session, timeouts: Timeouts, on_closed: OnClosed
    ) -> None:
        self._loop = loop
        self._wire = wire
        self._session = session
        self._timeouts = timeouts
        self._on_closed = on_closed
        self._open = False
        self._plain = False  # nothing but output came of what was answered last
        self._received = b""  # in a round, what came and is not answered yet
        self._since = _since(session)  # as of the last look: what began at another moment has another deadline
        self._waits = False  # something is to be sent that the wire did not take, as of the last look
        self._written = loop.now  # when the peer last took bytes, or had nothing to take
        self._timer: Timer | None = None

    # Any thread

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the loop's thread, and send what it answered. After the end it is run all the same."""
        self._loop.call_soon(partial(self._run, callback))

    # What a transport adds

    def settle(self) -> None:
        """What is wanted of the wire may have changed."""

    def taken_down(self) -> None:
        """Nothing more is exchanged: end the wire."""

    # Owning thread only

    def start(self) -> None:
        """Begin to exchange."""
        self._open = True
        self._watch_deadline()
        self._advance()  # it may have been closed before it began

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back after `seconds`, and send what that answered."""
        return self._loop.call_at(self._loop.now + seconds, partial(self._run, callback))

    def _run(self, callback: Callable[[], None]) -> None:
        try:
            callback()
            self.flush()
        except BaseException:  # noqa: BLE001 - whatever it was about is half done: nobody may wait for the rest
            self._fail()

    def flush(self) -> None:
        """Send what the session answered since, and end if the session is done. Also when there is room again."""
        if self._open:
            self._advance()

    def receive(self, data: bytes) -> None:
        """The peer sent that, or nothing at all at its end; what comes in one round is answered in it, together."""
        if data:
            if not self._received:
                self._loop.defer(self._answer)
            self._received += data
            return
        self._answer()  # what came before the end
        if not self._open:
            return
        try:
            self._session.end_input()
            self._advance()
        except BaseException:  # noqa: BLE001 - whatever it is must not reach the others, nor leave it half answered
            self._fail()

    def _answer(self) -> None:
        """Let the session answer what was received."""
        data, self._received = self._received, b""
        if not (data and self._open):  # answered, or closed, since
            return
        try:
            self._plain = self._session.receive(data, self._loop.now)
            self._loop.defer(self._deliver)
        except BaseException:  # noqa: BLE001 - as above
            self._fail()

    def _deliver(self) -> None:
        """Send the answers. Where they are all that came of it, and all go, there is no more to look at."""
        if not self._open:
            return
        try:
            if not (self._plain and self._write() and not self._session.output):
                self._advance()
        except BaseException:  # noqa: BLE001 - as above
            self._fail()

    def _advance(self) -> None:
        """Send, take up what waited for room, and end when the session is over."""
        if not self._open:
            return
        session = self._session
        while (session.output or self._wire.unsent) and self._write():
            if not session.output and session.held:
                session.process()  # reading or dispatching had paused for lack of room
        if not self._open:
            return
        if session.state is State.CLOSING and not session.output:
            self._end()
            return
        waits = bool(session.output or self._wire.unsent)
        if waits and not self._waits:  # the peer no longer takes what it is sent: it has so long to go on
            self._written = self._loop.now
            self._watch_deadline()
        self._waits = waits
        if (since := _since(session)) != self._since:
            self._since = since
            self._watch_deadline()
        self.settle()

    def _write(self) -> bool:
        """Send once; whether to go on."""
        output = self._session.output
        try:
            sent = self._wire.write(output)
        except OSError:
            self.lose()
            return False
        if not sent:
            return False
        del output[:sent]
        self._written = self._loop.now
        activity = self._session.activity
        activity.sent += sent
        activity.last_active = self._written  # who takes what it is told listens, and is not idle
        return True

    def _deadline(self) -> tuple[float, CloseReason]:
        """When the present state has lasted too long, and what that is called."""
        session, timeouts = self._session, self._timeouts
        state = (NEVER, CloseReason.IDLE)
        if session.state is State.UNAUTHENTICATED:
            # While a login waits for the storage, which is not its doing, the clock stands still.
            since = self._loop.now if session.busy else session.established
            state = (since + timeouts.authentication, CloseReason.AUTH_TIMEOUT)
        elif timeouts.idle and not session.peer.admin:
            since = self._loop.now if session.busy else session.activity.last_active
            state = (since + timeouts.idle, CloseReason.IDLE)
        if (since := session.half_sent_since) < NEVER:
            state = min(state, (since + timeouts.request, CloseReason.REQUEST_TIMEOUT))
        if session.output or self._wire.unsent:  # beside the other deadline, which nobody may stretch by reading slowly
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

    def _fail(self) -> None:
        """Close for an error that is no peer's."""
        if not self._open:
            _log.exception("unexpected error at the end of a session")
            return
        _log.exception("unexpected error, closing session %d", self._session.number)
        try:
            self.close(CloseReason.INTERNAL_ERROR)
        except BaseException:  # noqa: BLE001 - what failed once may fail again: then it ends without a word
            _log.exception("unexpected error, session %d is told nothing", self._session.number)
            self._end()

    def close(self, reason: CloseReason) -> None:
        """Say why, send what the wire takes at this moment, and end: what it does not take would wait for ever."""
        if not self._open:
            return
        session = self._session
        session.close(reason)
        while session.output and self._open and self._write():
            pass
        self._end()

    def lose(self) -> None:
        """The peer is gone."""
        if self._open:
            self._session.close(CloseReason.CONNECTION_LOST)
            self._end()

    def _end(self) -> None:
        """Exchange nothing more, and let go of the session, so that all goes without waiting for the collector."""
        if not self._open:
            return
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        session = self._session
        session.output.clear()
        try:
            session.end()
        finally:  # whatever fails, a descriptor that stays watched would wake the loop without end
            self.taken_down()
        self._on_closed(session)
        del self._session, self._wire

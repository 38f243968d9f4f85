"""One QUIC connection: datagrams in and out, its timer, and its stream as a session's wire. Loop thread only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

from aioquic.quic import events

from secure_protocol.reasons import CloseReason
from secure_server.admission.reception import Reception
from secure_server.config.settings import Timeouts
from secure_server.limits.newcomers import Place, Shortage
from secure_server.net.close_codes import farewell
from secure_server.net.event_loop import EventLoop, Timer
from secure_server.net.wire import READ_BYTES, WRITE_BYTES
from secure_server.quic.conversation import QuicConversation
from secure_server.quic.door import Address, Door
from secure_server.quic.library import STREAM, WINDOW_BYTES, Connection
from secure_server.session.peer import Peer
from secure_server.session.session import Session

MOST_UNACKNOWLEDGED = 128 * 1024
"""Bytes that wait for the peer to have them, as in a socket's buffer; beyond it the session keeps its answers."""
ASK_SECONDS = 20.0
"""After so long without a datagram a peer is asked whether it is there: translators of addresses forget a silent one
after 30 seconds, and after a minute it is taken for gone."""

_log = logging.getLogger("secure_server.quic")


class Owner(Protocol):
    """What a line asks of the listener.

    Attributes:
        reception: receives whoever comes.
        timeouts: deadlines.
    """

    reception: Reception
    timeouts: Timeouts

    def know(self, connection_id: bytes, line: Line, /) -> None:
        """Have datagrams for a connection ID handed to a line."""

    def forget(self, connection_id: bytes, /) -> None:
        """Know a connection ID no more."""

    def shaken(self, line: Line, /) -> None:
        """The handshake of one is done."""

    def may_linger(self, line: Line, /) -> bool:
        """Whether one may wait for its peer to have what it was sent last; it is told when it no longer does."""
        ...

    def left(self, line: Line, /) -> None:
        """One waits for nothing any more."""

    def gone(self, line: Line, /) -> None:
        """One is over."""

    def moved(self, session: Session, address: Address, ours: str, /) -> None:
        """The peer of a session has proved to have another address."""


class Line:
    """A connection from its first datagram to its last.

    Args:
        owner: knows it by its connection IDs, and what they stand for.
        loop: the listener's.
        door: the socket that it came to.
        connection: aioquic's.
        peer: whoever sent its first datagram.
        place: which it took.

    Attributes:
        connection, place: these.
        unsent: see `Wire`.
        shaken: the handshake is done, so that the address is known to be the peer's.
    """

    unsent = False

    def __init__(
        self, owner: Owner, loop: EventLoop, door: Door, connection: Connection, peer: Peer, place: Place
    ) -> None:
        self._owner = owner
        self._loop = loop
        self._door = door
        self._address: object = None  # where the peer is known to be
        self._peer = peer
        self._session: Session | None = None
        self._conversation: QuicConversation | None = None
        self._inbox = bytearray()
        self._ended = False  # the peer sends no more than what waits
        self._full = False  # the session has more to send than there was room for
        self._sending = False  # at the end of this round
        self._leaving: tuple[int, str] | None = None  # code and word, once the peer has all that it was sent
        self._closed = False
        self._heard = self._asked = loop.now
        self._timer: Timer | None = None
        self._deadline = loop.call_at(loop.now + owner.timeouts.handshake, self._too_late)
        self.connection = connection
        self.place = place
        self.shaken = False

    # Datagrams

    def receive(self, data: bytes, address: Address) -> None:
        """Take a datagram of the peer's."""
        self._heard = self._loop.now
        self._guard(lambda: self.connection.receive_datagram(data, address, self._loop.now))

    def _guard(self, step: Callable[[], None]) -> None:
        """Take a step of the library's, and look at what came of it."""
        try:
            step()
            self._look()
        except BaseException:  # noqa: BLE001 - whatever it is: half a step is no state to go on from
            _log.exception("unexpected error in a QUIC connection")
            self.abandon(CloseReason.INTERNAL_ERROR)

    def _look(self) -> None:
        """See what has happened, and have sent what is to be sent."""
        while (event := self.connection.next_event()) is not None:
            self._on_event(event)
        if self._closed:
            return
        if self.connection.over is not None:
            self._lost()
        elif self.shaken and (address := self.connection.address) is not None and address != self._address:
            self._moved(cast("Address", address))
        self._continue()
        self.send()

    def _on_event(self, event: events.QuicEvent) -> None:
        if isinstance(event, events.StreamDataReceived):
            if self._leaving is None:
                self._inbox += event.data
            self._ended = self._ended or event.end_stream
        elif isinstance(event, events.HandshakeCompleted):
            self._established()
        elif isinstance(event, events.ConnectionIdIssued):
            self._owner.know(event.connection_id, self)
        elif isinstance(event, events.ConnectionIdRetired):
            self._owner.forget(event.connection_id)
        elif isinstance(event, (events.StreamReset, events.StopSendingReceived)):
            self._lost()
        elif isinstance(event, events.ConnectionTerminated):
            self._over()

    def _continue(self) -> None:
        """Go on with the session: there may be something to read, and room to write."""
        if self._conversation is not None:
            if self.waiting:
                self._conversation.read()
            if self._full and self.connection.unacknowledged <= MOST_UNACKNOWLEDGED // 2:
                self._full = False
                self._conversation.flush()
        elif self._leaving is not None and self.connection.delivered:
            self._close(*self._leaving)

    def send(self) -> None:
        """Have sent what there is to send at the end of this round, in as few datagrams as it fits."""
        if not (self._sending or self._closed):
            self._sending = True
            self._loop.defer(self._send)

    def _send(self) -> None:
        self._sending = False
        if self._closed:
            return
        try:
            for data, address in self.connection.datagrams_to_send(self._loop.now):
                self._door.send(data, address)
        except BaseException:  # noqa: BLE001 - as above
            _log.exception("unexpected error in a QUIC connection")
            self.abandon(CloseReason.INTERNAL_ERROR)
            return
        self._watch()

    # Time

    def _watch(self) -> None:
        """Have a timer no later than the library wants. One that fires too early looks again."""
        when = self._due()
        if self._timer is None or when < self._timer.when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._on_timer)

    def _due(self) -> float:
        when = self.connection.get_timer()
        asks = max(self._heard, self._asked) + ASK_SECONDS
        return asks if when is None else min(when, asks)

    def _on_timer(self) -> None:
        self._timer = None
        if self._closed:
            return
        now = self._loop.now
        when = self.connection.get_timer()
        if when is not None and now >= when:
            self._guard(lambda: self.connection.handle_timer(now))
        elif now >= self._due():
            self._asked = now
            if self.shaken and self._leaving is None:
                self.connection.send_ping(0)
            self.send()
        else:
            self._watch()

    def _too_late(self) -> None:
        """The handshake took too long, or those who leave do."""
        if self._leaving is not None:
            self._close(*self._leaving)
        elif not self.shaken:
            self._fail(CloseReason.HANDSHAKE_TIMEOUT, "")

    # From stranger to session

    def _established(self) -> None:
        connection = self.connection
        self.shaken = True
        self._owner.shaken(self)
        self._deadline.cancel()
        address = cast("Address", connection.address)
        self._address = address
        peer = replace(self._peer, local=self._door.ours(address), tls="TLSv1.3", cipher=connection.cipher)
        self._owner.reception.receive(peer, self._seat, self.place)

    def _seat(self, session: Session) -> Callable[[], None]:
        self._session = session
        conversation = QuicConversation(self._loop, self, session, self._owner.timeouts, self._owner.reception.leave)
        session.attach(conversation)

        def begin() -> None:
            self._conversation = conversation
            conversation.start()

        return begin

    def give_way(self, shortage: Shortage) -> None:
        """End, for the place is another's. Any thread."""
        self._loop.call_soon(lambda: None if self.shaken else self._fail(CloseReason.TOO_MANY, shortage))

    def drop(self) -> None:
        """Forget a stranger whose first datagram could not be read."""
        self._over()
        self._owner.reception.visited(self.place)

    def refuse(self) -> None:
        """End unless it has become a session, for nobody is accepted any more."""
        if not self.shaken:
            self._fail(CloseReason.DRAINING, "")

    def _fail(self, reason: CloseReason, detail: str) -> None:
        """End before there is a session."""
        if not self._closed:
            self._over()
            self._owner.reception.failed(self._peer, self.place, reason, detail)

    # The session's wire

    @property
    def waiting(self) -> bool:
        """See `Stream`."""
        return bool(self._inbox) or self._ended

    def take(self) -> bytes | None:
        """See `Stream`."""
        if not self._inbox:
            if not self._ended:
                return None
            self._ended = False
            return b""
        data = bytes(self._inbox[:READ_BYTES])
        del self._inbox[:READ_BYTES]
        if self._session is not None and self._session.own is not None:
            self.connection.window = WINDOW_BYTES
        if self.connection.took(len(data)):
            self.send()
        return data

    def write(self, output: bytearray) -> int:
        """See `Wire`."""
        if self._closed or self.connection.over is not None:
            raise ConnectionResetError
        if not self.connection.opened:
            return len(output)  # there is no stream on which it could be told
        room = MOST_UNACKNOWLEDGED - self.connection.unacknowledged
        if room < len(output):
            self._full = True
        count = min(room, WRITE_BYTES, len(output))
        if count <= 0:
            return 0
        self.connection.send_stream_data(STREAM, bytes(output[:count]))
        self.send()
        return count

    def finish(self, reason: CloseReason | None) -> None:
        """The session is over: end the stream behind what it said, and the connection once the peer has that."""
        self._conversation = self._session = None
        self._inbox.clear()
        self._leaving = farewell(reason)
        if self._closed:
            return
        if self.connection.over is not None or not self._owner.may_linger(self):
            self._close(*self._leaving)
            return
        self.connection.end_stream()
        self._deadline = self._loop.call_at(self._loop.now + self._owner.timeouts.linger, self._too_late)
        self._continue()
        self.send()

    def _moved(self, address: Address) -> None:
        """The peer has another address, and has answered from there."""
        self._address = address
        if self._session is not None and self._conversation is not None:
            self._owner.moved(self._session, address, self._door.ours(address))
            self._conversation.flush()  # it may have been told something, or closed

    def _lost(self) -> None:
        """The peer is gone, or has broken the rules."""
        fault = self.connection.fault
        if self._conversation is not None and fault:
            self._conversation.close(CloseReason.PROTOCOL_ERROR)
        elif self._conversation is not None:
            self._conversation.lose()
        elif not self.shaken:
            self._send()  # an alert: why there is no connection, say, such as another protocol
            self._fail(CloseReason.HANDSHAKE_FAILED if fault else CloseReason.CONNECTION_LOST, fault)

    # The end

    def _close(self, code: int, word: str) -> None:
        """Say that it is over, and why; then the peer's datagrams are known for a moment longer.

        By the library that is three of its timeouts, which whoever is slow to answer makes as long as it likes.
        """
        self._deadline.cancel()
        self._deadline = self._loop.call_at(self._loop.now + self._owner.timeouts.linger, self._over)
        self.connection.close(error_code=code, reason_phrase=word)
        self.send()
        self._owner.left(self)

    def abandon(self, reason: CloseReason) -> None:
        """End at once, without a word to the peer."""
        if self.shaken:
            self._over(reason)
        else:
            self._fail(reason, "")

    def close(self, reason: CloseReason) -> None:
        """End the session, for the server stops."""
        if self._conversation is not None:
            self._conversation.close(reason)

    def hang_up(self) -> None:
        """End whatever is left of it, for the loop stops: say so, and wait for nothing."""
        if self._leaving is not None and not self._closed:
            self._close(*self._leaving)
            self._send()
        self._over()

    def _over(self, reason: CloseReason = CloseReason.CONNECTION_LOST) -> None:
        """Nothing comes of it any more; a session that there still is ends with it."""
        if self._closed:
            return
        self._closed = True
        self._deadline.cancel()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.gone(self)
        self._owner.left(self)
        if self._conversation is not None:
            self._conversation.close(reason)
        elif not self.shaken:
            self.place.give_way = _gone  # it knows us by it, and we know it
        self._loop.call_soon(self.connection.let_go)  # the library may be in the middle of it


def _gone(_shortage: Shortage) -> None:
    """There is nobody any more who could give way."""

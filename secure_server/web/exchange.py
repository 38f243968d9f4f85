"""One HTTP connection, on the newcomers' loop: reads requests, answers them, and is over before there is a session.

A page load opens some connections and asks for some files; whoever does is a stranger, has a stranger's place, and no
session. Requests are answered one after the other: while an answer is not sent, nothing is read. h11 parses.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

import h11

from secure_server.limits.newcomers import Place, Shortage
from secure_server.net.event_loop import EventLoop, Timer
from secure_server.net.poller import READ, WRITE
from secure_server.net.wire import Wire
from secure_server.session.peer import Peer
from secure_server.web.message import Answer, Question, told, unclear
from secure_server.web.responses import Responses
from secure_server.web.routes import Awaited, Handover

SECONDS = 10.0
"""For a request, from its connection or the answer before it, and for taking the answer. Browsers keep connections; one
that is closed while nobody asks costs the next page load a handshake."""
HEAD_BYTES = 16 * 1024
"""The longest head of a request: browsers send one or two kilobytes."""
MOST_REQUESTS = 100
"""On a connection, before it ends: a page load takes a few dozen."""

_log = logging.getLogger("secure_server.web")

Ended = Callable[["Exchange"], None]
Ask = Callable[[Question], Answer | Awaited | Handover]
HandOver = Callable[["Exchange", Handover, h11.Connection], None]


class Exchange:
    """Asks and answers on one connection. Loop thread only, but for `give_way`.

    Args:
        loop: the newcomers'.
        wire: established, its socket unregistered.
        peer: whoever asks.
        place: which it took.
        ask: answers a question.
        hand_over: told where something else goes on with the wire, and with what was read of it.
        ended: told once, where nothing does; the wire is the caller's to end.

    Attributes:
        wire, peer, place: these.
    """

    __slots__ = (
        "_ask",
        "_awaits",
        "_ended",
        "_hand_over",
        "_handover",
        "_http",
        "_interest",
        "_loop",
        "_open",
        "_queued",
        "_requests",
        "_responses",
        "_timer",
        "peer",
        "place",
        "wire",
    )

    _timer: Timer

    def __init__(
        self, loop: EventLoop, wire: Wire, peer: Peer, place: Place, ask: Ask, hand_over: HandOver, ended: Ended
    ) -> None:
        self._loop = loop
        self._ask = ask
        self._hand_over = hand_over
        self._ended = ended
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._responses = Responses(self._http)
        self._queued = False  # for a turn as a suspect
        self._interest = READ
        self._handover: Handover | None = None
        self._awaits = False  # an answer is made elsewhere
        self._requests = 0
        self._open = False
        self.wire = wire
        self.peer = peer
        self.place = place

    def start(self) -> None:
        """Begin to read.

        Raises:
            OSError: the poller takes no more.
        """
        self._loop.register(self.wire.sock.fileno(), READ, self._on_event)
        self._open = True
        self._timer = self._loop.call_at(self._loop.now + SECONDS, self._on_deadline)
        if self.wire.ready:
            self._loop.call_soon(partial(self._on_event, READ))

    def give_way(self, _shortage: Shortage) -> None:
        """End, for its place is another's. Any thread."""
        if self._loop.owned:
            self.end()
        else:
            self._loop.call_soon(self.end)

    def end(self) -> None:
        """Read and send nothing more."""
        if self._release():
            self._ended(self)

    def _on_event(self, _ready: int) -> None:
        if not self._open:
            return
        if self._responses.out or self.wire.unsent:
            self._guard(self._send)
        elif not self.wire.suspect:
            self._guard(self._read)
        elif not self._queued:
            self._queued = True
            self._loop.suspects.append(self._on_turn)

    def _on_turn(self) -> None:
        """Read, as one who is suspect: those wait in line, see `EventLoop`; so none keeps the others from coming in."""
        self._queued = False
        if self._open and not (self._responses.out or self.wire.unsent):
            self._guard(self._read)

    def _guard(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError:
            self.end()
        except BaseException:  # noqa: BLE001 - whatever it is: left watched, its event would come again without end
            _log.exception("unexpected error in an HTTP exchange")
            self.end()

    def _on_deadline(self) -> None:
        """Too slow: with a request half sent it is told so, else nobody asks for anything."""
        if (
            self._open
            and not self._responses.out
            and (self._awaits or self._http.trailing_data[0])
            and not self._responses.last
        ):
            late = HTTPStatus.SERVICE_UNAVAILABLE if self._awaits else HTTPStatus.REQUEST_TIMEOUT
            with contextlib.suppress(OSError, h11.LocalProtocolError):
                self._answer(told(late, last=True))
                self.wire.write(self._responses.out)
        self.end()

    # Requests

    def _read(self) -> None:
        data = self.wire.read()
        if data is None:
            self._watch()
            return
        if not data:
            self.end()
            return
        self._http.receive_data(data)
        if not self._awaits:
            self._go_on()
        elif len(self._http.trailing_data[0]) > HEAD_BYTES:
            self.end()
        else:
            self._watch()

    def _go_on(self) -> None:
        """Answer what has come, and send that."""
        try:
            self._answer_next()
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None  # whose frames hold it, and us, for the collector
            status = HTTPStatus(error.error_status_hint)
            self._answer(told(status, last=True))
        self._send()

    def _answer_next(self) -> None:
        """Answer one request, if a whole head has come."""
        event = self._http.next_event()
        if not isinstance(event, h11.Request):
            self._responses.last = event is h11.PAUSED or isinstance(event, h11.ConnectionClosed)
            return
        self._requests += 1
        self._responses.to(event.method.decode("ascii"))
        refused = unclear(event)
        if refused is not None:
            self._answer(refused)
            return
        question = Question.of(self.peer, event)
        if question is None:
            self._answer(told(HTTPStatus.BAD_REQUEST, "The target of a request is a path.", last=True))
            return
        self._responses.to(question.method, question.host)
        found = self._ask(question)
        if isinstance(found, Awaited):
            self._awaits = True
            found.begin(lambda answer: self._loop.call_soon(partial(self._on_made, answer)))
        elif not isinstance(found, Handover):
            self._answer(found)
        elif event.http_version < b"1.1":
            self._answer(told(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, last=True))
        elif not (found.takes_body or isinstance(self._http.next_event(), h11.EndOfMessage)):
            sentence = "What is to become a WebSocket has no body."
            self._answer(told(HTTPStatus.BAD_REQUEST, sentence, last=True))
        else:
            self._handover = found
            self._responses.out += found.head

    # Answers

    def _on_made(self, answer: Answer) -> None:
        """Send what was made elsewhere, if anybody is still there."""

        def send() -> None:
            self._answer(answer)
            self._send()

        if self._open:
            self._awaits = False
            self._guard(send)

    def _answer(self, answer: Answer) -> None:
        """Have an answer sent.

        Raises:
            h11.RemoteProtocolError: behind its request comes what is no HTTP.
        """
        responses = self._responses
        responses.last = responses.last or self._requests >= MOST_REQUESTS
        responses.look()
        responses.whole(answer)

    def _send(self) -> None:
        """Send what there is, and go on behind it."""
        wire = self.wire
        while (self._responses.out or wire.unsent) and (sent := wire.write(self._responses.out)):
            del self._responses.out[:sent]
        if self._responses.out or wire.unsent:
            self._watch()
        elif self._handover is not None:
            if self._release():
                self._hand_over(self, self._handover, self._http)
        elif self._responses.over:
            self.end()
        elif self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            self._timer.cancel()
            self._timer = self._loop.call_at(self._loop.now + SECONDS, self._on_deadline)
            # Another request may have come with this one: others have their turn first.
            self._loop.call_soon(self._on_more)
            self._watch()
        else:
            self._watch()

    def _on_more(self) -> None:
        if self._open and not self._responses.out:
            self._guard(self._go_on)

    # The descriptor

    def _watch(self) -> None:
        interest = WRITE if self._responses.out or self.wire.unsent else READ
        if interest != self._interest:
            self._loop.modify(self.wire.sock.fileno(), interest)
            self._interest = interest
        if interest == READ and self.wire.ready:
            self._loop.call_soon(partial(self._on_event, READ))

    def _release(self) -> bool:
        """Have the descriptor watched no more; whether it was."""
        was, self._open = self._open, False
        if was:
            self._timer.cancel()
            self._loop.unregister(self.wire.sock.fileno())
        return was

"""A session behind HTTP: requests become a command's words, and what the session answers becomes responses.

One thread at a time: its I/O loop's. The first request with a token makes the session, which is one of this connection
for good. To the session it is a program that speaks RESP3 and asks one thing after the other; so limits, rates, records
and back-pressure are those of any connection.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import socket
from collections.abc import Callable
from http import HTTPStatus

import h11

from secure_protocol.errors import CommandError, ErrorCode, ProtocolError
from secure_protocol.limits import RequestLimits
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_server.i18n import N_
from secure_server.net.tls_wire import WastedError
from secure_server.net.wire import WRITE_BYTES, Wire
from secure_server.recording.recorded import INTERNAL_ERROR
from secure_server.session.carrier import Timer
from secure_server.session.session import Session
from secure_server.web.api.arguments import is_crowded
from secure_server.web.api.plan import Asked, Plan, WrongRequestError
from secure_server.web.api.statuses import of_error, of_reason, when_to_return
from secure_server.web.api.telling import Leaving, Teller, asked_for, refuse
from secure_server.web.message import Answer, Header, Question, unclear
from secure_server.web.responses import Responses

MOST_AHEAD = 64 * 1024
"""Bytes of further requests that may come while one is answered; who sends more waits for no answers."""
MOST_REPLY = 64 * 1024 * 1024
"""What one reply of a session takes, with something for each of its values; its bytes alone are at most 16 MiB."""
MOST_EVENTS = 200
"""Pieces of a body in one turn: a kilobyte in chunks of a byte, which take h11 some milliseconds."""
BEAT_SECONDS = 15.0
"""Between words to who takes events as they come, where there are none: proxies give up after 60 s."""

BEGINNING, NOTHING = b"*", b"0\r\n"
"""How each request of a program begins; and what makes none of that, to which there is no reply."""

Ask = Callable[[Question], Answer | Asked]
"""Answers a further request of the connection, or says what it asks of the session."""


class HttpWire:
    """Carries a session's bytes in HTTP.

    Args:
        inner: carries HTTP.
        http: as far as it was read: behind the head of the first request.
        first: that request.
        session: returns whose bytes they are.
        ask: says what further requests are about.
        plan: says what is done with one.

    Attributes:
        sock: of the inner wire.
    """

    __slots__ = (
        "_ask", "_beat", "_begun", "_body", "_decoder", "_ended", "_http", "_ignored", "_in_flight", "_inner",
        "_login", "_more", "_plan", "_planned", "_question", "_responses", "_running", "_say", "_session", "_teller",
        "_token", "sock",
    )  # fmt: skip

    def __init__(
        self, inner: Wire, http: h11.Connection, first: Asked, session: Callable[[], Session], ask: Ask,
        plan: Callable[[Question], Plan],
    ) -> None:  # fmt: skip
        self.sock = inner.sock
        self._inner = inner
        self._http = http
        self._session = session
        self._ask = ask
        self._plan = plan
        self._decoder = ReplyDecoder(MOST_REPLY)
        self._token = hashlib.sha256(first.token.encode("latin-1")).digest()
        self._login = True  # its answer is awaited
        self._say = [encode_request([b"HELLO", b"3", b"AUTH", b"default", first.token.encode("latin-1")])]
        self._question = first.question  # whose body is read, and which is answered then
        self._planned: Plan | None = None  # what the session is asked
        self._body = bytearray()
        self._begun = False  # and the session was told so
        self._running = False  # the session was asked, and has not answered
        self._teller: Teller | None = None
        self._beat: Timer | None = None
        self._ignored = 0  # replies of the session that nobody waits for
        self._responses = Responses(http)
        self._responses.to(first.question.method, first.question.host)
        # A proxy would send others' requests over the same connection.
        self._responses.last = first.question.forwarded
        self._in_flight = 0  # bytes of the session's output that what is to be sent came of
        self._more = True  # there is something to do that no event announces
        self._ended = False

    # Wire

    @property
    def unsent(self) -> object:
        """See `Wire`."""
        return self._responses.out or self._inner.unsent

    @property
    def ready(self) -> bool:
        """See `Wire`."""
        return self._more or self._inner.ready

    @property
    def suspect(self) -> bool:
        """See `Wire`."""
        return not self._more and self._inner.suspect

    def read(self) -> bytes | None:
        """See `Wire`; what is returned are a program's words."""
        self._more = False
        if self._say:
            said, self._say = b"".join(self._say), []
            return said
        if self._ended:
            return b""
        if self._login or self._running:
            return self._listen()
        try:
            return self._next()
        except h11.RemoteProtocolError as error:
            error.__traceback__ = None
            self._refuse(HTTPStatus(error.error_status_hint), CommandError(N_("That is no HTTP.")), last=True)
            return self._after()

    def write(self, output: bytearray) -> int:
        """See `Wire`."""
        if self._responses.out or self._inner.unsent:
            if not self._flush():
                return 0
            if self._in_flight:
                sent, self._in_flight = self._in_flight, 0
                return sent
        taken = min(len(output), WRITE_BYTES)
        if not taken:
            return 0
        self._decoder.feed(bytes(output[:taken]))
        try:
            replies = self._decoder.decode()
        except ProtocolError:
            raise ConnectionError("a reply is too long") from None
        for reply in replies:
            self._take(reply)
        self._settle()
        if self._flush():
            return taken
        self._in_flight = taken
        return 0

    def end(self) -> socket.socket:
        """See `Wire`."""
        if self._beat is not None:
            self._beat.cancel()
        with contextlib.suppress(OSError):  # what is lost shows in what follows
            self._flush()
        return self._inner.end()

    # Requests

    def _listen(self) -> bytes | None:
        """While the session works: see whether the peer goes, and keep what it sends ahead."""
        came = self._inner.read()
        if came is None:
            return None
        self._http.receive_data(came)
        if not came:
            self._ended = True
            return b""
        if len(self._http.trailing_data[0]) > MOST_AHEAD:
            raise WastedError
        return None

    def _next(self) -> bytes | None:
        """Read on; return the words of a request that is whole."""
        most, came = self._limits.request_bytes, None
        for _ in range(MOST_EVENTS):
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                reads_body = self._http.their_state is h11.SEND_BODY
                if reads_body and int(self._question.header("content-length") or 0) > most:
                    return self._too_long()
                if self._http.they_are_waiting_for_100_continue:
                    self._responses.go_on()
                    self._flush()
                if came is not None or (came := self._inner.read()) is None:  # once, for others have their turns, too
                    return self._await_rest() if reads_body else None
                self._http.receive_data(came)
            elif isinstance(event, h11.Request):
                if not self._begin(event):
                    return self._after()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > most:
                    return self._too_long()
            elif isinstance(event, h11.EndOfMessage):
                return self._call()
            else:  # the peer ended its side, or wants another protocol
                self._ended = True
                return b""
        self._more = True
        return None

    def _await_rest(self) -> bytes | None:
        """Have the session see that a request has begun, whose rest is awaited no longer than that of any other."""
        begun, self._begun = self._begun, True
        return None if begun else BEGINNING

    def _too_long(self) -> bytes | None:
        """Refuse a body, of which no more is read."""
        self._body.clear()
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, CommandError(N_("The body is too long.")))
        return self._after()

    def _begin(self, event: h11.Request) -> bool:
        """Take the head of a further request; whether it is the session's to answer."""
        self._responses.to(event.method.decode("ascii"))
        self._body.clear()
        if (why := unclear(event)) is not None:
            self._responses.whole(why)
            return False
        question = Question.of(self._session().peer, event)
        if question is None:
            self._refuse(HTTPStatus.BAD_REQUEST, CommandError(N_("The target of a request is a path.")), last=True)
            return False
        self._responses.to(question.method, question.host)
        found = self._ask(question)
        if isinstance(found, Answer):
            self._responses.whole(found)
            return False
        if found.question.peer.address != self._session().peer.address:
            sentence = N_("This connection is another client's; open one of your own.")
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, CommandError(sentence), last=True)
            return False
        if not hmac.compare_digest(hashlib.sha256(found.token.encode("latin-1")).digest(), self._token):
            sentence = N_("This connection is another token's; open one of your own.")
            self._refuse(HTTPStatus.UNAUTHORIZED, CommandError(sentence, code=ErrorCode.NOAUTH), last=True)
            return False
        self._question = question
        return True

    @property
    def _limits(self) -> RequestLimits:
        session = self._session()
        return session.terms.bounds(session.principal)[0]

    def _call(self) -> bytes | None:
        """Ask the session what a whole request asks."""
        session, limits = self._session(), self._limits
        if is_crowded(self._body, limits.arguments):
            return self._too_long()
        try:
            planned = self._plan(self._question)
            said = planned.words(bytes(self._body), session.translate)
        except WrongRequestError as error:
            self._refuse(error.status, error.error, (("Allow", error.allow),) if error.allow else ())
            return self._after()
        except CommandError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error)
            return self._after()
        finally:
            self._body.clear()
        words = said.words
        if len(words) > limits.arguments or any(len(word) > limits.argument_bytes for word in words):
            return self._too_long()  # here, for to the session it would be no request, and its end
        otherwise = Leaving if said.leaves else asked_for(self._question.header("accept") or "")
        self._teller = (planned.teller or otherwise)(self._responses)
        self._running, self._planned = True, planned
        if self._beat is None:
            self._beat = session.carrier.call_later(BEAT_SECONDS, self._on_beat)
        begun, self._begun = self._begun, False
        return encode_request(words).removeprefix(BEGINNING if begun else b"")

    def _on_beat(self) -> None:
        self._beat = None
        if self._running and self._teller is not None:
            if not self.unsent:
                self._teller.beat()
            self._beat = self._session().carrier.call_later(BEAT_SECONDS, self._on_beat)

    def _after(self) -> bytes | None:
        """Go on behind an answer that the session had no part in."""
        self._settle()
        self._flush()
        if self._ended:
            return b""
        begun, self._begun = self._begun, False
        return NOTHING if begun else None

    # Answers

    def _take(self, reply: object) -> None:
        """Take what the session says."""
        teller = self._teller
        if isinstance(reply, Push):
            if reply.kind == "closed":
                self._closed(reply.items)
            elif teller is not None and self._running:
                self._pushed(teller, reply)
        elif self._login:
            self._welcomed(reply)
        elif self._ignored:
            self._ignored -= 1
            self._running = self._running and self._ignored > 0
            self._more = True
        elif teller is not None and (planned := self._planned) is not None:
            self._teller, self._planned, self._running = None, None, False
            if isinstance(reply, ErrorReply):
                teller.fail(reply, self._status(reply, planned))
            else:
                teller.end(planned.shape(reply))

    def _status(self, error: ErrorReply, planned: Plan) -> HTTPStatus | None:
        """Return the status of an error where it takes more than its code; else None."""
        session = self._session()
        last = session.ran[-1] if session.ran else None
        if last is not None and last.total == session.activity.commands and last.outcome == INTERNAL_ERROR:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        return planned.status(error, session.translate)

    def _pushed(self, teller: Teller, push: Push) -> None:
        first, second, third = (*push.items, None, None, None)[:3]
        if push.kind == "job":
            teller.stands(first, second, third)
            if isinstance(teller, Leaving):  # its number is all that is wanted
                self._teller, self._ignored = None, 2  # those to the start, and to this
                self._say.append(encode_request([b"DETACH"]))
                self._more = True
        elif push.kind == "stream":
            if not teller.part(first):
                sentence = self._session().translate(
                    N_("The answer is too long in one piece: take it as events or lines.")
                )
                teller.fail(ErrorReply(ErrorCode.ERR, sentence), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                self._teller, self._ignored = None, 2
                self._say.append(encode_request([b"CANCEL"]))
                self._more = True
        elif push.kind == "progress":
            teller.progress(first, second)

    def _welcomed(self, reply: object) -> None:
        """Take the answer to the login."""
        self._login = False
        self._more = True
        if isinstance(reply, ErrorReply):
            self._responses.last = True
            challenge: tuple[Header, ...] = ()
            status = of_error(reply)
            if status is HTTPStatus.UNAUTHORIZED:
                challenge = (("WWW-Authenticate", "Bearer"),)
            refuse(self._responses, status, reply.code, reply.text, (*challenge, *when_to_return(reply.text)))

    def _closed(self, items: tuple[object, ...]) -> None:
        """The session ends, and says why."""
        reason, seconds, text = (*map(str, items), "", "", "")[:3]
        self._responses.last = True
        retry = f" retry-after={seconds}" if seconds.isdigit() else ""
        if self._teller is not None:
            self._teller.fail(ErrorReply(ErrorCode.CLOSED, f"{text}{retry}"), of_reason(reason))
            self._teller = None
        elif self._http.our_state is h11.SEND_RESPONSE:  # to a request that has not come to the session
            refuse(self._responses, of_reason(reason), ErrorCode.CLOSED, text, when_to_return(retry))

    def _refuse(
        self, status: HTTPStatus, error: CommandError, headers: tuple[Header, ...] = (), *, last: bool = False
    ) -> None:
        """Answer a request that the session is not asked about."""
        self._responses.last = self._responses.last or last
        refuse(self._responses, status, error.code, error.sentence(self._session().translate), headers)

    def _settle(self) -> None:
        """Where a response is whole, the next request may be read."""
        if not self._responses.finished:
            return
        self._responses.finished = False
        if self._responses.over:
            self._ended = True
        elif self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        self._more = True
        if self._ended or self._http.trailing_data[0]:  # an answer that took the short way has nobody look at us
            self._session().call_soon(lambda: None)

    def _flush(self) -> bool:
        """Send what there is; whether all of it went."""
        while (self._responses.out or self._inner.unsent) and (sent := self._inner.write(self._responses.out)):
            del self._responses.out[:sent]
        return not (self._responses.out or self._inner.unsent)

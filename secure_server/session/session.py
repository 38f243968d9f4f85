"""One peer's protocol state, sans I/O: bytes in, bytes out, no socket and no clock of its own.

So one session serves TLS, the admin Unix socket, and a test that calls `receive` and reads `output`. All of it runs
on the thread that owns the connection, but for the methods under "any thread".
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from secure_protocol import resp_replies, text_replies
from secure_protocol.errors import ErrorCode, Failure, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply, Push, ReplyKind
from secure_protocol.resp_requests import Arguments, RespRequestDecoder, requests_in
from secure_protocol.text_requests import Request, TextRequestDecoder
from secure_protocol.token import redact
from secure_server.auth.principal import Principal, Role
from secure_server.auth.scram import Exchange
from secure_server.config.settings import Config
from secure_server.dispatch.cleared import NOTHING
from secure_server.i18n import Translate, translator
from secure_server.session.call import GRACE_SECONDS, Call
from secure_server.session.endings import closed, ended
from secure_server.session.peer import Activity, Peer
from secure_server.session.state import TRANSITIONS, Event, State

NOTICES = 16
"""Messages that wait for the end of a text reply; older ones give way."""

POSTED = 256
"""Messages that wait for the owning thread; older ones give way, so that who posts without end fills no memory."""

LABEL_CHARACTERS = 64
"""The longest name a client may give itself or its library."""


class Dispatch(Protocol):
    """Runs a request and answers it, now or later; see `secure_server.dispatch.dispatcher`."""

    def __call__(self, session: Session, request: Request | ProtocolError) -> None:
        """Take a request of this session, or what came instead of one."""


class OnArrival(Protocol):
    """Looks at a request that comes while another runs; see `secure_server.dispatch.dispatcher`."""

    def __call__(self, session: Session, request: Request) -> bytes | None:
        """Return the encoded reply of one that acts at once, to be sent in its turn; None for all others."""
        ...


class AnswerCleared(Protocol):
    """Answers requests that need no judgement any more; see `secure_server.dispatch.dispatcher`."""

    def __call__(self, session: Session, name: bytes, requests: Sequence[Arguments]) -> int:
        """Answer as many from the front as may be, and return how many that were."""
        ...


class Timer(Protocol):
    """A callback to come."""

    def cancel(self) -> None:
        """Forget it."""


class Carrier(Protocol):
    """The connection that carries a session."""

    def call_soon(self, callback: Callable[[], None], /) -> None:
        """Run `callback` on the owning thread, and send what it answered. Any thread."""

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Timer:
        """Do so after so many seconds. Owning thread only."""
        ...


_posting = threading.Lock()
"""Held for a moment where a message is posted: so seldom that one will do for all sessions."""


class Session:
    """One peer's protocol state.

    Args:
        number: unique in this server's life; `CLIENT ID`.
        peer: the other end.
        config: for limits.
        dispatch: runs requests.
        on_arrival: looks at requests that must wait for another one.
        language: to begin with.
        now: monotonic seconds.
        principal: where the transport already proved who it is (the admin socket; for certificates see `prove`).

    Attributes:
        output: bytes to send; the connection takes from its front.
        proved: who the transport proved it to be, whatever it says later; `RESET` leads back to that.
        attempts: refused tokens so far.
        strange: requests since it was last nobody.
        exchange: a mutual handshake that has begun; one at most, and `Admission` alone goes on with it.
        close_reason: set when the session is closing.
        resp: 2 or 3.
        cleared: commands that the gate need not look at again, by the name that they were asked for.
        high_water: bytes of output above which nothing more is done for the peer.
        held: the peer must take some of the output before more is done for it.
        mechanism: how it tried to prove who it is, the last time; empty where nothing was tried by a command.
        notifications: the peer asked for messages that its codec cannot tell from replies; see `notify`.
        unwanted: replies that the peer wants dropped, from the next one on (`CLIENT REPLY`); infinite for all.
    """

    __slots__ = (
        "_answer_cleared",
        "_carrier",
        "_closing_after",
        "_config",
        "_deadline",
        "_decoder",
        "_dispatch",
        "_ending",
        "_examined",
        "_first_language",
        "_input_ended",
        "_limits",
        "_most_pending",
        "_notices",
        "_on_arrival",
        "_pending",
        "_posted",
        "_processing",
        "_running",
        "activity",
        "attempts",
        "cleared",
        "client_name",
        "close_reason",
        "established",
        "exchange",
        "held",
        "high_water",
        "language",
        "library",
        "local",
        "mechanism",
        "notifications",
        "number",
        "output",
        "peer",
        "principal",
        "proved",
        "resp",
        "state",
        "strange",
        "translate",
        "unwanted",
    )

    def __init__(
        self,
        number: int,
        peer: Peer,
        config: Config,
        dispatch: Dispatch,
        *,
        language: str,
        now: float,
        principal: Principal | None = None,
        on_arrival: OnArrival | None = None,
        answer_cleared: AnswerCleared | None = None,
    ) -> None:
        self.number = number
        self.peer = peer
        self.principal = self.proved = principal
        self.mechanism = ""
        self.local = principal is not None
        self.state = State.UNAUTHENTICATED if principal is None else State.AUTHENTICATED
        self.cleared = NOTHING
        self.held = False
        self.high_water = int(config.limits.output_high_water)
        self.output = bytearray()
        self.close_reason: CloseReason | None = None
        self.attempts = 0
        self.strange = 0
        self.exchange: Exchange | None = None
        self.resp = 2
        self.client_name = ""
        self.library = ("", "")
        self.established = now
        self.activity = Activity(connected=time.time(), last_active=now)
        self._first_language = language
        self.language = language
        self.translate: Translate = translator(language)
        self._config = config
        self._bound(authenticated=principal is not None)
        self._dispatch = dispatch
        self._answer_cleared = answer_cleared or _leave_all
        self._decoder: TextRequestDecoder | RespRequestDecoder | None = None
        self._on_arrival = on_arrival
        self._pending: deque[Request | ProtocolError | bytes] | None = None  # made when needed: empty it has 600 bytes
        self._running: Call | None = None
        self._examined = 0  # waiting requests that were looked at since the running command began
        self._deadline: Timer | None = None
        self._notices: deque[Push] | None = None  # likewise
        self._posted: deque[Push] | None = None
        self.notifications = False
        self.unwanted: float = 0
        self._processing = False
        self._input_ended = False
        self._ending = False  # the input ended, or somebody wants the session closed, now or later
        self._closing_after: CloseReason | None = None
        self._carrier: Carrier | None = None

    # Any thread

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the owning thread, and send what it answered."""
        assert self._carrier is not None  # noqa: S101 - attached before use
        self._carrier.call_soon(callback)

    def post(self, push: Push) -> None:
        """Have the owning thread `notify` the peer."""
        with _posting:
            first = self._posted is None
            if self._posted is None:
                self._posted = deque(maxlen=POSTED)
            self._posted.append(push)
        if first:
            self.call_soon(self._notify_posted)

    @property
    def role(self) -> Role:
        """What the peer may act as now."""
        principal = self.principal  # read once: the owning thread may change it meanwhile
        return Role.NOBODY if principal is None else principal.role

    @property
    def takes_messages(self) -> bool:
        """Whether `notify` reaches the peer: it can tell a push from a reply, or asked for messages all the same."""
        return not self.closing and (self.takes_pushes or self.notifications)

    @property
    def closing(self) -> bool:
        """Whether nothing more is read."""
        return self.state is State.CLOSING

    # Owning thread only

    def attach(self, carrier: Carrier) -> None:
        """Join the session to the connection that carries it."""
        self._carrier = carrier

    @property
    def text(self) -> bool:
        """Whether the peer is a person typing lines."""
        return isinstance(self._decoder, TextRequestDecoder)

    @property
    def busy(self) -> bool:
        """Whether a handler is running; later requests wait."""
        return self._running is not None

    @property
    def wants_input(self) -> bool:
        """Whether more bytes may be received; what the peer sends meanwhile waits in its own kernel."""
        return (
            self.state is not State.CLOSING
            and not self._input_ended
            and self._waiting < self._room
            and len(self.output) < self.high_water
        )

    @property
    def _room(self) -> int:
        """Requests that may be decoded ahead; none behind a login that takes its time, which may change the limits."""
        return 0 if self.state is State.UNAUTHENTICATED and self.busy else self._most_pending

    def receive(self, data: bytes, now: float) -> bool:
        """Take bytes from the peer and answer what is complete.

        Returns:
            Whether all that came of it is more output: requests that needed no judgement any more.
        """
        activity = self.activity
        activity.received += len(data)
        activity.last_active = now
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = RespRequestDecoder() if data[:1] == b"*" else TextRequestDecoder()
        waits = self._pending or self._running is not None or self.held or self._ending
        if waits or not self.cleared or not isinstance(decoder, RespRequestDecoder):
            decoder.feed(data)
            self.process()
            return False
        most, cleared = self._most_pending, self.cleared
        runs, count = decoder.take(data, self._limits, most), 0
        while runs:
            run = runs[0]
            if isinstance(run, ProtocolError) or not (answered := self._answer_cleared(self, *run)):
                self._wait(requests_in(runs))
                self.process()
                return False
            name, requests = run
            if answered < len(requests):
                runs[0] = name, requests[answered:]
                continue
            del runs[0]
            count += answered
            if count == most:
                runs, count = decoder.take(b"", self._limits, most), 0
        return self.cleared is cleared  # else a handler ended the session, or changed who it is

    def end_input(self) -> None:
        """The peer will send no more. What it asked for is still answered, but for a program's running command.

        People pipe lines in and wait for the answers (`printf … | ncat --ssl`); a program that ends its side has gone,
        and nothing should run on for nobody.
        """
        self._input_ended = self._ending = True
        if self.busy and not self.text:
            self.close(CloseReason.PEER_CLOSED)
        self.process()

    def process(self) -> None:
        """Dispatch what has come, until something must be waited for: more bytes, a handler, or the peer's reading."""
        if self._processing:  # a reply given inside dispatch: the loop below goes on by itself
            return
        self._processing = True
        high_water = self.high_water
        try:
            while self._running is None and len(self.output) < high_water:
                if self._closing_after is not None:
                    self.close(self._closing_after)
                if self.state is State.CLOSING:
                    break
                if not self._pending and not self._decode():
                    break
                assert self._pending  # noqa: S101 - narrows the type: it was not empty, or was filled just now
                request = self._pending.popleft()
                if isinstance(request, bytes):
                    self.reply(request)
                else:
                    self._dispatch(self, request)
            if self._running is not None and not self.closing:
                self._pump()
                self._decode_ahead()
        finally:
            self._processing = False
        self._pending = self._pending or None
        self.held = len(self.output) >= high_water
        if self._input_ended and not self.busy and not self.closing and len(self.output) < high_water:
            self.close(CloseReason.PEER_CLOSED)  # all it asked for is answered

    def _decode(self) -> bool:
        """Decode what has come; whether there is something to do."""
        if self._decoder is None:
            return False
        if (most := self._room - self._waiting) > 0:
            self._wait(self._decoder.decode(self._limits, most))
        return bool(self._pending)

    @property
    def _waiting(self) -> int:
        """Requests decoded and not dispatched."""
        return 0 if self._pending is None else len(self._pending)

    def _wait(self, requests: Sequence[Request | ProtocolError]) -> None:
        if requests:
            if self._pending is None:
                self._pending = deque()
            self._pending.extend(requests)

    def _decode_ahead(self) -> None:
        """Decode what came while a handler runs, and let what must not wait act now; its reply keeps its turn."""
        self._decode()
        pending = self._pending
        if self._on_arrival is None or pending is None:
            return
        first, self._examined = self._examined, len(pending)
        for index in range(first, len(pending)):
            request = pending[index]
            if isinstance(request, list) and (reply := self._on_arrival(self, request)) is not None:
                pending[index] = reply

    def _pump(self) -> None:
        """Take what the running handler has produced, if the peer has room for it."""
        if self._running is not None and len(self.output) < self.high_water:
            self._add_part(self._running.take())

    def begin(self, timeout: float | None = None) -> Call:
        """A handler is about to run elsewhere: later requests wait until `finish`.

        Args:
            timeout: seconds after which it is told to stop and the peer is answered `TIMEOUT`.
        """
        self._examined = 0  # also what came in the same read may be urgent
        self._running = call = Call(lambda: self.call_soon(self.process))
        if timeout is not None and self._carrier is not None:
            self._deadline = self._carrier.call_later(timeout, self._time_out)
        return call

    def cancel(self, code: ErrorCode = ErrorCode.CANCELLED) -> bool:
        """Have the running command stop; whether there was one.

        It has a moment to end by itself. Then the peer is answered, and what it still does goes unheard.
        """
        call = self._running
        if call is None:
            return False
        if not call.cancelled.is_set():
            call.cancel(code)
            if self._deadline is not None:
                self._deadline.cancel()
            if self._carrier is not None:
                self._deadline = self._carrier.call_later(GRACE_SECONDS, lambda: self._abandon(call))
        return True

    def _time_out(self) -> None:
        self.cancel(ErrorCode.TIMEOUT)

    def _abandon(self, call: Call) -> None:
        assert call.ended_by is not None  # noqa: S101 - it was cancelled
        self.finish(call, self.ended_reply(call), self.activity.last_active)

    def ended_reply(self, call: Call) -> bytes:
        """Return the encoded reply of a command that was told to stop."""
        return self.end_stream(call, self.encode(self.failure(ended(call.ended_by or ErrorCode.CANCELLED))))

    def end_stream(self, call: Call, error: bytes) -> bytes:
        """Return an error as the end of what was streamed: in text the reply of several lines still ends with `.`."""
        return error + text_replies.END if call.streamed and self.text else error

    def finish(self, call: Call, reply: bytes, now: float) -> None:
        """A handler is done: send its encoded reply, and go on with what waited."""
        if call is not self._running:  # it was answered without it
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._add_part(call.take())
        self._running = None
        self.activity.last_active = now  # a long command is no idleness
        if not self.closing:
            self.reply(reply)
            notices, self._notices = self._notices, None
            for push in notices or ():
                self._tell(push)
            self.process()

    def waits_for(self, call: Call) -> bool:
        """Whether the peer still waits for what that call answers."""
        return call is self._running and not self.closing

    def end(self) -> None:
        """The connection is over: nobody waits for the running command any more."""
        if self._running is not None:
            self._running.cancel(ErrorCode.CLOSED)
        if self._deadline is not None:
            self._deadline.cancel()

    def notify(self, push: Push) -> None:
        """Send a message unasked. RESP2 and text peers, who cannot tell it from a reply, get it if they asked to."""
        if not self.takes_messages:
            return
        if len(self.output) >= self.high_water:
            return  # a peer that does not read its replies gets no more to read
        if self.text and self._running is not None:
            if self._notices is None:
                self._notices = deque(maxlen=NOTICES)
            self._notices.append(push)  # not between the lines of a reply
        else:
            self._tell(push)

    def _notify_posted(self) -> None:
        with _posting:
            posted, self._posted = self._posted, None
        for push in posted or ():
            self.notify(push)

    @property
    def takes_pushes(self) -> bool:
        """Whether the peer can tell a push from a reply: RESP3."""
        return self.resp >= 3 and not self.text

    def _tell(self, push: Push) -> None:
        if self.takes_pushes or self.text:
            self.answer(push)
        else:
            self.answer([push.kind, *push.items])

    def encode_part(self, value: object) -> bytes:
        """Return one value of a streamed reply, as a push or as lines; see docs/protocol.md.

        Raises:
            TypeError: a handler produced something that is no reply.
        """
        return text_replies.part(value) if self.text else resp_replies.encode(Push("stream", (value,)), self.resp)

    def encode(self, value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
        """Return one reply in the peer's codec. Also from the worker that runs this session's request.

        Raises:
            TypeError: a handler returned something that is no reply.
        """
        if isinstance(self._decoder, TextRequestDecoder):
            return text_replies.encode(value, kind, form)
        return resp_replies.encode(value, self.resp)

    def reply(self, encoded: bytes) -> None:
        """Add the reply to a request to the output, unless the peer wants none."""
        if self.unwanted:
            self.unwanted -= 1
        else:
            self.output += encoded

    def _add_part(self, streamed: bytes) -> None:
        """Add what comes before a reply, unless the peer does not want the reply either."""
        if not self.unwanted:
            self.output += streamed

    def answer(self, value: object) -> None:
        """Add a one-line reply of the session's own to the output."""
        self.output += self.encode(value)

    def failure(self, failure: Failure) -> ErrorReply:
        """Return a failure as this peer sees it: without the secret of a token that it put in a wrong place."""
        return ErrorReply(failure.code, redact(failure.sentence(self.translate)))

    def speak(self, language: str) -> None:
        """Answer in `language` from here on."""
        self.language = language
        self.translate = translator(language)

    def authenticate(self, principal: Principal) -> None:
        """The peer proved to be `principal`."""
        self.state = TRANSITIONS[self.state, Event.AUTHENTICATED]
        self.principal = principal
        self.strange = 0
        self.cleared = NOTHING
        self._bound(authenticated=True)

    def _bound(self, *, authenticated: bool) -> None:
        """Choose how much the peer may ask for: how long a request may be, and how many are decoded ahead.

        Before AUTH one: what follows it is judged by the limits it earns.
        """
        requests = self._config.requests
        self._limits = requests.authenticated if authenticated else requests.unauthenticated
        self._most_pending = self._config.limits.pending_requests if authenticated else 1

    def prove(self, principal: Principal) -> None:
        """The transport proved the peer to be `principal`: it is whenever it says nothing else."""
        self.authenticate(principal)
        self.proved = principal

    def reset(self, now: float) -> None:
        """Forget what the peer set, and who it is unless the transport proves that: Redis' `RESET`."""
        self.resp = 2
        self.client_name = ""
        self.notifications = False
        self.unwanted = 0
        self.exchange = None
        self.cleared = NOTHING
        self.speak(self._first_language)
        if self.proved is not None:
            self.principal = self.proved
        else:
            if self.state is State.AUTHENTICATED:  # a stranger may not stretch its own deadline
                self.established = now
            self.state = TRANSITIONS[self.state, Event.RESET]
            self.principal = None
            self._bound(authenticated=False)

    def close(self, reason: CloseReason, detail: str = "") -> None:
        """Say why, and read no more. The first reason stays.

        Args:
            reason: why.
            detail: said instead of the reason's own sentence, such as an administrator's words.
        """
        if self.close_reason is not None:
            return
        self.close_reason = reason
        self._ending = True
        self.state = TRANSITIONS[self.state, Event.CLOSED]
        self.cleared = NOTHING
        self._pending = None
        said = closed(reason, detail, self.translate, push=self.takes_pushes)
        if said is not None:
            self.answer(said)

    def close_later(self, reason: CloseReason) -> None:
        """Close as soon as no request is running: after the reply to the present one, where there is one."""
        self._closing_after = reason
        self._ending = True
        self.cleared = NOTHING
        self.process()


def _leave_all(_session: Session, _name: bytes, _requests: Sequence[Arguments]) -> int:
    return 0

"""One peer's protocol state, sans I/O: bytes in, bytes out, no socket and no clock of its own.

So one session serves TLS, the admin Unix socket, and a test that calls `receive` and reads `output`. All of it runs
on the thread that owns the connection, but for the methods under "any thread".
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from secure_protocol import resp_replies, text_replies
from secure_protocol.errors import ErrorCode, Failure, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply, Push, ReplyKind, Status
from secure_protocol.resp_requests import RespRequestDecoder
from secure_protocol.text_requests import Request, TextRequestDecoder
from secure_server.auth.principal import Principal, Role
from secure_server.config import Config
from secure_server.i18n import N_, Translate, translator
from secure_server.session_state import TRANSITIONS, Event, State

CLOSE_SENTENCES = {
    CloseReason.IDLE: N_("Closed after too long without a command."),
    CloseReason.AUTH_TIMEOUT: N_("Authentication took too long."),
    CloseReason.KICKED: N_("Closed by an administrator."),
    CloseReason.REVOKED: N_("The token was revoked."),
    CloseReason.EXPIRED: N_("The token expired."),
    CloseReason.SLOW_CONSUMER: N_("Replies were not read in time."),
    CloseReason.TOO_MANY: N_("Too many clients."),
    CloseReason.DRAINING: N_("The server is shutting down."),
    CloseReason.INTERNAL_ERROR: N_("An internal error closed the connection."),
}
"""What a peer is told, in its language. Reasons that are not here need no telling: the reply before said it all."""

RETRY_AFTER = {CloseReason.TOO_MANY: 5, CloseReason.DRAINING: 1}
"""Seconds after which trying again makes sense."""

LABEL_CHARACTERS = 64
"""The longest name a client may give itself or its library."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end as the transport knows it.

    Attributes:
        address: `127.0.0.1:40312`, `[::1]:40312`, or `unix`.
        local: our end of it.
        tls: `TLSv1.3`, or empty where there is no TLS.
        cipher: the cipher suite's name, or empty.
    """

    address: str
    local: str = ""
    tls: str = ""
    cipher: str = ""


class Dispatch(Protocol):
    """Runs a request and answers it, now or later; see `secure_server.dispatcher`."""

    def __call__(self, session: Session, request: Request | ProtocolError) -> None:
        """Take a request of this session, or what came instead of one."""


@dataclass(slots=True)
class Activity:
    """What a session did so far, for lists. Written by the owning thread, read by any.

    Attributes:
        connected: Unix seconds.
        last_active: monotonic seconds.
        commands: dispatched, refused ones included.
        received, sent: protocol bytes, without TLS.
        last_command: the name of the last one, upper case.
    """

    connected: float
    last_active: float
    commands: int = 0
    received: int = 0
    sent: int = 0
    last_command: str = ""


class Session:
    """One peer's protocol state.

    Args:
        number: unique in this server's life; `CLIENT ID`.
        peer: the other end.
        config: for limits.
        dispatch: runs requests.
        language: to begin with.
        now: monotonic seconds.
        principal: where the transport already proved who it is (the admin socket).

    Attributes:
        output: bytes to send; the connection takes from its front.
        attempts: refused tokens so far.
        close_reason: set when the session is closing.
        resp: 2 or 3.
    """

    __slots__ = (
        "_busy",
        "_call_soon",
        "_closing_after",
        "_config",
        "_decoder",
        "_dispatch",
        "_first_language",
        "_flush",
        "_input_ended",
        "_pending",
        "_processing",
        "activity",
        "attempts",
        "client_name",
        "close_reason",
        "ended",
        "established",
        "language",
        "library",
        "local",
        "number",
        "output",
        "peer",
        "principal",
        "resp",
        "state",
        "translate",
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
    ) -> None:
        self.number = number
        self.peer = peer
        self.principal = principal
        self.local = principal is not None
        self.state = State.UNAUTHENTICATED if principal is None else State.AUTHENTICATED
        self.output = bytearray()
        self.close_reason: CloseReason | None = None
        self.ended = False
        self.attempts = 0
        self.resp = 2
        self.client_name = ""
        self.library = ("", "")
        self.established = now
        self.activity = Activity(connected=time.time(), last_active=now)
        self._first_language = language
        self.language = language
        self.translate: Translate = translator(language)
        self._config = config
        self._dispatch = dispatch
        self._decoder: TextRequestDecoder | RespRequestDecoder | None = None
        self._pending: deque[Request | ProtocolError] = deque()
        self._busy = False
        self._processing = False
        self._input_ended = False
        self._closing_after: CloseReason | None = None
        self._call_soon: Callable[[Callable[[], None]], None] | None = None
        self._flush: Callable[[], None] | None = None

    # Any thread

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the owning thread, and send what it answered."""
        assert self._call_soon is not None and self._flush is not None  # noqa: S101, PT018 - attached before use
        flush = self._flush

        def run() -> None:
            callback()
            flush()

        self._call_soon(run)

    @property
    def role(self) -> Role:
        """What the peer may act as now."""
        principal = self.principal  # read once: the owning thread may change it meanwhile
        return Role.NOBODY if principal is None else principal.role

    @property
    def closing(self) -> bool:
        """Whether nothing more is read."""
        return self.state is State.CLOSING

    # Owning thread only

    def attach(self, call_soon: Callable[[Callable[[], None]], None], flush: Callable[[], None]) -> None:
        """Join the session to the connection that carries it."""
        self._call_soon = call_soon
        self._flush = flush

    @property
    def text(self) -> bool:
        """Whether the peer is a person typing lines."""
        return isinstance(self._decoder, TextRequestDecoder)

    @property
    def busy(self) -> bool:
        """Whether a handler is running; later requests wait."""
        return self._busy

    @property
    def wants_input(self) -> bool:
        """Whether more bytes may be received; what the peer sends meanwhile waits in its own kernel."""
        return (
            self.state is not State.CLOSING
            and not self._input_ended
            and len(self._pending) < self._room
            and len(self.output) < self._config.limits.output_high_water
        )

    @property
    def _room(self) -> int:
        """Requests that may be decoded ahead. Before AUTH one: what follows it is judged by the limits it earns."""
        return 1 if self.state is State.UNAUTHENTICATED else self._config.limits.pending_requests

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the peer and answer what is complete."""
        self.activity.received += len(data)
        self.activity.last_active = now
        if self._decoder is None:
            self._decoder = RespRequestDecoder() if data[:1] == b"*" else TextRequestDecoder()
        self._decoder.feed(data)
        self.process()

    def end_input(self) -> None:
        """The peer will send no more; what it asked for is still answered."""
        self._input_ended = True
        self.process()

    def process(self) -> None:
        """Dispatch what has come, until something must be waited for: more bytes, a handler, or the peer's reading."""
        if self._processing:  # a reply given inside dispatch: the loop below goes on by itself
            return
        self._processing = True
        high_water = self._config.limits.output_high_water
        try:
            while not self._busy and len(self.output) < high_water:
                if self._closing_after is not None:
                    self.close(self._closing_after)
                if self.state is State.CLOSING:
                    break
                if not self._pending and not self._decode():
                    break
                self._dispatch(self, self._pending.popleft())
            if self._busy and not self.closing:
                self._decode()
        finally:
            self._processing = False
        if self._input_ended and not self._busy and not self.closing and len(self.output) < high_water:
            self.close(CloseReason.PEER_CLOSED)  # all it asked for is answered

    def _decode(self) -> bool:
        """Decode what has come; whether there is something to do."""
        limits = self._config.requests
        if self._decoder is None:
            return False
        bounds = limits.unauthenticated if self.state is State.UNAUTHENTICATED else limits.authenticated
        if (most := self._room - len(self._pending)) > 0:
            self._pending.extend(self._decoder.decode(bounds, most))
        return bool(self._pending)

    def begin(self) -> None:
        """A handler runs elsewhere: later requests wait until `finish`."""
        self._busy = True

    def finish(self, reply: bytes, now: float) -> None:
        """The handler is done: send its encoded reply, and go on with what waited."""
        self._busy = False
        self.activity.last_active = now  # a long command is no idleness
        if not self.closing:
            self.output += reply
            self.process()

    def encode(self, value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
        """Return one reply in the peer's codec. Also from the worker that runs this session's request.

        Raises:
            TypeError: a handler returned something that is no reply.
        """
        if isinstance(self._decoder, TextRequestDecoder):
            return text_replies.encode(value, kind, form)
        return resp_replies.encode(value, self.resp)

    def answer(self, value: object) -> None:
        """Add a one-line reply of the session's own to the output."""
        self.output += self.encode(value)

    def failure(self, failure: Failure) -> ErrorReply:
        """Return a failure as this peer sees it."""
        return ErrorReply(failure.code, failure.sentence(self.translate))

    def speak(self, language: str) -> None:
        """Answer in `language` from here on."""
        self.language = language
        self.translate = translator(language)

    def authenticate(self, principal: Principal) -> None:
        """The peer proved to be `principal`."""
        self.state = TRANSITIONS[self.state, Event.AUTHENTICATED]
        self.principal = principal

    def reset(self, now: float) -> None:
        """Forget what the peer set, and who it is unless the transport proves that: Redis' `RESET`."""
        self.resp = 2
        self.client_name = ""
        self.speak(self._first_language)
        if not self.local:
            if self.state is State.AUTHENTICATED:  # a stranger may not stretch its own deadline
                self.established = now
            self.state = TRANSITIONS[self.state, Event.RESET]
            self.principal = None

    def close(self, reason: CloseReason, detail: str = "") -> None:
        """Say why, and read no more. The first reason stays.

        Args:
            reason: why.
            detail: said instead of the reason's own sentence, such as an administrator's words.
        """
        if self.close_reason is not None:
            return
        self.close_reason = reason
        self.state = TRANSITIONS[self.state, Event.CLOSED]
        self._pending.clear()
        sentence = CLOSE_SENTENCES.get(reason)
        if sentence is not None:
            self._announce(reason, RETRY_AFTER.get(reason, -1), detail or self.translate(sentence))

    def close_later(self, reason: CloseReason) -> None:
        """Close as soon as no request is running: after the reply to the present one, where there is one."""
        self._closing_after = reason
        self.process()

    def _announce(self, reason: CloseReason, retry_after: int, sentence: str) -> None:
        if not self.text and self.resp >= 3:
            self.answer(Push("closed", (Status(reason), retry_after, sentence)))
            return
        retry = f" retry-after={retry_after}" if retry_after >= 0 else ""
        self.answer(ErrorReply(ErrorCode.CLOSED, f"reason={reason}{retry} {sentence}"))

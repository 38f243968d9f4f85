"""One connection: authentication, then requests and replies. It does not reconnect.

Only the thread that opened it may use it; see `secure_client.connection.transport`.
"""

from __future__ import annotations

import selectors
import ssl
import time
from collections.abc import Callable, Sequence

from secure_client.connection import tls
from secure_client.connection.closing import PUSH, Closing, retry_after
from secure_client.connection.login import Login, Mechanism, Session
from secure_client.connection.parts import weight
from secure_client.connection.transport import Transport, Wait, open_transport, reason
from secure_client.errors import (
    SENTENCE_CHARACTERS,
    AuthenticationError,
    ClientError,
    ConnectError,
    ConnectionLostError,
    TokenWantedError,
)
from secure_client.i18n import _
from secure_protocol.errors import ErrorCode, ProtocolError
from secure_protocol.printable import printable
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_protocol.scram import MECHANISM
from secure_protocol.token import Token

MOST_EARLY = 64
"""Pushes taken before the login is over; what answers may not have proved yet who it is. Their news can be few."""
EARLY_BYTES = 1024 * 1024
"""Of all of them, about."""
READS_AT_ONCE = 16
"""So that a flood of replies lets the driver look at its other duties every MiB."""


class Connection:
    """One connection, driven by one thread.

    Args:
        login: where and as whom.
        transport: connected, and its server verified.
        wait: waits for the socket.

    Attributes:
        transport: its socket is to be waited for.
        queued_bytes: of all requests so far.
        ended: the end has been read, behind what the last `receive` returned; the socket may never be readable again,
            for a peer that waits for our close_notify sends nothing more.
    """

    def __init__(self, login: Login, transport: Transport, wait: Wait) -> None:
        self._login = login
        self._endpoint = login.endpoint
        self.transport = transport
        self._wait = wait
        self._decoder = ReplyDecoder()
        self._outgoing = bytearray()
        self._early: list[Push] = []  # pushes that came between the replies to HELLO and LANG
        self.queued_bytes = 0
        self.ended = False

    # -- authentication ---------------------------------------------------------------------------------------------

    def authenticate(self, deadline: float) -> Session:
        """Say who we are, and have the server prove who it is, before `deadline`.

        Raises:
            AuthenticationError: the token was refused, or a client certificate is wanted, or ours is not taken.
            CertificateError: the server cannot prove itself.
            ConnectError: what answers is no such server, or it takes nobody now.
            EndedByServerError: it closed on purpose.
        """
        hello = ["HELLO", "3"]
        if self._login.token is not None:
            if self._login.mechanism is Mechanism.BEARER:
                hello += ["AUTH", "default", self._login.token.reveal()]
            else:
                self._shake_hands(self._login.token, deadline)
        reply = self._ask([*hello, "SETNAME", self._login.name], deadline)
        if isinstance(reply, ErrorReply):
            raise self._refusal(reply)
        if self._login.language is not None:
            self._ask(["LANG", self._login.language], deadline)  # an unknown language leaves the server's own
        return Session.from_wire(reply)

    def _shake_hands(self, token: Token, deadline: float) -> None:
        # Imported here: it takes its time, and the admin socket needs none.
        from secure_client.connection.handshake import Handshake  # noqa: PLC0415

        handshake = Handshake(token, self.transport.socket, self._endpoint)
        first = self._ask(["AUTH", MECHANISM, handshake.first()], deadline)
        if isinstance(first, ErrorReply):
            raise handshake.not_known(first) or self._refusal(first)
        final = self._ask(["AUTH", MECHANISM, handshake.final(first)], deadline)
        if isinstance(final, ErrorReply):
            raise handshake.relayed(final) or self._refusal(final)
        handshake.verify(final)

    def ask(self, arguments: Sequence[str], deadline: float) -> object:
        """Send one request that needs no authentication and return its reply, an `ErrorReply` too.

        Raises:
            ConnectError: no answer came, or none in time.
            EndedByServerError: the server closed on purpose.
        """
        return self._ask(arguments, deadline)

    def _ask(self, arguments: Sequence[str], deadline: float) -> object:
        """Send one request and return its reply; for the time before the driver takes over."""
        self.queue(encode_request([argument.encode() for argument in arguments]))
        while True:
            try:
                items = self._exchange(deadline)
            except TimeoutError:
                sentence = _("{endpoint} did not answer in time. Check that it is the right port.")
                raise ConnectError(sentence.format(endpoint=self._endpoint)) from None
            except ConnectionLostError as error:
                raise self._unanswered(error) from None
            replies = [item for item in items if not isinstance(item, Push)]
            self._early = self._kept([self._not_closed(item) for item in items if isinstance(item, Push)])
            if replies:
                return replies[0]

    def _exchange(self, deadline: float) -> list[object]:
        """Send what is left to send, and return what came."""
        try:
            self.flush()
        except ConnectionLostError:
            if items := self.receive():  # what the server said before it closed tells more than our failure to send
                return items
            raise
        if not self.ended:
            self._wait(self.transport.socket, self.events, deadline)
        return self.receive()

    def _unanswered(self, error: ConnectionLostError) -> ClientError:
        cause = error.__cause__
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            # In TLS 1.3 the client's handshake ends before the server has looked at the client's certificate, so a
            # refusal shows at the first read (RFC 8446 section 4.4.2.4).
            return tls.explain(cause, self._endpoint, self._login.trust)
        sentence = _(
            "{endpoint} closed the connection before it answered. Check the address and port, and whether it wants a "
            "client certificate (--cert, --key)."
        )
        return ConnectError(sentence.format(endpoint=self._endpoint))

    def _not_closed(self, push: Push) -> Push:
        if push.kind == PUSH:
            raise Closing.from_push(push).error(self._endpoint)
        return push

    def _kept(self, early: list[Push]) -> list[Push]:
        """Return what came before the login was over, if it is not too much."""
        if len(early) > MOST_EARLY or sum(weight(push.items) for push in early) > EARLY_BYTES:
            sentence = _("{endpoint} sent a reply that nothing had asked for.")
            raise ConnectError(sentence.format(endpoint=self._endpoint))
        return early

    def _refusal(self, reply: ErrorReply) -> ClientError:
        if reply.code == ErrorCode.CLOSED:
            return Closing.from_error(reply).error(self._endpoint)
        if reply.code in (ErrorCode.WRONGPASS, ErrorCode.NOPERM):
            sentence = _(
                "The token was refused by {endpoint} ({code}). Check that it is one of this server's and "
                "was not revoked, or ask the administrator for a new one."
            )
            return AuthenticationError(sentence.format(endpoint=self._endpoint, code=reply.code))
        if reply.code == ErrorCode.NOMECHANISM:
            sentence = _("{endpoint} takes a token by the mutual handshake alone: leave out --mechanism bearer.")
            return AuthenticationError(sentence.format(endpoint=self._endpoint))
        if reply.code == ErrorCode.NOAUTH:
            if self._login.trust.certificate is not None and self._login.token is None:
                sentence = _(
                    "{endpoint} takes your client certificate, and wants a token besides: set SECURE_CLIENT_TOKEN or "
                    "give --token-file."
                )
            else:
                sentence = _("{endpoint} wants a token: set SECURE_CLIENT_TOKEN or give --token-file.")
            return TokenWantedError(sentence.format(endpoint=self._endpoint))
        if reply.code in (ErrorCode.THROTTLED, ErrorCode.DRAINING):
            return self._throttled(reply)
        said = f"{printable(reply.code)} {printable(reply.text, SENTENCE_CHARACTERS)}"
        sentence = _("{endpoint} does not speak this client's protocol, it answered: {said}")
        return ConnectError(sentence.format(endpoint=self._endpoint, said=said))

    def _throttled(self, reply: ErrorReply) -> ConnectError:
        wait = retry_after(reply.text)
        when = _("later") if wait is None else _("in {seconds} s").format(seconds=round(wait))
        said = printable(reply.text, SENTENCE_CHARACTERS).partition("; retry-after=")[0]
        sentence = _("{endpoint} does not let you in now ({code}: {said}). Try again {when}.")
        return ConnectError(sentence.format(endpoint=self._endpoint, code=reply.code, said=said, when=when), wait)

    # -- requests and replies -----------------------------------------------------------------------------------------

    @property
    def events(self) -> int:
        """What to wait for: always to read, and to write while bytes are left."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)

    @property
    def sent_bytes(self) -> int:
        """How much of `queued_bytes` was given to the network."""
        return self.queued_bytes - len(self._outgoing)

    def queue(self, payload: bytes) -> int:
        """Take a request to be sent; return the position in the stream after its last byte."""
        self._outgoing += payload
        self.queued_bytes += len(payload)
        return self.queued_bytes

    def flush(self) -> None:
        """Send what the network takes now.

        Raises:
            ConnectionLostError: the connection broke.
        """
        try:
            while self._outgoing and (sent := self.transport.send(self._outgoing)):
                del self._outgoing[:sent]
        except OSError as error:
            raise self._lost(error) from error

    def receive(self) -> list[object]:
        """Return the replies and pushes that have come, in order; none when nothing is there to read.

        Raises:
            ConnectionLostError: the connection ended, or what came is no reply.
        """
        found: list[object] = [*self._early]
        self._early = []
        for _read in range(READS_AT_ONCE):
            try:
                data = self.transport.receive()
                if data is None:
                    break
                if not data:
                    raise self._lost(None)
                self._decoder.feed(data)
                found += self._decoder.decode()
            except ProtocolError as error:
                sentence = _("{endpoint} sent what is no reply: {why}")
                raise ConnectionLostError(sentence.format(endpoint=self._endpoint, why=error.sentence(_))) from error
            except (OSError, ConnectionLostError) as error:
                if found:
                    self.ended = True
                    break  # these first; the next read meets the end again
                raise (self._lost(error) if isinstance(error, OSError) else error) from error
        return found

    def close(self, clock: Callable[[], float] = time.monotonic) -> None:
        """End in order, so that the peer sees no reset."""
        self.transport.close(clock)

    def abort(self) -> None:
        """End at once."""
        self.transport.abort()

    def _lost(self, error: OSError | None) -> ConnectionLostError:
        why = "" if error is None or isinstance(error, ssl.SSLEOFError) else f" ({reason(error)})"
        sentence = _("The connection to {endpoint} was lost{why}.")
        return ConnectionLostError(sentence.format(endpoint=self._endpoint, why=why))


def connect(
    login: Login, wait: Wait, deadline: float, clock: Callable[[], float] = time.monotonic
) -> tuple[Connection, Session]:
    """Connect, check the certificate and authenticate, all before `deadline` on the clock.

    Args:
        login: where and as whom.
        wait: waits for a socket; see `secure_client.connection.transport`.
        deadline: monotonic seconds.
        clock: monotonic seconds.

    Raises:
        ClientError: see `open_transport` and `Connection.authenticate`.
    """
    transport = open_transport(login.endpoint, login.trust, wait, deadline, clock)
    connection = Connection(login, transport, wait)
    try:
        return connection, connection.authenticate(deadline)
    except ClientError:
        connection.close(clock)
        raise
    except BaseException:
        connection.abort()
        raise

"""The library's face: a client that any thread may use.

with Client("localhost:5000", token=token, ca="certs/ca.pem") as client:
    client.execute("ECHO", "hello")        # "hello"
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import TracebackType
from typing import Self

from secure_client.catalogue import Catalogue
from secure_client.endpoint import Endpoint
from secure_client.errors import AuthenticationError, ClientError, ConnectionLostError, NoAnswerError
from secure_client.link import CONNECT_TIMEOUT, Link, State, Status
from secure_client.login import Login
from secure_client.request import Request
from secure_client.tls import Trust
from secure_protocol.replies import Push
from secure_protocol.token import Token, TokenFormatError

ANSWER_TIMEOUT = 60.0
"""Seconds for a command unless the caller says otherwise; longer than the server's own usual limit for one."""


class Client:
    """A connection that mends itself.

    Args:
        endpoint: `"host:port"` or an `Endpoint`.
        token: as given out by the server; None on a Unix socket.
        ca: PEM file of the CAs to believe; None for the operating system's.
        certificate: the client's own, where the server asks for one.
        key: its key.
        name: shown in the server's list of clients.
        language: of the server's sentences, such as `pt_BR`.
        reconnect: replace a connection that broke.
        connect_timeout: seconds for each try.

    Attributes:
        on_push: called with each push, on the link's thread; must not block.
        on_state: called after each change of state, likewise.

    Raises:
        SetupError: the endpoint is none.
        AuthenticationError: the token cannot be one.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        token: Token | str | None = None,
        ca: Path | str | None = None,
        certificate: Path | str | None = None,
        key: Path | str | None = None,
        name: str = "secure-client",
        language: str | None = None,
        reconnect: bool = True,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.login = Login(
            endpoint=Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint,
            trust=Trust(_path(ca), _path(certificate), _path(key)),
            token=parse_token(token) if isinstance(token, str) else token,
            name=name,
            language=language,
        )
        self.on_push: Callable[[Push], None] | None = None
        self.on_state: Callable[[Status], None] | None = None
        self._connect_timeout = connect_timeout
        self._link = Link(
            self.login,
            on_push=lambda push: self.on_push and self.on_push(push),
            on_status=lambda status: self.on_state and self.on_state(status),
            reconnect=reconnect,
            connect_timeout=connect_timeout,
        )
        self._catalogue = Catalogue()
        self._catalogue_of: object = None  # the session that told it: another may have another role

    @classmethod
    def of(cls, login: Login, *, reconnect: bool = True, connect_timeout: float = CONNECT_TIMEOUT) -> Self:
        """Return a client for a login that is put together already."""
        return cls(
            login.endpoint,
            token=login.token,
            ca=login.trust.ca,
            certificate=login.trust.certificate,
            key=login.trust.key,
            name=login.name,
            language=login.language,
            reconnect=reconnect,
            connect_timeout=connect_timeout,
        )

    @property
    def status(self) -> Status:
        """What the connection is doing now."""
        return self._link.status

    @property
    def catalogue(self) -> Catalogue:
        """The commands as last told; empty before `commands` was called."""
        return self._catalogue

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Connect for the first time, once.

        A server that tells newcomers when to come again is waited for, if that is within the timeout.

        Raises:
            ClientError: it did not work; the client is closed then.
        """
        self._link.start()
        deadline = time.monotonic() + self._connect_timeout

        def settled(status: Status) -> bool:
            if status.state is State.WAITING:
                told_when = status.error is not None and status.error.retry_after is not None
                return not (told_when and status.until < deadline)
            return status.state is not State.CONNECTING

        try:
            status = self._link.wait_for(settled, self._connect_timeout + 1.0)  # the link's own deadline comes first
        except BaseException:
            self.close()
            raise
        if status.state is not State.CONNECTED:
            self.close()
            raise status.error or NoAnswerError(f"{self.login.endpoint} did not answer in time.")

    def reconnect(self) -> None:
        """Try again now, also after the client gave up; while connected, nothing."""
        self._link.reconnect()

    def close(self) -> None:
        """End the connection; what is outstanding fails. Any number of times."""
        self._link.stop()

    def execute(
        self, *arguments: str | bytes | int, timeout: float = ANSWER_TIMEOUT, idempotent: bool | None = None
    ) -> object:
        """Run a command and return its answer as a Python value.

        While the connection is being replaced, the command waits for the next one.

        Args:
            *arguments: the command's name and its arguments.
            timeout: seconds for all of it.
            idempotent: may be sent again if the connection breaks before the answer came; None takes what the server
                said of the command, and no where it said nothing.

        Raises:
            CommandFailed: the server answered with an error.
            ConnectionLostError: no answer came; `sent` says whether the command may have run.
            NoAnswerError: no answer came in time.
            ClientError: the client has stopped; this says why.
        """
        return self.result(self.submit(arguments, idempotent=idempotent), timeout)

    def submit(self, arguments: Sequence[str | bytes | int], *, idempotent: bool | None = None) -> Request:
        """Like `execute`, but return a future at once."""
        words = [argument if isinstance(argument, bytes) else str(argument).encode("utf-8", "surrogateescape")
                 for argument in arguments]  # fmt: skip
        if idempotent is None:
            known = self._catalogue.find([word.decode("utf-8", "replace") for word in words[:2]])
            idempotent = known is not None and known.idempotent
        return self._link.submit(words, idempotent=idempotent)

    def result(self, request: Request, timeout: float = ANSWER_TIMEOUT) -> object:
        """Wait for what `submit` returned; raises as `execute` does. After the timeout nobody waits for it any more."""
        try:
            return request.result(timeout)
        except CancelledError:
            raise ConnectionLostError("The command was given up before it was sent.") from None
        except TimeoutError:
            raise self._too_late(request, timeout) from None

    def commands(self, timeout: float = ANSWER_TIMEOUT) -> Catalogue:
        """Return the commands that this session may run, asking the server once per session.

        Raises:
            ClientError: as `execute`.
        """
        session = self.status.session
        if session is None or session is not self._catalogue_of:
            self.result(self.learn_commands(), timeout)
        return self._catalogue

    def learn_commands(self) -> Request:
        """Ask for the commands and return at once; `catalogue` is new when the future is done."""
        session = self.status.session
        request = self._link.submit([b"COMMANDS"], idempotent=True)

        def remember(done: Future[object]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._catalogue = Catalogue.from_wire(done.result())
                self._catalogue_of = session

        request.add_done_callback(remember)
        return request

    def _too_late(self, request: Request, timeout: float) -> ClientError:
        unsent = request.abandon()
        status = self.status
        if unsent:
            why = f" {status.error}" if status.error is not None else ""
            return ConnectionLostError(
                f"Not connected to {self.login.endpoint} within {timeout:.0f} s; the command was not sent.{why}"
            )
        return NoAnswerError(f"{self.login.endpoint} gave no answer within {timeout:.0f} s; the command may still run.")


def parse_token(text: str) -> Token:
    """Read a token, so that a typo or a cut paste is told before anything is sent.

    Raises:
        AuthenticationError: it cannot be one; the message never repeats it.
    """
    try:
        return Token.parse(text)
    except TokenFormatError as error:
        raise AuthenticationError(f"This is no token: {error}. Nothing was sent to the server.") from None


def _path(path: Path | str | None) -> Path | None:
    return Path(path) if path is not None else None

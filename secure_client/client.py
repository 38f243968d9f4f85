"""The library's face: a client that any thread may use.

with Client("localhost:5000", token=token, ca="certs/ca.pem") as client:
    client.execute("ECHO", "hello")        # "hello"
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import TracebackType
from typing import Self

from secure_client.catalogue import Catalogue
from secure_client.connection.request import NoSignError, OnPart, OnProgress, Request
from secure_client.connection.thread import LinkThread
from secure_client.core.call import Call
from secure_client.core.endpoint import Endpoint
from secure_client.core.link import CONNECT_TIMEOUT
from secure_client.core.login import Login, Mechanism
from secure_client.core.status import Status
from secure_client.core.trust import Trust
from secure_client.core.watch import Watch
from secure_client.errors import AuthenticationError, ClientError, ConnectionLostError, NoAnswerError
from secure_client.i18n import _
from secure_client.job import Job
from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.replies import Push
from secure_protocol.token import Token, TokenFormatError

ANSWER_TIMEOUT = 60.0
"""Seconds without a sign of a command, unless the caller says otherwise; the server's own usual limit for one."""


class Client:
    """A connection that mends itself.

    Args:
        endpoint: `"host:port"` or an `Endpoint`.
        token: as given out by the server; None on a Unix socket, and where a certificate stands in for it.
        ca: PEM file of the CAs to believe; None for the operating system's.
        certificate: the client's own, where the server asks for one.
        key: its key.
        name: shown in the server's list of clients.
        language: of the server's sentences, such as `pt_BR`.
        mechanism: `"scram"` proves the token without sending it, and has the server prove itself; `"bearer"` sends it,
            for servers that know no better. The client never goes from the first to the second by itself.
        reconnect: replace a connection that broke.
        connect_timeout: seconds for each try.

    Attributes:
        on_push: called with each push, on the link's thread; must not block. `commands-changed` is acted upon before:
            a `catalogue` that was asked for is asked for again.
        on_state: called after each change of state, likewise.

    Raises:
        SetupError: the endpoint is none.
        ValueError: the mechanism is none.
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
        mechanism: Mechanism | str = Mechanism.SCRAM,
        reconnect: bool = True,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.login = Login(
            endpoint=Endpoint.parse(endpoint) if isinstance(endpoint, str) else endpoint,
            trust=Trust(_path(ca), _path(certificate), _path(key)),
            token=parse_token(token) if isinstance(token, str) else token,
            name=name,
            language=language,
            mechanism=Mechanism(mechanism),
        )
        self.on_push: Callable[[Push], None] | None = None
        self.on_state: Callable[[Status], None] | None = None
        self._connect_timeout = connect_timeout
        self._link = LinkThread(
            self.login,
            on_push=self._pushed,
            on_status=lambda status: self.on_state and self.on_state(status),
            reconnect=reconnect,
            connect_timeout=connect_timeout,
        )
        self._catalogue = Catalogue()
        self._catalogue_of: object = None  # the session that told it: another may have another role
        self._learning: Request | None = None  # what asks for it anew, by itself

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
            mechanism=login.mechanism,
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
        self._link.connect()

    def reconnect(self) -> None:
        """Try again now, also after the client gave up; while connected, nothing."""
        self._link.reconnect()

    def close(self) -> None:
        """End the connection; what is outstanding fails. Any number of times."""
        self._link.stop()

    def execute(
        self,
        *arguments: str | bytes | int,
        timeout: float = ANSWER_TIMEOUT,
        idempotent: bool | None = None,
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
    ) -> object:
        """Run a command and return its answer as a Python value.

        While the connection is being replaced, the command waits for the next one.

        Args:
            *arguments: the command's name and its arguments.
            timeout: seconds for the answer; each part of a streamed one, and each progress, begins them anew.
            idempotent: may be sent again if the connection breaks before the answer came; None takes what the server
                said of the command, and no where it said nothing. A streamed answer that has begun is never repeated.
            on_part: called with each part of a streamed answer, on this thread; while it works, the server waits.
                Without it the parts are collected, and returned as a list (with a final reply other than OK last).
            on_progress: called with a fraction from 0 to 1 and a text, on this thread.

        Raises:
            CommandFailed: the server answered with an error.
            ConnectionLostError: no answer came; `sent` says whether the command may have run.
            NoAnswerError: no answer came in time; the server was asked to end the command.
            TooLongError: what was to be collected is too long.
            ClientError: the client has stopped; this says why.
            Exception: what a callback raises; the server is asked to end the command.
        """
        request = self.submit(arguments, idempotent=idempotent, streaming=on_part is not None)
        return self.result(request, timeout, on_part, on_progress)

    def submit(
        self, arguments: Sequence[str | bytes | int], *, idempotent: bool | None = None, streaming: bool = False
    ) -> Request:
        """Like `execute`, but return a future at once.

        Args:
            arguments: the command's name and its arguments.
            idempotent: as of `execute`.
            streaming: the parts of the answer will be taken by `result` or `Request.wait`; until they are, the
                connection stands still.
        """
        words = _encoded(arguments)
        if idempotent is None:
            known = self._catalogue.find([word.decode("utf-8", "replace") for word in words[:2]])
            idempotent = known is not None and known.idempotent
        return self._link.submit(words, idempotent=idempotent, streaming=streaming)

    def send(self, call: Call) -> Request:
        """Send a call that is made already, such as a `Watch`; raises as `submit` does."""
        return self._link.send(call)

    def start(self, *words: str | bytes | int, key: str | None = None, timeout: float = ANSWER_TIMEOUT) -> Job:
        """Run a command as a job, which goes on when the connection ends; return when it runs, or waits in the line.

        The job is followed over this connection, on which other commands wait meanwhile: use another client for them,
        or `Job.detach`. Where the connection breaks it is replaced, and the job followed on from its next part, also by
        a client that does not reconnect otherwise. A start is never doubled: it has a key, and is repeated with that.

        Args:
            *words: the command's name and its arguments.
            key: by which the server knows the start again, for as long as it keeps the job; None makes one. The job of
                an earlier start with the same key is followed from its beginning.
            timeout: seconds.

        Raises:
            BusyError: another job excludes it.
            NoJobsError: the server is of a version that knows no jobs.
            CommandFailed: the server does not start it.
            ClientError: as `execute`.
        """
        return Job.of(self, Watch.start(_encoded(words), key or str(uuid.uuid4())), timeout)

    def attach(self, number: int, from_: int = 0, timeout: float = ANSWER_TIMEOUT) -> Job:
        """Follow a job that there is, as `start` does; also one that has ended.

        Args:
            number: the job's.
            from_: the number of the part to begin with.
            timeout: seconds.

        Raises:
            NoJobsError: the server is of a version that knows no jobs.
            CommandFailed: there is no such job, or no such part of it.
            ClientError: as `execute`.
        """
        return Job.of(self, Watch.attach(number, from_), timeout)

    def result(
        self,
        request: Request,
        timeout: float = ANSWER_TIMEOUT,
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
    ) -> object:
        """Wait for what `submit` returned; raises as `execute` does. After the timeout nobody waits for it any more."""
        try:
            return request.wait(timeout, on_part, on_progress)
        except CancelledError:
            raise ConnectionLostError(_("The command was given up before it was sent.")) from None
        except NoSignError:
            raise self.too_late(request, timeout) from None

    def commands(self, timeout: float = ANSWER_TIMEOUT) -> Catalogue:
        """Return the commands that this session may run, asking the server once per session.

        Raises:
            ClientError: as `execute`.
        """
        session = self.status.session
        if session is None or session is not self._catalogue_of:
            # Taken here, not by a callback, which the link's thread may come to only after this one was woken.
            self._take(session, self.result(self._ask_for_commands(), timeout))
        return self._catalogue

    def learn_commands(self) -> Request:
        """Ask for the commands and return at once; `catalogue` is new when the future is done."""
        session = self.status.session
        request = self._ask_for_commands()

        def remember(done: Future[object]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._take(session, done.result())

        request.add_done_callback(remember)
        return request

    def _ask_for_commands(self) -> Request:
        return self._link.submit([b"COMMANDS"], idempotent=True)

    def _take(self, session: object, told: object) -> None:
        self._catalogue = Catalogue.from_wire(told)
        self._catalogue_of = session

    def _pushed(self, push: Push) -> None:
        """Take a push. On the link's thread."""
        if push.kind == COMMANDS_CHANGED:
            self._learn_again()
        if self.on_push is not None:
            self.on_push(push)

    def _learn_again(self) -> None:
        """Ask for the commands once more, where somebody has asked for them.

        While an answer is on its way there is no need to: what comes after the push was told after it.
        """
        if self._catalogue_of is None or not (self._learning is None or self._learning.done()):
            return
        self._catalogue_of = None  # so that whoever wants to know meanwhile asks
        with contextlib.suppress(ClientError):  # it is over; the next session's are asked for anew
            self._learning = self.learn_commands()

    def too_late(self, request: Request, timeout: float) -> ClientError:
        """Give up a request after `timeout` seconds without a sign of it, and return what to raise."""
        status = self.status
        if request.watch is not None and request.begun:
            request.leave()
            sentence = _("{endpoint} said nothing for {seconds} s.")
            silent = NoAnswerError(sentence.format(endpoint=self.login.endpoint, seconds=round(timeout)))
            return request.call.stopped(status.error or silent)
        unsent = request.abandon()
        if unsent:
            why = f" {status.error}" if status.error is not None else ""
            sentence = _("Not connected to {endpoint} within {seconds} s; the command was not sent.")
            return ConnectionLostError(sentence.format(endpoint=self.login.endpoint, seconds=round(timeout)) + why)
        sentence = _(
            "{endpoint} gave no answer within {seconds} s and was told to end the command, which may still run."
        )
        return NoAnswerError(sentence.format(endpoint=self.login.endpoint, seconds=round(timeout)))


def parse_token(text: str) -> Token:
    """Read a token, so that a typo or a cut paste is told before anything is sent.

    Raises:
        AuthenticationError: it cannot be one; the message never repeats it.
    """
    try:
        return Token.parse(text)
    except TokenFormatError as error:
        raise AuthenticationError(
            _("This is no token: {why}. Nothing was sent to the server.").format(why=_(str(error)))
        ) from None


def _encoded(words: Sequence[str | bytes | int]) -> list[bytes]:
    return [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]


def _path(path: Path | str | None) -> Path | None:
    return Path(path) if path is not None else None

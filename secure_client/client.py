"""The library's face: a client that any thread may use.

with Client("localhost:5000", token=token, ca="certs/ca.pem") as client:
    client.execute("ECHO", "hello")        # "hello"

`secure_client.asynchronous.client` has the same names for an event loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from secure_client.catalogue import Catalogue
from secure_client.connection.request import OnPart, OnProgress, Request
from secure_client.connection.thread import LinkThread
from secure_client.core.call import ANSWER_TIMEOUT, Call, NoSignError
from secure_client.core.expected import expected
from secure_client.core.known import Word, encoded, too_late
from secure_client.core.status import Status
from secure_client.core.watch import Watch, new_key
from secure_client.errors import ClientError
from secure_client.face import Face

if TYPE_CHECKING:
    from secure_client.core.jobs import JobRow
    from secure_client.job import Job
    from secure_client.pushes import Pushes
    from secure_client.stream import Stream

T = TypeVar("T")


class Client(Face):
    """A connection that mends itself.

    Args:
        endpoint: `"host:port"`, `"scs+quic://host:port"` or an `Endpoint`.
        token: as given out by the server; None on a Unix socket, and where a certificate stands in for it.
        ca: PEM file of the CAs to believe; None for the operating system's.
        certificate: the client's own, where the server asks for one.
        key: its key.
        name: shown in the server's list of clients.
        language: of the server's sentences, such as `pt_BR`.
        mechanism: `"scram"` proves the token without sending it, and has the server prove itself; `"bearer"` sends it,
            for servers that know no better. The client never goes from the first to the second by itself.
        transport: `"tls"`, `"quic"` or `"auto"`, which takes whichever is there first; None for what the endpoint says,
            else TLS. QUIC needs the extra `quic`.
        reconnect: replace a connection that broke.
        connect_timeout: seconds for each try.

    Attributes:
        on_push: called with each push, on the link's thread; must not block. `commands-changed` is acted upon before:
            a `catalogue` that was asked for is asked for again.
        on_state: called after each change of state, likewise.

    Raises:
        SetupError: the endpoint is none, or has no such transport.
        ValueError: the mechanism or the transport is none.
        AuthenticationError: the token cannot be one.
    """

    def _make_link(self, *, reconnect: bool, connect_timeout: float) -> None:
        self._link = LinkThread(
            self.login,
            on_push=self._pushed,
            on_status=self._changed,
            reconnect=reconnect,
            connect_timeout=connect_timeout,
        )
        self._learning: Request | None = None  # what asks for the commands anew, by itself

    @property
    def status(self) -> Status:
        """What the connection is doing now."""
        return self._link.status

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

    # -- commands -----------------------------------------------------------------------------------------------------

    def execute(
        self,
        *arguments: Word,
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
            OutcomeUnknown: the connection broke when the command had been sent; it may have run.
            ConnectionLostError: it broke before.
            NoAnswerError: no answer came in time; the server was asked to end the command.
            TooLongError: what was to be collected is too long.
            ClientError: the client has stopped; this says why.
            Exception: what a callback raises; the server is asked to end the command.
        """
        request = self.submit(arguments, idempotent=idempotent, streaming=on_part is not None)
        return self.result(request, timeout, on_part, on_progress)

    def call(
        self, *arguments: Word, returns: type[T], timeout: float = ANSWER_TIMEOUT, idempotent: bool | None = None
    ) -> T:
        """Run a command and return its answer, which is of the type that is expected.

        Args:
            *arguments: the command's name and its arguments.
            returns: `str`, `int`, `Table`, …; see `secure_client.core.expected.expected`.
            timeout: as of `execute`.
            idempotent: as of `execute`.

        Raises:
            UnexpectedReplyError: it is of another type.
            ClientError: as `execute`.
        """
        reply = self.execute(*arguments, timeout=timeout, idempotent=idempotent)
        return expected(reply, returns, self._known.find(arguments))

    def pipeline(self, commands: Iterable[Sequence[Word]], timeout: float = ANSWER_TIMEOUT) -> list[object]:
        """Run commands without waiting for each answer before the next is sent; they run one after the other.

        Args:
            commands: the words of each.
            timeout: seconds without a sign of the one that is waited for.

        Returns:
            The answers, in the order of the commands. One that failed has its `ClientError` in its place, and does not
            keep the others from running.
        """
        from secure_client.pipeline import pipelined  # noqa: PLC0415 - a program imports what it uses, to be there at once

        return pipelined(self, commands, timeout)

    def stream(self, *arguments: Word, timeout: float = ANSWER_TIMEOUT, idempotent: bool | None = None) -> Stream:
        """Run a command and return its answer as an iterator over its parts, at once.

        Args:
            *arguments: as of `execute`.
            timeout: as of `execute`.
            idempotent: as of `execute`.

        Raises:
            ClientError: the client has stopped; what else goes wrong is raised where the parts are taken.
        """
        from secure_client.stream import Stream  # noqa: PLC0415 - as above

        return Stream(self.submit(arguments, idempotent=idempotent, streaming=True), timeout, self.too_late)

    def submit(self, arguments: Sequence[Word], *, idempotent: bool | None = None, streaming: bool = False) -> Request:
        """Like `execute`, but return at once what the outcome will be in.

        Args:
            arguments: the command's name and its arguments.
            idempotent: as of `execute`.
            streaming: the parts of the answer will be taken by `result` or `Request.wait`; until they are, the
                connection stands still.
        """
        return self.send(self._known.call(arguments, idempotent=idempotent, streaming=streaming))

    def send(self, call: Call) -> Request:
        """Send a call that is made already, such as a `Watch`; raises as `submit` does."""
        return self._link.send(call)

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
        except NoSignError:
            raise self.too_late(request, timeout) from None

    def too_late(self, request: Request, timeout: float) -> ClientError:
        """Give up a request after `timeout` seconds without a sign of it, and return what to raise."""
        status = self.status
        unsent = request.give_up()
        return too_late(self.login, status, request.call, timeout, unsent=unsent)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def start(self, *words: Word, key: str | None = None, timeout: float = ANSWER_TIMEOUT) -> Job:
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
        from secure_client.job import Job  # noqa: PLC0415 - as above

        return Job.of(self, Watch.start(encoded(words), key or new_key()), timeout)

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
        from secure_client.job import Job  # noqa: PLC0415 - as above

        return Job.of(self, Watch.attach(number, from_), timeout)

    def jobs(
        self,
        *,
        state: str | None = None,
        command: str | None = None,
        user: str | None = None,
        limit: int | None = None,
        timeout: float = ANSWER_TIMEOUT,
    ) -> list[JobRow]:
        """Return the jobs that one may see, the newest first; of the given state, command and user.

        Raises:
            ClientError: as `call`.
        """
        from secure_client.core.jobs import JobRow, listing  # noqa: PLC0415 - as above

        rows = self.call(*listing(state, command, user, limit), returns=list, timeout=timeout, idempotent=True)
        return [JobRow.from_wire(row) for row in rows]

    # -- what the server tells ----------------------------------------------------------------------------------------

    def pushes(self) -> Pushes:
        """Return the pushes from now on, as an iterator that waits for the next; close it, or use it as a context."""
        from secure_client.pushes import Pushes  # noqa: PLC0415 - as above

        pushes = Pushes(self._forget)
        self._hear(pushes)
        return pushes

    def commands(self, timeout: float = ANSWER_TIMEOUT) -> Catalogue:
        """Return the commands that this session may run, asking the server once per session.

        Raises:
            ClientError: as `execute`.
        """
        session = self.status.session
        if not self._known.is_told(session):
            # Taken here, not by a callback, which the link's thread may come to only after this one was woken.
            self._known.take(session, self.result(self._ask_for_commands(), timeout))
        return self.catalogue

    def learn_commands(self) -> Request:
        """Ask for the commands and return at once; `catalogue` is new when that is done."""
        session = self.status.session
        request = self._ask_for_commands()

        def remember(done: Request) -> None:
            if done.exception() is None:
                self._known.take(session, done.result())

        request.add_done_callback(remember)
        return request

    def _ask_for_commands(self) -> Request:
        return self.submit(["COMMANDS"], idempotent=True)

    # -- on the link's thread -----------------------------------------------------------------------------------------

    def _learn_again(self) -> None:
        if not self._known.was_asked_for or not (self._learning is None or self._learning.done()):
            return
        self._known.forget()  # so that whoever wants to know meanwhile asks
        with contextlib.suppress(ClientError):  # it is over; the next session's are asked for anew
            self._learning = self.learn_commands()

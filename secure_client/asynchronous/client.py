"""The library's face on an event loop; its names are those of `secure_client.client`.

async with AsyncClient("localhost:5000", token=token, ca="certs/ca.pem") as client:
    await client.execute("ECHO", "hello")        # "hello"
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from secure_client.asynchronous.job import AsyncJob
from secure_client.asynchronous.loop import LoopLink
from secure_client.asynchronous.request import AsyncRequest, OnPart, OnProgress
from secure_client.asynchronous.stream import AsyncPushes, AsyncStream
from secure_client.catalogue import Catalogue
from secure_client.core.call import ANSWER_TIMEOUT, PIPELINED, Call, NoSignError
from secure_client.core.expected import expected
from secure_client.core.jobs import JobRow, listing
from secure_client.core.known import Word, encoded, too_late
from secure_client.core.status import Status
from secure_client.core.watch import Watch, new_key
from secure_client.errors import ClientError
from secure_client.face import Face

T = TypeVar("T")


class AsyncClient(Face):
    """A connection that mends itself; for tasks of one event loop.

    Replies are never mixed up: a task that is cancelled while it waits has the server end its command, whose answer is
    passed over when it comes.

    Args:
        endpoint: `"host:port"`, `"scs+quic://host:port"` or an `Endpoint`.
        token: as given out by the server; None on a Unix socket, and where a certificate stands in for it.
        ca: PEM file of the CAs to believe; None for the operating system's.
        certificate: the client's own, where the server asks for one.
        key: its key.
        name: shown in the server's list of clients.
        language: of the server's sentences, such as `pt_BR`.
        mechanism: as of `Client`.
        transport: `"tls"`, `"quic"` or `"auto"`, which takes whichever is there first; None for what the endpoint says,
            else TLS. QUIC needs the extra `quic`.
        reconnect: replace a connection that broke.
        connect_timeout: seconds for each try.

    Attributes:
        on_push: called with each push; must not block. `commands-changed` is acted upon before.
        on_state: called after each change of state, likewise.

    Raises:
        SetupError: the endpoint is none, or has no such transport.
        ValueError: the mechanism or the transport is none.
        AuthenticationError: the token cannot be one.
    """

    def _make_link(self, *, reconnect: bool, connect_timeout: float) -> None:
        self._link = LoopLink(
            self.login,
            on_push=self._pushed,
            on_status=self._changed,
            reconnect=reconnect,
            connect_timeout=connect_timeout,
        )
        self._learning: asyncio.Task[Catalogue] | None = None  # what asks for the commands anew, by itself

    @property
    def status(self) -> Status:
        """What the connection is doing now."""
        return self._link.status

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Connect for the first time, once, on the running loop.

        A server that tells newcomers when to come again is waited for, if that is within the timeout.

        Raises:
            ClientError: it did not work; the client is closed then.
        """
        await self._link.connect()

    def reconnect(self) -> None:
        """Try again now, also after the client gave up; while connected, nothing."""
        self._link.reconnect()

    async def close(self) -> None:
        """End the connection; what is outstanding fails. Any number of times."""
        await self._link.close()

    # -- commands -----------------------------------------------------------------------------------------------------

    async def execute(
        self,
        *arguments: Word,
        timeout: float = ANSWER_TIMEOUT,
        idempotent: bool | None = None,
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
    ) -> object:
        """Run a command and return its answer as a Python value; as `Client.execute`.

        Args:
            *arguments: the command's name and its arguments.
            timeout: seconds for the answer; each part of a streamed one, and each progress, begins them anew.
            idempotent: may be sent again if the connection breaks before the answer came; None takes what the server
                said of the command, and no where it said nothing. A streamed answer that has begun is never repeated.
            on_part: called with each part of a streamed answer, and awaited if it gives something to await; while it
                works, the server waits. Without it the parts are collected, and returned as a list.
            on_progress: called with a fraction from 0 to 1 and a text, likewise.

        Raises:
            ClientError: as of `Client.execute`.
            CancelledError: the task was cancelled; the server is asked to end the command.
            Exception: what a callback raises, likewise.
        """
        request = self.submit(arguments, idempotent=idempotent, streaming=on_part is not None)
        return await self.result(request, timeout, on_part, on_progress)

    async def call(
        self, *arguments: Word, returns: type[T], timeout: float = ANSWER_TIMEOUT, idempotent: bool | None = None
    ) -> T:
        """Run a command and return its answer, which is of the type that is expected; as `Client.call`.

        Raises:
            UnexpectedReplyError: it is of another type.
            ClientError: as `execute`.
        """
        reply = await self.execute(*arguments, timeout=timeout, idempotent=idempotent)
        return expected(reply, returns, self._known.find(arguments))

    async def pipeline(self, commands: Iterable[Sequence[Word]], timeout: float = ANSWER_TIMEOUT) -> list[object]:
        """Run commands without waiting for each answer before the next is sent; as `Client.pipeline`.

        Args:
            commands: the words of each.
            timeout: seconds without a sign of the one that is waited for.

        Returns:
            The answers, in the order of the commands; one that failed has its `ClientError` in its place.
        """
        outcomes: list[object] = []
        waiting: deque[AsyncRequest | ClientError] = deque()

        async def take_oldest() -> None:
            oldest = waiting[0]
            try:
                outcomes.append(oldest if isinstance(oldest, ClientError) else await self.result(oldest, timeout))
            except ClientError as error:
                outcomes.append(error)
            waiting.popleft()

        try:
            for words in commands:
                if len(waiting) >= PIPELINED:
                    await take_oldest()
                try:
                    waiting.append(self.submit(words))
                except ClientError as error:
                    waiting.append(error)
            while waiting:
                await take_oldest()
        finally:
            for left in waiting:  # none, unless something else was raised
                if isinstance(left, AsyncRequest):
                    left.abandon()
        return outcomes

    def stream(self, *arguments: Word, timeout: float = ANSWER_TIMEOUT, idempotent: bool | None = None) -> AsyncStream:
        """Run a command and return its answer as an iterator over its parts, at once; as `Client.stream`.

        Raises:
            ClientError: the client has stopped; what else goes wrong is raised where the parts are taken.
        """
        return AsyncStream(self.submit(arguments, idempotent=idempotent, streaming=True), timeout, self.too_late)

    def submit(
        self, arguments: Sequence[Word], *, idempotent: bool | None = None, streaming: bool = False
    ) -> AsyncRequest:
        """Like `execute`, but return at once; `result` waits for the answer. As `Client.submit`."""
        return self.send(self._known.call(arguments, idempotent=idempotent, streaming=streaming))

    def send(self, call: Call) -> AsyncRequest:
        """Send a call that is made already, such as a `Watch`; raises as `submit` does."""
        return self._link.send(call)

    async def result(
        self,
        request: AsyncRequest,
        timeout: float = ANSWER_TIMEOUT,
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
    ) -> object:
        """Wait for what `submit` returned; raises as `execute` does. After the timeout nobody waits for it any more."""
        try:
            return await request.wait(timeout, on_part, on_progress)
        except NoSignError:
            raise self.too_late(request, timeout) from None

    def too_late(self, request: AsyncRequest, timeout: float) -> ClientError:
        """Give up a request after `timeout` seconds without a sign of it, and return what to raise."""
        status = self.status
        unsent = request.give_up()
        return too_late(self.login, status, request.call, timeout, unsent=unsent)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    async def start(self, *words: Word, key: str | None = None, timeout: float = ANSWER_TIMEOUT) -> AsyncJob:
        """Run a command as a job, which goes on when the connection ends; as `Client.start`.

        Raises:
            BusyError: another job excludes it.
            NoJobsError: the server is of a version that knows no jobs.
            CommandFailed: the server does not start it.
            ClientError: as `execute`.
        """
        return await AsyncJob.of(self, Watch.start(encoded(words), key or new_key()), timeout)

    async def attach(self, number: int, from_: int = 0, timeout: float = ANSWER_TIMEOUT) -> AsyncJob:
        """Follow a job that there is, as `start` does; also one that has ended. As `Client.attach`.

        Raises:
            NoJobsError: the server is of a version that knows no jobs.
            CommandFailed: there is no such job, or no such part of it.
            ClientError: as `execute`.
        """
        return await AsyncJob.of(self, Watch.attach(number, from_), timeout)

    async def jobs(
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
        rows = await self.call(*listing(state, command, user, limit), returns=list, timeout=timeout, idempotent=True)
        return [JobRow.from_wire(row) for row in rows]

    # -- what the server tells ----------------------------------------------------------------------------------------

    def pushes(self) -> AsyncPushes:
        """Return the pushes from now on, as an iterator that waits for the next; close it, or use it as a context."""
        pushes = AsyncPushes(self._forget)
        self._hear(pushes)
        return pushes

    async def commands(self, timeout: float = ANSWER_TIMEOUT) -> Catalogue:
        """Return the commands that this session may run, asking the server once per session.

        Raises:
            ClientError: as `execute`.
        """
        session = self.status.session
        if not self._known.is_told(session):
            self._known.take(session, await self.execute("COMMANDS", timeout=timeout, idempotent=True))
        return self.catalogue

    def _learn_again(self) -> None:
        if self._known.was_asked_for and (self._learning is None or self._learning.done()):
            self._known.forget()  # so that whoever wants to know meanwhile asks
            self._learning = asyncio.get_running_loop().create_task(self.commands())
            self._learning.add_done_callback(lambda done: done.cancelled() or done.exception())  # the next asks anew

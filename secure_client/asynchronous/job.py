"""A job as the library's user has it on an event loop; see `secure_client.job`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, Self

from secure_client.asynchronous.request import AsyncRequest, OnProgress, called
from secure_client.catalogue import Catalogue
from secure_client.core.call import Call
from secure_client.core.known import Word
from secure_client.core.progress import Progress
from secure_client.core.standing import Followed
from secure_client.core.watch import Gap, Part, Standing, Watch
from secure_client.errors import ClientError, CommandFailed, DetachedError, no_jobs, not_ended
from secure_protocol.errors import ErrorCode


class Sender(Protocol):
    """What a job needs of its client."""

    def send(self, call: Call) -> AsyncRequest:
        """Send a call that is made already."""

    def submit(self, arguments: Sequence[Word], *, idempotent: bool | None = None) -> AsyncRequest:
        """Send a command."""

    async def commands(self) -> Catalogue:
        """Return the commands that there are."""

    def too_late(self, request: AsyncRequest, timeout: float) -> ClientError:
        """Give a request up, and return what to raise."""


class AsyncJob(Followed):
    """A run at the server, followed over a client's connection, and over the next one where that breaks.

        job = await client.start("DEPLOY", "web")
        async for part in job:
            print(part.number, part.value)
        await job.result()

    Its attributes are those of `Followed`. A task that is cancelled while it waits here ends nothing: the job goes on,
    and is followed still.
    """

    def __init__(self, client: Sender, watch: Watch) -> None:
        super().__init__(watch.next)
        self._client = client
        self._watch = watch
        self._request = client.send(watch)
        self._clock = time.monotonic

    @classmethod
    async def of(cls, client: Sender, watch: Watch, timeout: float) -> Self:
        """Send what starts a job or attaches to it, and return when the server has told how it stands.

        Args:
            client: whose connection it is.
            watch: not sent yet.
            timeout: seconds.

        Raises:
            ClientError: see `AsyncClient.start`.
        """
        job = cls(client, watch)
        due = job._clock() + timeout
        came = True
        try:
            while came and not (job._waiting or job._over):
                came = await job._more(due - job._clock())
        except BaseException:
            job._request.leave()  # nobody has it yet who could follow it
            raise
        if not came:
            raise client.too_late(job._request, timeout)
        if not job._introduce():
            try:
                job._request.answer()
            except CommandFailed as error:
                if error.code == ErrorCode.ERR and not await job._are_known():
                    raise no_jobs() from error
                raise
        return job

    async def __aiter__(self) -> AsyncIterator[Part]:
        """Yield each part as it comes, until the job has ended, or `detach` was called here; as `Job`.

        Raises:
            ClientError: the job failed, was lost or cancelled (`CommandFailed`), or cannot be followed any more.
        """
        async for item in self._items():
            if isinstance(item, Part):
                yield item
        try:
            self._request.answer()
        except DetachedError:
            if not self._watch.leaving:
                raise

    async def follow(
        self,
        on_part: Callable[[Part], Awaitable[object] | object] | None = None,
        *,
        on_progress: OnProgress | None = None,
        on_gap: Callable[[int, int], Awaitable[object] | object] | None = None,
        on_state: Callable[[str, int], Awaitable[object] | object] | None = None,
        timeout: float | None = None,
    ) -> object:
        """Take all that comes, and return the job's result; as `Job.follow`. What callbacks give to await is awaited.

        Raises:
            ClientError: as of `Job.follow`.
            Exception: what a callback raises; the job is followed still.
        """
        told: Progress | None = None
        async for item in self._items(timeout):
            if isinstance(item, Part):
                await called(on_part, item)
            elif isinstance(item, Gap):
                await called(on_gap, item.first, item.next)
            elif isinstance(item, Standing):
                await called(on_state, item.state, item.place)
            if self.progress is not None and self.progress is not told:
                told = self.progress
                await called(on_progress, told.fraction, told.text)
        return self._request.answer()

    async def result(self, timeout: float | None = None) -> object:
        """Wait for the job's end, and return what its handler returned; output that was not taken is passed over.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            ClientError: as `follow`.
        """
        return await self.follow(timeout=timeout)

    def cancel(self) -> None:
        """Have the server end the job, and return at once: `follow` and `result` tell how it ended.

        Raises:
            ClientError: the client has stopped; this says why.
        """
        self._client.submit(["JOB", "CANCEL", self.number], idempotent=True)

    def detach(self) -> None:
        """Follow it no more, and return at once; it goes on. What came until then can still be taken."""
        self._request.detach()

    async def _items(self, timeout: float | None = None) -> AsyncIterator[object]:
        """Yield what comes, and None where a progress came; until the end."""
        due = None if timeout is None else self._clock() + timeout
        while True:
            for item in self._came():
                yield item
            if self._over:
                return
            if not await self._more(None if due is None else due - self._clock()):
                raise not_ended(self.number, timeout or 0)
            yield None

    async def _more(self, timeout: float | None) -> bool:
        """Take what has come since; False where nothing came in time."""
        if not await self._request.came(timeout):
            return False
        items, progress, over = self._request.take()
        self._take(items, progress, over=over)
        return True

    async def _are_known(self) -> bool:
        try:
            return "JOB START" in (await self._client.commands()).names
        except ClientError:
            return False

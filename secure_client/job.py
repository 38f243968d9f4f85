"""A job as the library's user has it: what comes of it, and what can be done about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, Self

from secure_client.catalogue import Catalogue
from secure_client.connection.request import OnProgress, Request
from secure_client.core.call import Call
from secure_client.core.progress import Progress
from secure_client.core.standing import Followed
from secure_client.core.watch import Gap, Part, Standing, Watch
from secure_client.errors import ClientError, CommandFailed, DetachedError, no_jobs, not_ended
from secure_protocol.errors import ErrorCode

LOOK = 60.0
"""Seconds of one wait where there is no bound on it: some systems have one."""


class Sender(Protocol):
    """What a job needs of its client."""

    def send(self, call: Call) -> Request:
        """Send a call that is made already."""

    def submit(self, arguments: Sequence[str | bytes | int], *, idempotent: bool | None = None) -> Request:
        """Send a command."""

    def commands(self) -> Catalogue:
        """Return the commands that there are."""

    def too_late(self, request: Request, timeout: float) -> ClientError:
        """Give a request up, and return what to raise."""


class Job(Followed):
    """A run at the server, followed over a client's connection, and over the next one where that breaks.

    Its output comes by iterating, or by `follow`, or is passed over by `result`; by one thread at a time. `cancel` and
    `detach` are for any thread. A reader that is slow slows the connection, not the job.

        job = client.start("DEPLOY", "web")
        for part in job:
            print(part.number, part.value)
        job.result()

    Its attributes are those of `Followed`.
    """

    def __init__(self, client: Sender, watch: Watch) -> None:
        super().__init__(watch.next)
        self._client = client
        self._watch = watch
        self._request = client.send(watch)
        self._clock = time.monotonic

    @classmethod
    def of(cls, client: Sender, watch: Watch, timeout: float) -> Self:
        """Send what starts a job or attaches to it, and return when the server has told how it stands.

        Args:
            client: whose connection it is.
            watch: not sent yet.
            timeout: seconds.

        Raises:
            ClientError: see `Client.start`.
        """
        job = cls(client, watch)
        due = job._clock() + timeout
        while not (job._waiting or job._over):
            if not job._more(due - job._clock()):
                raise client.too_late(job._request, timeout)
        if not job._introduce():
            try:
                job._request.answer()
            except CommandFailed as error:
                if error.code == ErrorCode.ERR and not job._are_known():
                    raise no_jobs() from error
                raise
        return job

    def __iter__(self) -> Iterator[Part]:
        """Yield each part as it comes, until the job has ended, or `detach` was called here.

        Parts that were dropped show in the numbers, and in `dropped`.

        Raises:
            ClientError: the job failed, was lost or cancelled (`CommandFailed`), or cannot be followed any more.
        """
        for item in self._items():
            if isinstance(item, Part):
                yield item
        try:
            self._request.answer()
        except DetachedError:
            if not self._watch.leaving:
                raise

    def follow(
        self,
        on_part: Callable[[Part], object] | None = None,
        *,
        on_progress: OnProgress | None = None,
        on_gap: Callable[[int, int], object] | None = None,
        on_state: Callable[[str, int], object] | None = None,
        timeout: float | None = None,
    ) -> object:
        """Take all that comes, on this thread, and return the job's result.

        Args:
            on_part: called with each part.
            on_progress: called with a fraction from 0 to 1 and a text.
            on_gap: called where output was dropped, with the number of the first part that is missing, and of the next
                one that is there.
            on_state: called with state and place where these have changed.
            timeout: seconds until the job's end; None: as long as it takes.

        Raises:
            NoAnswerError: it has not ended in time. It is followed still: call this again, or `detach`.
            DetachedError: it was detached from.
            JobLostError: the server ended while it ran.
            CommandFailed: it failed, or was cancelled.
            ConnectionLostError: the connection was not to be replaced; the job goes on.
            Exception: what a callback raises; the job is followed still.
        """
        told: Progress | None = None
        for item in self._items(timeout):
            if isinstance(item, Part) and on_part is not None:
                on_part(item)
            elif isinstance(item, Gap) and on_gap is not None:
                on_gap(item.first, item.next)
            elif isinstance(item, Standing) and on_state is not None:
                on_state(item.state, item.place)
            if self.progress is not None and self.progress is not told and on_progress is not None:
                told = self.progress
                on_progress(told.fraction, told.text)
        return self._request.answer()

    def result(self, timeout: float | None = None) -> object:
        """Wait for the job's end, and return what its handler returned; output that was not taken is passed over.

        Args:
            timeout: seconds; None: as long as it takes.

        Raises:
            ClientError: as `follow`.
        """
        return self.follow(timeout=timeout)

    def cancel(self) -> None:
        """Have the server end the job, and return at once: `follow` and `result` tell how it ended. Any thread.

        Raises:
            ClientError: the client has stopped; this says why.
        """
        self._client.submit(["JOB", "CANCEL", self.number], idempotent=True)

    def detach(self) -> None:
        """Follow it no more, and return at once; it goes on. What came until then can still be taken. Any thread."""
        self._request.detach()

    def _items(self, timeout: float | None = None) -> Iterator[object]:
        """Yield what comes, and None where a progress came; until the end."""
        due = None if timeout is None else self._clock() + timeout
        while True:
            yield from self._came()
            if self._over:
                return
            if not self._more(LOOK if due is None else due - self._clock()):
                if due is not None and self._clock() >= due:
                    raise not_ended(self.number, timeout or 0)
                continue
            yield None

    def _more(self, timeout: float) -> bool:
        """Take what has come since; False where nothing came in time."""
        if not self._request.parts.wait(timeout):
            return False
        items, progress, over = self._request.parts.take()
        self._take(items, progress, over=over)
        return True

    def _are_known(self) -> bool:
        try:
            return "JOB START" in self._client.commands().names
        except ClientError:
            return False

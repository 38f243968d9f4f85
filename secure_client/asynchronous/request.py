"""A call as a task waits for it: the parts that come before its answer, and the answer."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable

from secure_client.core.call import ROOM_BYTES, Call, NoSignError
from secure_client.core.progress import Progress
from secure_client.core.watch import Watch
from secure_client.errors import ClientError, given_up

OnPart = Callable[[object], Awaitable[object] | object]
OnProgress = Callable[[float, str], Awaitable[object] | object]


class AsyncRequest:
    """What was asked, and what came of it so far. A call's receiver.

    Args:
        call: what was asked.
        attend: has whoever drives the link look again.

    Attributes:
        call: likewise.
    """

    def __init__(self, call: Call, attend: Callable[[], None]) -> None:
        self.call = call
        self._attend = attend
        self._news = asyncio.Event()
        self._waiting: deque[object] = deque()
        self._bytes = 0
        self._progress: Progress | None = None
        self._dropped = False
        self._given_up = False
        self._ended = False
        self._reply: object = None
        self._error: ClientError | None = None
        call.receiver = self

    # -- whoever waits ------------------------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the answer is there."""
        return self._ended

    def abandon(self) -> bool:
        """Want it ended; return whether it is certain that nothing was or will be sent."""
        self.call.abandon()
        return self._give_up()

    def give_up(self) -> bool:
        """Wait for it no longer: leave a job that has begun, and abandon anything else; return as `abandon` does."""
        if isinstance(self.call, Watch) and self.call.begun:
            self.leave()
            return False
        return self.abandon()

    def leave(self) -> None:
        """Take no more of its answer; a job goes on."""
        self.call.leave()
        self._give_up()

    def detach(self) -> None:
        """As `leave`; what came until then can still be taken."""
        self.call.leave()
        self._attend()

    def answer(self) -> object:
        """Return the answer, which is there; raises what it failed with."""
        if self._error is not None:
            raise self._error
        return self._reply

    async def came(self, timeout: float | None) -> bool:
        """Wait for something to `take`, at most so many seconds; return whether there is."""
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> tuple[list[object], Progress | None, bool]:
        """Return the parts since, the newest progress if any, and whether it was all."""
        parts, progress = list(self._waiting), self._progress
        was_full = self.full
        self._clear()
        if not self._ended:
            self._news.clear()
        if was_full:
            self._attend()
        return parts, progress, self._ended

    async def wait(
        self, timeout: float | None, on_part: OnPart | None = None, on_progress: OnProgress | None = None
    ) -> object:
        """Wait for the answer, and call on the way what wants to know how it comes along.

        Args:
            timeout: seconds without any sign of the command.
            on_part: called with each part of a streamed answer, and awaited if it gives something to await.
            on_progress: called with a fraction from 0 to 1 and a text, likewise.

        Raises:
            NoSignError: none came; the command goes on.
            ClientError: it failed.
            CancelledError: the task was cancelled, or a callback raised it; the command is left then.
            Exception: what a callback raises, likewise.
        """
        ended, came = False, True
        try:
            while came and not ended:
                came = await self.came(timeout)
                parts, progress, ended = self.take()
                for part in parts:
                    await called(on_part, part)
                if progress is not None:
                    await called(on_progress, progress.fraction, progress.text)
        except BaseException:
            self.leave()
            raise
        if not came:
            raise NoSignError
        return self.answer()

    def _give_up(self) -> bool:
        unsent = not (self.call.started or self._ended)
        self._dropped = True
        self._clear()
        if unsent:
            self._given_up = True
            self.fail(given_up())
        self._attend()
        return unsent

    # -- the link, as a call's receiver -------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the reader is too far behind."""
        return self._bytes >= ROOM_BYTES

    def begin(self) -> bool:
        """Say whether it was not given up."""
        return not self._given_up

    def part(self, value: object, size: int) -> None:
        """Take a part."""
        if not self._dropped:
            self._waiting.append(value)
            self._bytes += size
            self._news.set()

    def progress(self, progress: Progress) -> None:
        """Take a progress."""
        if not self._dropped:
            self._progress = progress
            self._news.set()

    def succeed(self, reply: object) -> None:
        """Take the answer."""
        self._reply = reply
        self._end()

    def fail(self, error: ClientError) -> None:
        """Take that there is none."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._news.set()

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._progress = None


async def called(callback: Callable[..., object] | None, *arguments: object) -> None:
    """Call it, if there is one, and await what it gives to await."""
    given = callback(*arguments) if callback is not None else None
    if inspect.isawaitable(given):
        await given

"""A streamed answer, and what the server tells unasked, as the library's user has them on an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from secure_client.asynchronous.request import AsyncRequest
from secure_client.core.call import PUSHES_KEPT
from secure_client.core.progress import Progress
from secure_client.errors import ClientError, no_longer_waiting
from secure_protocol.replies import Push


class AsyncStream:
    """The parts of an answer, as they come. Leaving it early has the server end the command.

        async with client.stream("TAIL", "web") as lines:
            async for line in lines:
                print(line)

    Args:
        request: streaming, and sent.
        timeout: seconds without any sign of the command.
        too_late: gives the request up, and returns what to raise.

    Attributes:
        progress: what was told last; None: nothing yet.
    """

    def __init__(
        self, request: AsyncRequest, timeout: float, too_late: Callable[[AsyncRequest, float], ClientError]
    ) -> None:
        self._request = request
        self._timeout = timeout
        self._too_late = too_late
        self._waiting: deque[object] = deque()
        self._over = False
        self.progress: Progress | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        """Return the next part.

        Raises:
            StopAsyncIteration: that was all; `result` is the answer behind it.
            ClientError: the command failed, or gave no sign for too long.
        """
        while not self._waiting:
            if self._over:
                if self._request.done():
                    self._request.answer()
                raise StopAsyncIteration
            if not await self._request.came(self._timeout):
                self._over = True
                raise self._too_late(self._request, self._timeout)
            parts, progress, self._over = self._request.take()
            self._waiting += parts
            self.progress = progress or self.progress
        return self._waiting.popleft()

    async def result(self) -> object:
        """Pass over what is left, and return the answer behind the parts: `OK`, where the command says no more.

        Raises:
            GivenUpError: it was left before there was one.
            ClientError: as iterating.
        """
        async for _part in self:
            pass
        if not self._request.done():
            raise no_longer_waiting()
        return self._request.answer()

    def close(self) -> None:
        """Have the server end the command, unless it has ended. Any number of times."""
        self._waiting.clear()
        self._over = True
        if not self._request.done():
            self._request.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:  # an `async for` that was left: nobody reads on, so the connection would stand still
        self.close()


class AsyncPushes:
    """The pushes since it was made, one after the other, over all connections, until the client stops.

        async with client.pushes() as news:
            async for push in news:
                print(push.kind, push.items)

    Args:
        forget: called with it when it is closed.

    Attributes:
        dropped: how many were not taken in time.
    """

    def __init__(self, forget: Callable[[AsyncPushes], object]) -> None:
        self._forget = forget
        self._news = asyncio.Event()
        self._waiting: deque[Push] = deque()
        self._closed = False
        self.dropped = 0

    def put(self, push: Push) -> None:
        """Take one."""
        if len(self._waiting) >= PUSHES_KEPT:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(push)
        self._news.set()

    async def get(self, timeout: float | None = None) -> Push | None:
        """Return the next push; None if none came in time, or none will come any more.

        Args:
            timeout: seconds; None: as long as it takes.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (self._waiting or self._closed):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return None
        return self._waiting.popleft() if self._waiting else None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Push:
        push = await self.get()
        if push is None:
            raise StopAsyncIteration
        return push

    def close(self) -> None:
        """Take no more; whoever waits is told. Any number of times."""
        self._forget(self)
        self.end()

    def end(self) -> None:
        """No more will come; what has come can still be taken."""
        self._closed = True
        self._news.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

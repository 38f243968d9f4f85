"""The client for event loops, with the face of the one for threads: so that one suite of tests holds for both."""

# ruff: noqa: ANN401 - it passes on whatever the client takes

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar

from secure_client import AsyncClient, AsyncJob
from secure_client.asynchronous.request import AsyncRequest
from secure_client.catalogue import Catalogue
from secure_client.core.call import Call
from secure_client.core.status import Status
from secure_client.core.watch import Watch
from secure_client.errors import ClientError
from tests.secure_client.scripted_server import PATIENCE

T = TypeVar("T")
LONGER = 2 * PATIENCE
"""Seconds for what has its own patience within."""


class Blocking:
    """An `AsyncClient` on a loop of its own; its methods are those of `Client`, for tests' threads."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.inner = AsyncClient(*arguments, **options)
        self._link = self

    @classmethod
    def from_profile(cls, name: str) -> Self:
        """As `Client.from_profile`."""
        client = cls("localhost")
        client.inner = AsyncClient.from_profile(name)
        return client

    def wait_for(self, wanted: Callable[[Status], bool], timeout: float) -> Status:
        """As `LinkThread.wait_for`."""
        return self.run(self.inner._link.wait_for(wanted, timeout))

    def run(self, what: Awaitable[T]) -> T:
        """Await something on the loop."""

        async def await_it() -> T:
            return await what

        waiting = asyncio.run_coroutine_threadsafe(await_it(), self._loop)
        try:
            return waiting.result(LONGER)
        finally:
            waiting.cancel()

    def do(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function on the loop."""

        async def call_it() -> T:
            return function(*arguments, **options)

        return self.run(call_it())

    def iterate(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Take from an asynchronous iterator."""
        while True:
            try:
                yield self.run(anext(items))
            except StopAsyncIteration:
                return

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def connect(self) -> None:
        """As `Client.connect`."""
        try:
            self.run(self.inner.connect())
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """As `Client.close`."""
        self.run(self.inner.close())

    def reconnect(self) -> None:
        """As `Client.reconnect`."""
        self.do(self.inner.reconnect)

    @property
    def status(self) -> Status:
        """As `Client.status`."""
        return self.inner.status

    @property
    def catalogue(self) -> Catalogue:
        """As `Client.catalogue`."""
        return self.inner.catalogue

    def __getattr__(self, name: str) -> Any:
        """`login`, `on_push`, and the like; or something of the link's own."""
        return getattr(self.inner if hasattr(self.inner, name) else self.inner._link._link, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("on_push", "on_state"):
            setattr(self.inner, name, value)
        else:
            super().__setattr__(name, value)

    def execute(self, *words: Any, **options: Any) -> object:
        """As `Client.execute`."""
        return self.run(self.inner.execute(*words, **options))

    def call(self, *words: Any, **options: Any) -> Any:
        """As `Client.call`."""
        return self.run(self.inner.call(*words, **options))

    def pipeline(self, *arguments: Any, **options: Any) -> list[object]:
        """As `Client.pipeline`."""
        return self.run(self.inner.pipeline(*arguments, **options))

    def commands(self, *arguments: Any) -> Catalogue:
        """As `Client.commands`."""
        return self.run(self.inner.commands(*arguments))

    def jobs(self, **options: Any) -> Any:
        """As `Client.jobs`."""
        return self.run(self.inner.jobs(**options))

    def stream(self, *words: Any, **options: Any) -> BlockingStream:
        """As `Client.stream`."""
        return BlockingStream(self, self.do(self.inner.stream, *words, **options))

    def pushes(self) -> BlockingStream:
        """As `Client.pushes`."""
        return BlockingStream(self, self.do(self.inner.pushes))

    def submit(self, *arguments: Any, **options: Any) -> BlockingRequest:
        """As `Client.submit`."""
        return BlockingRequest(self, self.do(self.inner.submit, *arguments, **options))

    def send(self, call: Call) -> BlockingRequest:
        """As `Client.send`."""
        return BlockingRequest(self, self.do(self.inner.send, call))

    def result(self, request: BlockingRequest, *arguments: Any, **options: Any) -> object:
        """As `Client.result`."""
        return self.run(self.inner.result(request.inner, *arguments, **options))

    def start(self, *words: Any, **options: Any) -> BlockingJob:
        """As `Client.start`."""
        return BlockingJob(self, self.run(self.inner.start(*words, **options)))

    def attach(self, *arguments: Any, **options: Any) -> BlockingJob:
        """As `Client.attach`."""
        return BlockingJob(self, self.run(self.inner.attach(*arguments, **options)))


class BlockingRequest:
    """An `AsyncRequest`, for tests' threads."""

    def __init__(self, client: Blocking, inner: AsyncRequest) -> None:
        self._client = client
        self.inner = inner
        self.watch = inner.call if isinstance(inner.call, Watch) else None
        self.parts = BlockingParts(client, inner)

    def detach(self) -> None:
        """As `Request.detach`."""
        self._client.do(self.inner.detach)

    def abandon(self) -> bool:
        """As `Request.abandon`."""
        return self._client.do(self.inner.abandon)

    cancel = abandon

    def done(self) -> bool:
        """As of a future."""
        return self.inner.done()

    def running(self) -> bool:
        """As of a future."""
        return self.inner.call.started

    def wait(self, *arguments: Any) -> object:
        """As `Request.wait`."""
        return self._client.run(self.inner.wait(*arguments))

    def result(self, timeout: float = PATIENCE) -> object:
        """As of a future."""
        return self.wait(timeout)

    def exception(self, timeout: float = PATIENCE) -> ClientError | None:
        """As of a future."""
        try:
            self.wait(timeout)
        except ClientError as error:
            return error
        return None


class BlockingParts:
    """What came of a request."""

    def __init__(self, client: Blocking, inner: AsyncRequest) -> None:
        self._client = client
        self._inner = inner

    @property
    def _bytes(self) -> int:
        return self._inner._bytes

    def wait(self, timeout: float) -> bool:
        """As `Parts.wait`."""
        return self._client.run(self._inner.came(timeout))


class BlockingStream:
    """An `AsyncStream`, or `AsyncPushes`."""

    def __init__(self, client: Blocking, inner: Any) -> None:
        self._client = client
        self.inner = inner

    def __iter__(self) -> Iterator[Any]:
        return self._client.iterate(self.inner)

    def __next__(self) -> Any:
        return next(iter(self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return _waited(self._client, found) if callable(found) else found


class BlockingJob:
    """An `AsyncJob`, for tests' threads."""

    def __init__(self, client: Blocking, inner: AsyncJob) -> None:
        self._client = client
        self.inner = inner

    def __iter__(self) -> Iterator[Any]:
        return self._client.iterate(aiter(self.inner))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return _waited(self._client, found) if callable(found) else found


def _waited(client: Blocking, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        given = client.do(function, *arguments, **options)
        return client.run(given) if isinstance(given, Coroutine) else given

    return call

"""One command running on a worker: what it has produced, and whether it should stop.

It joins two threads. The worker `send`s; the owning I/O thread `take`s when the peer has room. What lies between is
bounded, so a slow reader pauses the handler and grows no queue.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from secure_protocol.errors import ErrorCode
from secure_protocol.replies import Push
from secure_server.session.codecs import Codec

_log = logging.getLogger("secure_server.session")

ROOM_BYTES = 64 * 1024
"""What a handler may be ahead of its peer, beyond what the connection already holds for it."""
GRACE_SECONDS = 2.0
"""What a handler that was told to stop has to end by itself, before its session goes on without it."""


Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Later(Generic[Outcome]):
    """What an inline handler returns when its answer takes something that may block, such as a disk.

    Attributes:
        work: run on a worker, if the peer still waits then.
        then: run on the owning thread with what `work` returned; what it returns is the reply, or `Awaited`.
        undo: run on the owning thread instead, before the peer is told that `work` failed or found no worker.
        unheard: run on the owning thread instead, with what `work` returned, where nobody waits for that any more.
    """

    work: Callable[[], Outcome]
    then: Callable[[Outcome], object]
    undo: Callable[[], None]
    unheard: Callable[[Outcome], None] = lambda _outcome: None


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an inline handler returns when others will answer, who hold no thread while the peer waits.

    Attributes:
        begin: run on the owning thread: has the session wait (`Session.begin`) for whoever calls its `finish`.
    """

    begin: Callable[[], None]


class CallEndedError(Exception):
    """Raised in a handler that sends although nobody waits for it any more: cancelled, too late, or peer gone."""


class Call:
    """One run of a handler.

    Args:
        on_output: called on the worker when there is something to take and nobody was told yet.

    Attributes:
        cancelled: set when the handler should stop; a handler may wait on it instead of sleeping. It may also set and
            clear it: what is decided here goes by `ended_by`.
        ended_by: why it should stop; the code of the reply then. None: it should not.
        streamed: something was sent before the reply.
    """

    def __init__(self, on_output: Callable[[], None]) -> None:
        self.cancelled = threading.Event()
        self.ended_by: ErrorCode | None = None
        self.streamed = False
        self._settled = False
        self._on_output = on_output
        self._changed = threading.Condition()
        self._waiting = bytearray()
        self._on_cancel: Callable[[], None] | None = None

    # Any thread

    def cancel(self, code: ErrorCode) -> None:
        """Ask the handler to stop. The first reason stays."""
        with self._changed:
            untold = self.ended_by is None
            if untold:
                self.ended_by = code
            self.cancelled.set()
            self._changed.notify_all()
            if untold and self._on_cancel is not None:
                try:
                    self._on_cancel()
                except BaseException:  # noqa: BLE001 - a handler's own; whoever cancels goes on, and answers the peer
                    _log.exception("unexpected error while a handler was told to stop")

    def settle(self) -> bool:
        """Whether the caller is the first to know what the peer is answered: the worker, or who answers without it."""
        with self._changed:
            first = not self._settled
            self._settled = True
            self._changed.notify_all()  # a thread that the handler left behind may wait for room
        return first

    # The worker that runs it

    def send(self, data: bytes) -> None:
        """Hand over encoded output; waits while the peer has no room.

        Raises:
            CallEndedError: nobody waits for it any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._waiting) < ROOM_BYTES)
            if self._over:
                raise CallEndedError
            untold = not self._waiting
            self._waiting += data
            self.streamed = True
        if untold:
            self._on_output()

    def tell(self, push: Push, codec: Codec) -> None:
        """Say something beside the output: how far it is. Nothing is said where the peer cannot tell that from a reply.

        Raises:
            CallEndedError: nobody waits for it any more.
        """
        if codec.pushes:
            self.send(codec.push(push))

    @contextlib.contextmanager
    def on_cancel(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake` called when the handler should stop, or at once if it should already; not after the `with`.

        For handlers that wait for something else than `cancelled`: a pipe, a socket.

        Args:
            wake: called on any thread, under this call's lock: it must be quick and not block.
        """
        try:
            with self._changed:
                self._on_cancel = wake
                if self.ended_by is not None:
                    wake()
            yield
        finally:
            with self._changed:
                self._on_cancel = None

    @property
    def _over(self) -> bool:
        """Whether nobody takes what is sent: it should stop, or has its answer."""
        return self.ended_by is not None or self._settled

    # The owning I/O thread

    def take(self) -> bytes:
        """Return what was sent since, and make room."""
        with self._changed:
            data = bytes(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        return data


class Feed(Call):
    """A call that is given what there is room for, and asks for more; nobody waits in it.

    Args:
        on_output: called when there is something to take and nobody was told yet.
        on_room: called when something was taken. On the session's thread; it must not wait.
    """

    def __init__(self, on_output: Callable[[], None], on_room: Callable[[], None]) -> None:
        super().__init__(on_output)
        self._told = on_output
        self._on_room = on_room

    @property
    def room(self) -> int:
        """Bytes that may be offered now."""
        return ROOM_BYTES - len(self._waiting)

    def offer(self, data: bytes) -> None:
        """Hand over encoded output, also of what was told to stop and has not ended."""
        if not data:
            return
        with self._changed:
            untold = not self._waiting
            self._waiting += data
            self.streamed = True
        if untold:
            self._told()

    def take(self) -> bytes:
        """Return what was offered since, and ask for more."""
        data = super().take()
        if data:
            self._on_room()
        return data

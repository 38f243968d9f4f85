"""A call as threads wait for it: its outcome, and the parts that come before that.

It is what `concurrent.futures.Future` is, which a program that is to be there at once has no time for: with it comes
`logging`, and what that needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto

from secure_client.connection.faults import logger
from secure_client.connection.parts import Parts
from secure_client.core.call import Call, NoSignError
from secure_client.core.progress import Progress
from secure_client.core.watch import Watch
from secure_client.errors import ClientError, given_up

OnPart = Callable[[object], None]
OnProgress = Callable[[float, str], None]


class _Stage(Enum):
    WAITING = auto()
    RUNNING = auto()
    CANCELLED = auto()
    ENDED = auto()


class Request:
    """The outcome of a call, once it is there: the reply's Python value, or a ClientError.

    Args:
        call: what was asked.

    Attributes:
        call: likewise.
        parts: what came before the answer, of a streaming call; if nobody takes it, the connection stands still.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.parts = Parts()
        call.receiver = self
        self._condition = threading.Condition()
        self._stage = _Stage.WAITING
        self._reply: object = None
        self._error: ClientError | None = None
        self._callbacks: list[Callable[[Request], object]] = []

    # -- any thread ---------------------------------------------------------------------------------------------------

    def running(self) -> bool:
        """Whether it was sent, at least in part, and has not ended."""
        return self._stage is _Stage.RUNNING

    def done(self) -> bool:
        """Whether it has ended, or was given up before it was sent."""
        return self._stage in (_Stage.CANCELLED, _Stage.ENDED)

    def cancelled(self) -> bool:
        """Whether it was given up before it was sent."""
        return self._stage is _Stage.CANCELLED

    def cancel(self) -> bool:
        """Give it up if nothing of it was sent; return whether that is so."""
        return self._end(_Stage.CANCELLED, None, given_up()) or self.cancelled()

    def add_done_callback(self, callback: Callable[[Request], object]) -> None:
        """Have it called with this, as soon as it has ended: on the link's thread, or at once."""
        with self._condition:
            if not self.done():
                self._callbacks.append(callback)
                return
        self._call(callback)

    def result(self, timeout: float | None = None) -> object:
        """Return the answer.

        Args:
            timeout: seconds to wait for it; None for as long as it takes.

        Raises:
            TimeoutError: it is not there.
            ClientError: it failed, or was given up before it was sent.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._reply

    def exception(self, timeout: float | None = None) -> ClientError | None:
        """Return why it failed, None if it did not; waits and raises as `result`."""
        with self._condition:
            if not self._condition.wait_for(self.done, timeout):
                raise TimeoutError
        return self._error

    @property
    def watch(self) -> Watch | None:
        """The call, where it follows a job."""
        return self.call if isinstance(self.call, Watch) else None

    @property
    def begun(self) -> bool:
        """Whether a part of the answer has come."""
        return self.call.begun

    def abandon(self) -> bool:
        """Want it ended; return whether it is certain that nothing was or will be sent.

        If it runs at the server, the link asks for its end (CANCEL), and the answer says what became of it. Parts that
        come until then are dropped.
        """
        unsent = self.cancel()  # first: what the link finds unwanted and not cancelled, it takes for sent
        self.call.abandon()
        self.parts.drop()  # wakes the link
        return unsent

    def give_up(self) -> bool:
        """Wait for it no longer: leave a job that has begun, and abandon anything else; return as `abandon` does."""
        if self.watch is not None and self.begun:
            self.leave()
            return False
        return self.abandon()

    def detach(self) -> None:
        """Take no more of its answer; a job goes on. What came until then can still be taken."""
        self.cancel()
        self.call.leave()
        self.parts.on_room()  # wakes the link

    def leave(self) -> None:
        """As `detach`, and nobody takes what came."""
        self.detach()
        self.parts.drop()

    def wait(
        self,
        timeout: float,
        on_part: OnPart | None = None,
        on_progress: OnProgress | None = None,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> object:
        """Wait for the answer, and call on the way what wants to know how it comes along; both on this thread.

        Args:
            timeout: seconds without any sign of the command.
            on_part: called with each part of a streamed answer; of a `streaming` call.
            on_progress: called with a fraction from 0 to 1 and a text.
            waiting: entered while nothing else is done than to wait, and no lock of ours is held.

        Raises:
            NoSignError: none came; the command goes on.
            ClientError: it failed, or was given up before it was sent.
            Exception: what a callback raises; the command is left then.
        """
        ended = False
        while not ended:
            with waiting():
                came = self.parts.wait(timeout)
            if not came:
                raise NoSignError
            parts, progress, ended = self.parts.take()
            try:
                if on_part is not None:
                    for part in parts:
                        on_part(part)
                if progress is not None and on_progress is not None:
                    on_progress(progress.fraction, progress.text)
            except Exception:  # not a Ctrl-C, which is dealt with where it may come at any other moment, too
                self.leave()
                raise
        with waiting():
            pass  # what came while the last of it was shown, is heeded also where the answer is an error
        return self.answer()

    def answer(self) -> object:
        """Return the answer, which is there; raises as `result`."""
        return self.result(0)

    # -- the link's thread, as a call's receiver ----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the reader is too far behind."""
        return self.parts.full

    def begin(self) -> bool:
        """Mark it as being sent; return False where it was given up."""
        with self._condition:
            if self._stage is not _Stage.WAITING:
                return False
            self._stage = _Stage.RUNNING
            return True

    def part(self, value: object, size: int) -> None:
        """Take a part."""
        self.parts.put(value, size)

    def progress(self, progress: Progress) -> None:
        """Take a progress."""
        self.parts.tell(progress)

    def succeed(self, reply: object) -> None:
        """Take the answer."""
        self._end(_Stage.ENDED, reply, None)

    def fail(self, error: ClientError) -> None:
        """Take that there is none."""
        self._end(_Stage.ENDED, None, error)

    # -- whichever thread ends it -------------------------------------------------------------------------------------

    def _end(self, stage: _Stage, reply: object, error: ClientError | None) -> bool:
        """End it, once; say whether this was it."""
        with self._condition:
            if self.done() or (stage is _Stage.CANCELLED and self._stage is _Stage.RUNNING):
                return False
            self._stage, self._reply, self._error = stage, reply, error
            self._condition.notify_all()
        self.parts.end()
        for callback in self._callbacks:
            self._call(callback)
        return True

    def _call(self, callback: Callable[[Request], object]) -> None:
        try:
            callback(self)
        except Exception:  # noqa: BLE001 - a listener's fault must not end the connection
            logger().exception("a callback failed")

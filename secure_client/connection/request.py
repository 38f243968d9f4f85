"""A call as threads wait for it: a future, and the parts that come before its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext

from secure_client.connection.parts import Parts
from secure_client.core.call import Call, NoSignError
from secure_client.core.progress import Progress
from secure_client.core.watch import Watch
from secure_client.errors import ClientError, given_up

OnPart = Callable[[object], None]
OnProgress = Callable[[float, str], None]


class Request(Future[object]):
    """A future: its result is the reply's Python value; it fails with a ClientError.

    Args:
        call: what was asked.

    Attributes:
        call: likewise.
        parts: what came before the answer, of a streaming call; if nobody takes it, the connection stands still.
    """

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call
        self.parts = Parts()
        call.receiver = self
        self.add_done_callback(lambda _done: self.parts.end())

    # -- any thread ---------------------------------------------------------------------------------------------------

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
        """Return the answer, which is there.

        Raises:
            ClientError: it failed, or was given up before it was sent.
        """
        try:
            return self.result(0)
        except CancelledError:
            raise given_up() from None

    # -- the link's thread, as a call's receiver ----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the reader is too far behind."""
        return self.parts.full

    def begin(self) -> bool:
        """Mark it as being sent; return False where it was given up."""
        return self.set_running_or_notify_cancel()

    def part(self, value: object, size: int) -> None:
        """Take a part."""
        self.parts.put(value, size)

    def progress(self, progress: Progress) -> None:
        """Take a progress."""
        self.parts.tell(progress)

    def succeed(self, reply: object) -> None:
        """Take the answer."""
        self.set_result(reply)

    def fail(self, error: ClientError) -> None:
        """Take that there is none."""
        self.set_exception(error)

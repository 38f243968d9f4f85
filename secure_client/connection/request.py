"""One command on its way to the server, and its answer to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext

from secure_client.connection.parts import Parts, Progress, weight
from secure_client.errors import (
    ClientError,
    CommandFailed,
    TooLongError,
    broke_off,
    closed_here,
    may_have_run,
)
from secure_client.i18n import _
from secure_protocol.replies import ErrorReply, Push, Status
from secure_protocol.resp_requests import encode_request

STREAM, PROGRESS, JOB = "stream", "progress", "job"
"""The pushes that belong to the oldest unanswered request."""
CANCEL = (b"CANCEL",)
"""Ends whatever runs when it arrives."""
MOST_COLLECTED = 64 * 1024 * 1024
"""Bytes of a streamed answer that is wanted in one piece: as much as one reply may have."""

OnPart = Callable[[object], None]
OnProgress = Callable[[float, str], None]

_GOODBYES = frozenset({b"EXIT", b"QUIT"})


class NoSignError(TimeoutError):
    """Nothing was heard of a command for too long."""


class Request(Future[object]):
    """A future: its result is the reply's Python value; it fails with a ClientError.

    A streamed answer is collected into a list, unless the caller takes its parts as they come.

    Args:
        arguments: the command's name and its arguments.
        idempotent: may be sent again when the connection broke before the answer came.
        streaming: the caller takes `parts`; if it does not, the connection stands still.

    Attributes:
        payload: the bytes for the wire.
        goodbye: the server closes after the answer.
        parts: what came before the answer.
        end: position in the connection's outgoing stream of the byte after its last one; set by the I/O thread.
        unwanted: the server shall end it; somebody may still wait for what it says to that.
        told: the words by which the server was asked to end it, on this connection.
        begun: a part of its answer has come.
        repeated: was sent a second time; there is no third, for it may be what breaks the connection.
    """

    def __init__(self, arguments: Sequence[bytes], *, idempotent: bool, streaming: bool = False) -> None:
        super().__init__()
        self.payload = encode_request(list(arguments))
        self.idempotent = idempotent
        self.goodbye = arguments[0].upper() in _GOODBYES
        self.parts = Parts()
        self.end = 0
        self.unwanted = False
        self.told: tuple[bytes, ...] = ()
        self.begun = False
        self.repeated = False
        self._collected: list[object] | None = None if streaming else []
        self._collected_bytes = 0
        self.add_done_callback(lambda _done: self.parts.end())

    # -- any thread ---------------------------------------------------------------------------------------------------

    def abandon(self) -> bool:
        """Want it ended; return whether it is certain that nothing was or will be sent.

        If it runs at the server, the link asks for its end (CANCEL), and the answer says what became of it. Parts that
        come until then are dropped.
        """
        self.unwanted = True
        unsent = self.cancel()
        self.parts.drop()  # wakes the link
        return unsent

    def leave(self) -> None:
        """Nobody takes any more of its answer."""
        self.abandon()

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
            on_part: called with each part of a streamed answer; of a `streaming` request.
            on_progress: called with a fraction from 0 to 1 and a text.
            waiting: entered while nothing else is done than to wait, and no lock of ours is held.

        Raises:
            NoSignError: none came; the command goes on.
            CancelledError: it was given up before it was sent.
            ClientError: it failed.
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
        return self.result()

    # -- the link's thread --------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """Mark it as being sent; return False where nobody waits any more."""
        if self.running():  # a second try, after the connection broke
            return not self.unwanted
        return self.set_running_or_notify_cancel()

    @property
    def persistent(self) -> bool:
        """Whether a broken connection is replaced for it, also where for others it would not be."""
        return False

    @property
    def advanced(self) -> bool:
        """Whether this connection brought some of it that no other will have to bring again."""
        return False

    @property
    def ending(self) -> tuple[bytes, ...]:
        """The words by which the server is to be asked to end it; none where it is not."""
        return CANCEL if self.unwanted else ()

    def outcome(self, error: ClientError, *, sent: bool, comes_back: bool) -> ClientError | None:
        """Return with what it fails where the connection ended before its answer came; None: it is to be sent again.

        Args:
            error: why the connection ended.
            sent: all of it was given to the network.
            comes_back: there will be another connection.
        """
        if self.begun:
            return broke_off(error)
        if self.unwanted or not (comes_back and (not sent or (self.idempotent and not self.repeated))):
            return may_have_run(error) if sent else error
        self.repeated = sent
        return None

    def withdrawn(self) -> ClientError:
        """Return with what it fails where it was given up between its first try and the second."""
        return may_have_run(closed_here()) if self.repeated else closed_here()

    def stopped(self, error: ClientError) -> ClientError:
        """Return with what it fails where there will be no connection any more, because of `error`."""
        return error

    def take(self, push: Push) -> None:
        """Take a `stream`, `progress` or `job` push."""
        if push.kind == PROGRESS:
            if (progress := Progress.from_items(push.items)) is not None:
                self.parts.tell(progress)
            return
        self.begun = True
        if push.kind != STREAM:  # it runs as a job, which nobody here asked to follow
            return
        part = push.items[0] if push.items else None
        if self._collected is None:
            self.parts.put(part)
        elif not self.unwanted:
            self._collected_bytes += weight(part)
            if self._collected_bytes > MOST_COLLECTED:
                self._collected.clear()
                self.abandon()
            else:
                self._collected.append(part)

    def answer(self, reply: object) -> None:
        """Take the reply, which ends it."""
        if self._collected_bytes > MOST_COLLECTED:
            self.set_exception(_too_long())
        elif isinstance(reply, ErrorReply):
            self.set_exception(CommandFailed(reply.code, reply.text))
        elif self._collected is not None and self.begun:
            # As on RESP2, where the server collects; there a final reply of its own has no place, here it has.
            self.set_result(self._collected if is_plain_end(reply) else [*self._collected, reply])
        else:
            self.set_result(reply)


def unheard(words: Sequence[bytes]) -> Request:
    """Return a request, begun already, by which the server is asked to end another; nobody waits for its answer."""
    request = Request(words, idempotent=True)
    request.begin()
    request.unwanted = True
    request.told = request.ending
    return request


def is_plain_end(reply: object) -> bool:
    """Say whether the reply after a stream says no more than that it is over."""
    return isinstance(reply, Status) and reply == "OK"


def _too_long() -> ClientError:
    return TooLongError(
        _("The answer is longer than {limit} MiB: have it part by part (on_part).").format(
            limit=MOST_COLLECTED // 1024 // 1024
        )
    )

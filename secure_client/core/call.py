"""One command on its way to the server, and its answer to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secure_client.core.progress import Progress, weight
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

ANSWER_TIMEOUT = 60.0
"""Seconds without a sign of a command, unless the caller says otherwise; the server's own usual limit for one."""
PIPELINED = 256
"""Commands of a pipeline that are under way at once: enough to hide the network, few enough to leave others room."""
PUSHES_KEPT = 1000
"""Pushes that nobody has taken yet, beyond which the oldest go: who does not look must not fill the memory."""
ROOM_BYTES = 256 * 1024
"""What may lie between the link and a receiver before that is full, beyond what one look at the socket brings."""

_GOODBYES = frozenset({b"EXIT", b"QUIT"})


class NoSignError(TimeoutError):
    """Nothing was heard of a command for too long."""


class Receiver(Protocol):
    """Who waits for a call: a thread, a task, or nobody."""

    @property
    def full(self) -> bool:
        """Whether it is so far behind with the parts that nothing more is to be read."""

    def begin(self) -> bool:
        """Called once, when the call is about to be sent; False where it was given up before."""

    def part(self, value: object, size: int) -> None:
        """Take a part of a streamed answer; `size` is about how many bytes it takes."""

    def progress(self, progress: Progress) -> None:
        """Take a progress, in place of the one before."""

    def succeed(self, reply: object) -> None:
        """Take the answer; the last word."""

    def fail(self, error: ClientError) -> None:
        """Take that there is none; the last word."""


class Nobody:
    """Waits for nothing."""

    full = False

    def begin(self) -> bool:
        """Let it be sent."""
        return True

    def part(self, _value: object, _size: int) -> None:
        """Drop it."""

    def progress(self, _progress: Progress) -> None:
        """Drop it."""

    def succeed(self, _reply: object) -> None:
        """Drop it."""

    def fail(self, _error: ClientError) -> None:
        """Drop it."""


class Call:
    """One command, from its submission to its answer.

    A streamed answer is collected into a list, unless the receiver takes its parts as they come.

    Args:
        arguments: the command's name and its arguments.
        idempotent: may be sent again when the connection broke before the answer came.
        streaming: the receiver takes the parts; while it is full, the connection stands still.

    Attributes:
        receiver: who waits for it; to be set before it is submitted.
        payload: the bytes for the wire.
        goodbye: the server closes after the answer.
        end: position in the connection's outgoing stream of the byte after its last one.
        started: it was sent once, at least in part.
        unwanted: the server shall end it; somebody may still wait for what it says to that. Whoever sets it tells the
            link (`Link.tick`).
        told: the words by which the server was asked to end it, on this connection.
        begun: a part of its answer has come.
        repeated: was sent a second time; there is no third, for it may be what breaks the connection.
    """

    def __init__(self, arguments: Sequence[bytes], *, idempotent: bool, streaming: bool = False) -> None:
        self.receiver: Receiver = Nobody()
        self.payload = encode_request(list(arguments))
        self.idempotent = idempotent
        self.goodbye = arguments[0].upper() in _GOODBYES
        self.end = 0
        self.started = False
        self.unwanted = False
        self.told: tuple[bytes, ...] = ()
        self.begun = False
        self.repeated = False
        self._collected: list[object] | None = None if streaming else []
        self._collected_bytes = 0

    # -- whoever waits for it -----------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Want it ended. If it runs at the server, the link asks for that (CANCEL), and the answer says the rest."""
        self.unwanted = True

    def leave(self) -> None:
        """Nobody takes any more of its answer."""
        self.abandon()

    # -- the link -----------------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """Mark it as being sent; return False where nobody waits any more."""
        if self.started:  # a second try, after the connection broke
            return not self.unwanted
        self.started = self.receiver.begin()
        return self.started

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
                self.receiver.progress(progress)
            return
        self.begun = True
        if push.kind != STREAM:  # it runs as a job, which nobody here asked to follow
            return
        part = push.items[0] if push.items else None
        if self._collected is None:
            self.receiver.part(part, weight(part))
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
            self.receiver.fail(_too_long())
        elif isinstance(reply, ErrorReply):
            self.receiver.fail(self.failed(reply))
        elif self._collected is not None and self.begun:
            # As on RESP2, where the server collects; there a final reply of its own has no place, here it has.
            self.receiver.succeed(self._collected if is_plain_end(reply) else [*self._collected, reply])
        else:
            self.receiver.succeed(reply)

    def failed(self, reply: ErrorReply) -> ClientError:
        """Return with what it fails where the server answers with an error."""
        return CommandFailed(reply.code, reply.text)


def unheard(words: Sequence[bytes]) -> Call:
    """Return a call, begun already, by which the server is asked to end another; nobody waits for its answer."""
    call = Call(words, idempotent=True)
    call.started = call.unwanted = True
    call.told = call.ending
    return call


def is_plain_end(reply: object) -> bool:
    """Say whether the reply after a stream says no more than that it is over."""
    return isinstance(reply, Status) and reply == "OK"


def _too_long() -> ClientError:
    return TooLongError(
        _("The answer is longer than {limit} MiB: have it part by part (on_part).").format(
            limit=MOST_COLLECTED // 1024 // 1024
        )
    )

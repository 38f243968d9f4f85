"""A job that is followed: a call that goes on from its next part when the connection was replaced.

Until the server has told the job's number, the call is what it was: a start with a key, which may be repeated, for
the same key leads to the same job; or one without, which may not. From then on the next connection is asked for the
rest, by `JOB ATTACH <number> <next part>`. The link counts what it was given: no part is lost, and none comes twice.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

from secure_client.core.call import CANCEL, JOB, STREAM, Call
from secure_client.core.progress import weight
from secure_client.errors import (
    BusyError,
    ClientError,
    CommandFailed,
    DetachedError,
    JobLostError,
    job_goes_on,
    job_left,
    may_have_run,
)
from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_requests import encode_request

MOST_FRUITLESS = 10
"""Connections in a row that brought nothing of the job, after which it is left: about a minute of them. What the server
says of it may be what breaks them."""

DETACH = (b"DETACH",)
_KINDS: dict[str, type[CommandFailed]] = {
    ErrorCode.BUSY: BusyError,
    ErrorCode.DETACHED: DetachedError,
    ErrorCode.LOST: JobLostError,
}


class Part(NamedTuple):
    """A part of a job's output.

    Attributes:
        number: counted from 0.
        value: as the server sent it.
    """

    number: int
    value: object


class Gap(NamedTuple):
    """Parts that are not there any more, or never were.

    Attributes:
        first: the number of the first of them.
        next: the number of the part after the last of them.
    """

    first: int
    next: int


class Standing(NamedTuple):
    """How a job stands.

    Attributes:
        job: its number.
        state: `queued`, `running`, `done`, …
        place: in the line, from 1, while it is queued; else 0.
    """

    job: int
    state: str
    place: int = 0


class Watch(Call):
    """Follows a job. The parts that come of it are `Standing`, `Part` and `Gap`, in the order of its output.

    Args:
        arguments: what starts it, with a key, or attaches to it: it may be sent again.
        number: the job's, of one that there is already; else 0.
        first: the part to begin with.

    Attributes:
        number: the job's; 0 until the server has told it.
        next: the number of the part that comes next.
        joined: it was there before.
        leaving: it is to be followed no more; it goes on.
    """

    def __init__(self, arguments: Sequence[bytes], *, number: int = 0, first: int = 0) -> None:
        super().__init__(arguments, idempotent=True, streaming=True)
        self.number = number
        self.next = first
        self.joined = number > 0
        self.leaving = False
        self._standing: Standing | None = None
        self._position = first  # in the output, of what the server sends next
        self._began = first  # on this connection
        self._again = False  # it goes on, on another connection than its first
        self._fruitless = 0
        self._fruitful = False  # this connection brought something

    @classmethod
    def start(cls, words: Sequence[bytes], key: str) -> Self:
        """Start a command as a job, and follow it.

        Args:
            words: the command's name and its arguments.
            key: by which the same user's start is known again, so that it is never doubled.
        """
        return cls([b"JOB", b"START", b"--key", key.encode("utf-8", "surrogateescape"), *words])

    @classmethod
    def attach(cls, number: int, first: int = 0) -> Self:
        """Follow a job that there is.

        Args:
            number: the job's.
            first: the part to begin with.
        """
        return cls([b"JOB", b"ATTACH", b"%d" % number, b"%d" % first], number=number, first=first)

    # -- whoever waits for it -----------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """As of any call; who attached to a job ends the following alone."""
        self.leaving = self.leaving or self.joined
        super().abandon()

    def leave(self) -> None:
        """Follow it no more; it goes on. `DetachedError` is what it then fails with."""
        self.leaving = self.unwanted = True

    # -- the link -----------------------------------------------------------------------------------------------------

    @property
    def persistent(self) -> bool:
        """Whether another connection is wanted: also to have it ended, if it has begun."""
        return not self.leaving and (self.begun or not self.unwanted)

    @property
    def advanced(self) -> bool:
        """Whether this connection brought a part, or its loss."""
        return self.next > self._began

    def begin(self) -> bool:
        """As of any call; one that is to be ended must be followed for that."""
        return self.persistent if self.started else super().begin()

    @property
    def ending(self) -> tuple[bytes, ...]:
        """How the server is asked: CANCEL ends a job for who started it by this very request, and for nobody else."""
        if self.leaving:
            return DETACH if self.begun else ()  # before that the server may know of nothing to be left
        if self.unwanted and self._again:
            return (b"JOB", b"CANCEL", b"%d" % self.number)
        return CANCEL if self.unwanted else ()

    def outcome(self, error: ClientError, *, sent: bool, comes_back: bool) -> ClientError | None:
        """As of any call; what has begun goes on from its next part."""
        self._fruitless = 0 if self._fruitful else self._fruitless + sent
        self._fruitful, self._began = False, self.next
        knows_how = not sent or self.begun or self.idempotent
        if not (self.persistent and comes_back and knows_how and self._fruitless < MOST_FRUITLESS):
            return self.withdrawn() if self.leaving else self._left(error, sent=sent)
        self.repeated = self.repeated or sent
        self.told = ()
        if self.begun:
            self._again = True
            self.payload = encode_request([b"JOB", b"ATTACH", b"%d" % self.number, b"%d" % self.next])
        return None

    def withdrawn(self) -> ClientError:
        """As of any call; that a job goes on that nobody wanted to follow any more is no failure."""
        if not self.begun:
            return super().withdrawn()
        error = DetachedError(ErrorCode.DETACHED, job_goes_on(self.number, self.next))
        error.job = self.number
        return error

    def stopped(self, error: ClientError) -> ClientError:
        """As of any call; the job goes on."""
        return self._left(error, sent=self.repeated)

    def take(self, push: Push) -> None:
        """Take a push, and drop the parts that are known already."""
        if push.kind == JOB:
            self._stand(push.items)
            return
        self._fruitful = True
        if push.kind != STREAM:
            super().take(push)
            return
        number, self._position = self._position, self._position + 1
        if number == self.next:
            self.next = number + 1
            value = push.items[0] if push.items else None
            self.receiver.part(Part(number, value), weight(value))

    def failed(self, reply: ErrorReply) -> ClientError:
        """As of any call, by kinds; with the job's number."""
        error = _KINDS.get(reply.code, CommandFailed)(reply.code, reply.text)
        error.job = self.number or None
        return error

    def _stand(self, items: tuple[object, ...]) -> None:
        """Take the push `job <number> <state> <first part> [place]`."""
        number, state, first, place = (*items, *(0, "", 0, 0)[len(items) :])[:4]
        if not (isinstance(number, int) and isinstance(first, int) and isinstance(place, int) and number > 0):
            return
        if self.number not in (0, number):
            return
        self.number, self.begun, self._position = number, True, first
        standing = Standing(number, str(state), place)
        if standing != self._standing:
            self._standing = standing
            self.receiver.part(standing, weight(None))
        if first > self.next:
            self.receiver.part(Gap(self.next, first), weight(None))
            self.next = first

    def _left(self, error: ClientError, *, sent: bool) -> ClientError:
        if self.number:
            return job_left(error, self.number, self.next)
        return may_have_run(error) if sent else error


def typed(words: Sequence[bytes], *, is_job: bool) -> Watch | None:
    """Return what follows the job that a typed line starts or attaches to; None where it does neither.

    A start that has no key gets one.

    Args:
        words: the line's.
        is_job: each run of the line's command is a job.
    """
    name = b" ".join(words[:2]).upper()
    if name == b"JOB START":
        keyed = len(words) > 2 and words[2].partition(b"=")[0] == b"--key"
        return Watch(words) if keyed else Watch.start(words[2:], new_key())
    if name == b"JOB RERUN":
        keyed = any(word.partition(b"=")[0] == b"--key" for word in words[2:])
        return Watch(words if keyed else [*words[:2], b"--key", new_key().encode(), *words[2:]])
    if name == b"JOB ATTACH":
        numbers = [word for word in words[2:] if word != b"--numbered"]
        if not (1 <= len(numbers) <= 2 and all(word.isdigit() and len(word) < 19 for word in numbers)):
            return None  # the server says what is wrong with it
        return Watch.attach(*map(int, numbers))
    return Watch.start(words, new_key()) if is_job else None


def new_key() -> str:
    """Return a key that nobody else has, for a start that is to be known again."""
    import uuid  # noqa: PLC0415 - it looks at the platform for long, and most commands are no jobs

    return str(uuid.uuid4())

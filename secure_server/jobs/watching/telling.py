"""How a job is told to who watches it: in pushes, in lines, all at once, or its end alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from secure_protocol.replies import ErrorReply, Push, ReplyKind
from secure_protocol.resp_replies import ReplyDecoder
from secure_server.jobs.job import Job
from secure_server.jobs.watching.seen import Seen
from secure_server.session.codecs import RESP3, TEXT, Codec

COLLECTED_BYTES = 256 * 1024
"""Output that is told in one reply; who wants more asks again from the next part on."""


class Telling(ABC):
    """What who watches is told, encoded.

    Args:
        codec: theirs.

    Attributes:
        heeds_output: parts are told at all.
        awaits_end: it lasts until the job's end.
    """

    heeds_output = awaits_end = True

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def stands(self, seen: Seen, first: int) -> bytes:
        """Return how the job stands, and the part that comes next; told in the beginning, and when it changed."""
        del seen, first
        return b""

    def resumes(self, seen: Seen, first: int) -> bytes:
        """Return from which part it goes on, where output is missing."""
        return self.stands(seen, first)

    def parts(self, first: int, kept: Sequence[bytes]) -> bytes:
        """Return parts of the output.

        Args:
            first: the number of the first of them.
            kept: each as it was kept, in RESP3.
        """
        del first, kept
        return b""

    def progress(self, push: Push) -> bytes:
        """Return how far it is."""
        return self.codec.push(push) if self.codec.pushes else b""

    @abstractmethod
    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        """Return the reply that ends the watching.

        Args:
            seen: how the job stands.
            reply: what its handler answered, in RESP3, or why it did not.
        """


class _Pushed(Telling):
    """RESP3: the push `job`, then those of any stream; the reply is the handler's own."""

    _HEAD = RESP3.part(b"").removesuffix(b"$0\r\n\r\n")

    def stands(self, seen: Seen, first: int) -> bytes:
        job = seen.job
        place = (seen.place,) if seen.place else ()
        return self.codec.push(Push("job", (job.number, str(job.state), first, *place)))

    def parts(self, first: int, kept: Sequence[bytes]) -> bytes:
        del first
        return b"".join([piece for part in kept for piece in (self._HEAD, part)])

    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        del seen
        return reply if isinstance(reply, bytes) else self.codec.failure(reply, streamed=True)


class _Lined(Telling):
    """Text: the line `JOB <n> FROM <k>`, then each part's lines, then what the handler returned, and the line `.`.

    Args:
        codec: theirs.
        numbered: each line of a part begins with the part's number.
    """

    def __init__(self, codec: Codec = TEXT, *, numbered: bool = False) -> None:
        super().__init__(codec)
        self._numbered = numbered
        self._from = -1

    def stands(self, seen: Seen, first: int) -> bytes:
        if self._from >= 0:  # a place in line, say: who reads lines is told of output alone
            return b""
        return self.resumes(seen, first)

    def resumes(self, seen: Seen, first: int) -> bytes:
        self._from = first
        return b"JOB %d FROM %d\n" % (seen.job.number, first)

    def parts(self, first: int, kept: Sequence[bytes]) -> bytes:
        written = [self.codec.part(value) for value in values_of(kept)]
        if not self._numbered:
            return b"".join(written)
        return b"".join(
            [
                b"%d: %b\n" % (number, line.removeprefix(b".") if line.startswith(b"..") else line)
                for number, lines in enumerate(written, first)
                for line in lines.splitlines()
            ]
        )

    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        del seen
        value = reply if isinstance(reply, ErrorReply) else value_of(reply)
        if isinstance(value, ErrorReply):
            return self.codec.failure(value, streamed=True)
        said = b"" if value is None or value == "OK" else self.codec.part(value)
        return said + self.codec.end(None)


class Collected(Telling):
    """`JOB OUTPUT`: waits until there is something from a part on, and tells it in one reply, a map."""

    def map_of(self, seen: Seen, asked: int, first: int, kept: Sequence[bytes]) -> bytes:
        """Return the whole reply.

        Args:
            seen: how the job stands.
            asked: the part from which on it was asked for.
            first: the number of the first of `kept`, or of the next part where there are none.
            kept: the parts, each in RESP3.
        """
        job, more = seen.job, first + len(kept)
        if self.codec.for_people:
            lines = _Lined(self.codec, numbered=True)
            return lines.resumes(seen, first) + lines.parts(first, kept) + self.codec.end(None)
        answer: dict[str, object] = {
            "job": job.number, "state": str(job.state), "first": first, "next": more,
            "dropped": max(0, first - asked), "parts": values_of(kept),
        }  # fmt: skip
        return self.codec.reply(answer, ReplyKind.LINES)

    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        """Return it where there is nothing from that part on."""
        del reply
        return self.map_of(seen, seen.next, seen.next, ())


class _Awaited(Telling):
    """`JOB WAIT`: the end alone."""

    heeds_output = False

    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        del seen
        if isinstance(reply, ErrorReply):
            return self.codec.failure(reply)
        if self.codec.version == 3:
            return reply
        value = value_of(reply)
        if isinstance(value, ErrorReply):
            return self.codec.failure(value)
        return self.codec.reply(value, ReplyKind.LINES if isinstance(value, list | dict) else ReplyKind.TEXT)


class _Numbered(Telling):
    """RESP2, which cannot tell parts from replies: the job's number at once."""

    heeds_output = False
    awaits_end = False

    def end(self, seen: Seen, reply: bytes | ErrorReply) -> bytes:
        del reply
        return self.codec.reply(seen.job.number)


def parts_told(codec: Codec, *, numbered: bool = False) -> Telling:
    """Return how parts are told as they come.

    Args:
        codec: of who watches, that can tell them from replies.
        numbered: lines begin with the number of their part; people's alone.
    """
    return _Lined(codec, numbered=numbered) if codec.for_people else _Pushed(codec)


def end_told(codec: Codec) -> Telling:
    """Return how the end alone is told."""
    return _Awaited(codec)


def number_told(codec: Codec) -> Telling:
    """Return how the number alone is told, at once."""
    return _Numbered(codec)


def values_of(kept: Sequence[bytes]) -> list[object]:
    """Return parts as values again."""
    decoder = ReplyDecoder()
    decoder.feed(b"".join(kept))
    return decoder.decode()


def value_of(kept: bytes) -> object:
    """Return one value that was kept."""
    (value,) = values_of([kept])
    return value


def reply_of(job: Job) -> bytes | ErrorReply:
    """Return what a job that ended is answered with, where its record has that: not a result that was too long."""
    if job.code:
        return ErrorReply(job.code, job.message)
    return b"+OK\r\n" if job.result is None else job.result

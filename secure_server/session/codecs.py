"""How a session's peer is answered: three constants, chosen by the first byte it sends and by `HELLO`.

Each turns the same five things into bytes: a reply, a part of one that streams, a push, a failure, and the close. What
else differs between them is data on them, so that nobody else asks which of them it is.

A long reply that many ask for can be put together from bytes that were kept: `item` and `pair` write what it is made
of, and `array` and `mapping` join that to what `reply` would have written of the whole list or dict.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from secure_protocol import resp_encoding, text_replies
from secure_protocol.replies import Encoded, ErrorReply, Push, ReplyKind, Status
from secure_server.i18n import Translate
from secure_server.session.endings import Ending, closed


class Codec(ABC):
    """One way of writing what a session says.

    Attributes:
        name: `text`, `resp2` or `resp3`.
        version: of RESP; text connections are told 2.
        for_people: a person reads it, line by line.
        pushes: the peer can tell a push from a reply.
        streams: parts of a reply can be sent as they come.
        interleaves: a message may come while a reply is under way.
    """

    __slots__ = ("for_people", "interleaves", "name", "pushes", "streams", "version")  # slots are read fastest

    def __init__(
        self,
        name: str,
        *,
        version: int = 2,
        for_people: bool = False,
        pushes: bool = False,
        streams: bool = True,
        interleaves: bool = True,
    ) -> None:
        self.name = name
        self.version = version
        self.for_people = for_people
        self.pushes = pushes
        self.streams = streams
        self.interleaves = interleaves

    @abstractmethod
    def reply(self, value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
        """Return one reply.

        Args:
            value: what a handler may return, see `secure_protocol.replies`.
            kind: what the command declared.
            form: its wording around a one-line answer.

        Raises:
            CommandError: it is longer than `REPLY_BYTES`.
            TypeError: it is no reply.
        """

    @abstractmethod
    def part(self, value: object) -> bytes:
        """Return one value of a streamed reply.

        Raises:
            CommandError: it is longer than `REPLY_BYTES`.
            TypeError: it is no reply.
        """

    @abstractmethod
    def item(self, value: object) -> bytes:
        """Return one value as it stands in a list.

        Raises:
            CommandError: it is longer than `REPLY_BYTES`.
            TypeError: it is no reply.
        """

    @abstractmethod
    def pair(self, key: str, value: object) -> bytes:
        """Return a key and its value as they stand in a dict.

        Raises:
            CommandError: it is longer than `REPLY_BYTES`.
            TypeError: it is no reply.
        """

    @abstractmethod
    def array(self, items: Sequence[bytes]) -> Encoded:
        """Return the list of `items`, as a reply of several lines."""

    @abstractmethod
    def mapping(self, pairs: Sequence[bytes]) -> Encoded:
        """Return the dict of `pairs`, as a reply of several lines."""

    @abstractmethod
    def end(self, value: object) -> bytes:
        """Return what comes after the parts: the generator's own return value, where there is room for one."""

    @abstractmethod
    def push(self, push: Push) -> bytes:
        """Return a message that nobody asked for, in the form in which the peer takes one."""

    def failure(self, failure: ErrorReply, *, streamed: bool = False) -> bytes:
        """Return a failure; it is the end of a reply that has `streamed` something."""
        del streamed
        return self.reply(failure)

    def close(self, ending: Ending, translate: Translate, *, awaited: bool) -> bytes:
        """Return what is said of the end of the connection; nothing where the reply before said it all.

        Nor to a program that would take it for a reply, unless it waits for one: real clients stop working at a reply
        that they did not ask for.

        Args:
            ending: why, what is said of it, and when to come back.
            translate: into the session's language.
            awaited: the peer waits for a reply, or said that it takes messages between replies.
        """
        if not (awaited or self.pushes or self.for_people):
            return b""
        reason, detail, retry_after = ending
        said = closed(reason, detail, translate, retry_after, push=self.pushes)
        return b"" if said is None else self.reply(said)

    @abstractmethod
    def of_version(self, version: int) -> Codec:
        """Return the codec of the same connection after `HELLO` chose a version of RESP."""


class _Text(Codec):
    __slots__ = ()

    def reply(self, value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
        return text_replies.encode(value, kind, form)

    def part(self, value: object) -> bytes:
        return text_replies.part(value)

    def item(self, value: object) -> bytes:
        return text_replies.part([value])

    def pair(self, key: str, value: object) -> bytes:
        return text_replies.part({key: value})

    def array(self, items: Sequence[bytes]) -> Encoded:
        return Encoded(b"".join([*items, text_replies.END]))

    def mapping(self, pairs: Sequence[bytes]) -> Encoded:
        return self.array(pairs)

    def end(self, value: object) -> bytes:
        del value
        return text_replies.END

    def push(self, push: Push) -> bytes:
        return text_replies.encode(push)

    def failure(self, failure: ErrorReply, *, streamed: bool = False) -> bytes:
        return text_replies.encode(failure) + (text_replies.END if streamed else b"")

    def of_version(self, version: int) -> Codec:
        del version
        return self


class _Resp2(Codec):
    __slots__ = ()

    def reply(self, value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
        del kind, form
        return resp_encoding.encode(value, self.version)

    def part(self, value: object) -> bytes:
        return self.item(value)

    def item(self, value: object) -> bytes:
        return resp_encoding.encode(value, self.version)

    def pair(self, key: str, value: object) -> bytes:
        return self.item(key) + self.item(value)

    def array(self, items: Sequence[bytes]) -> Encoded:
        return Encoded(resp_encoding.array(items))

    def mapping(self, pairs: Sequence[bytes]) -> Encoded:
        return Encoded(resp_encoding.mapping(pairs, self.version))

    def end(self, value: object) -> bytes:
        return self.item(Status("OK") if value is None else value)

    def push(self, push: Push) -> bytes:
        return self.item([push.kind, *push.items])

    def of_version(self, version: int) -> Codec:
        return RESP3 if version == 3 else RESP2


class _Resp3(_Resp2):
    __slots__ = ()

    def part(self, value: object) -> bytes:
        return self.item(Push("stream", (value,)))

    def push(self, push: Push) -> bytes:
        return self.item(push)


class _Kept(_Resp3):
    __slots__ = ()

    def part(self, value: object) -> bytes:
        return self.item(value)


# A line in the midst of a text reply would be taken for one of its own.
TEXT: Codec = _Text("text", for_people=True, interleaves=False)
RESP2: Codec = _Resp2("resp2", streams=False)
RESP3: Codec = _Resp3("resp3", version=3, pushes=True)
KEPT: Codec = _Kept("kept", version=3, pushes=True)
"""How a job's output is kept, to be written anew for each reader: RESP3, but that a part is the value itself."""

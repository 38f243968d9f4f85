"""What a command answers, before a codec turns it into bytes.

A handler returns plain Python (`str`, `bytes`, `int`, `float`, `bool`, `None`, `list`, `tuple`, `dict`) or one of the
few shapes below, which say more than plain Python can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from secure_protocol.errors import CommandError
from secure_protocol.value import Value, put

if TYPE_CHECKING:
    from datetime import tzinfo


class ReplyKind(StrEnum):
    """How a reply is shown to a person; told to clients by `COMMANDS`.

    One line: `TEXT`, `TIMESTAMP`. Several lines, ended by a line `.` in text: `LINES`, `TABLE`, `STREAM`.
    """

    TEXT = "text"
    TIMESTAMP = "timestamp"
    LINES = "lines"
    TABLE = "table"
    STREAM = "stream"

    @property
    def one_line(self) -> bool:
        """Whether a text reply of this kind is always exactly one line."""
        return self is ReplyKind.TEXT or self is ReplyKind.TIMESTAMP


class Status(str):
    """A short fixed word such as `OK` or `PONG`: a RESP simple string."""

    __slots__ = ()


class Verbatim(str):
    """Text in lines of its own making, such as `CLIENT LIST`: a RESP3 verbatim string, a bulk string on RESP2."""

    __slots__ = ()


class Timestamp(Value):
    """A moment: Unix seconds and microseconds, as Redis' `TIME` gives it."""

    seconds: int
    microseconds: int
    __slots__ = __match_args__ = ("seconds", "microseconds")

    def __init__(self, seconds: int, microseconds: int) -> None:
        put(self, "seconds", seconds)
        put(self, "microseconds", microseconds)

    def isoformat(self, zone: tzinfo | None = None) -> str:
        """Return ISO 8601 with seconds and offset, in `zone` or else local time."""
        from datetime import datetime  # noqa: PLC0415 - most answers are no moments

        return datetime.fromtimestamp(self.seconds, tz=zone).astimezone(zone).isoformat(timespec="seconds")


class Table(Value):
    """Rows under named columns; on RESP an array of maps, so that programs need not count columns.

    Attributes:
        columns: names as programs read them, lower case; people see them translated.
        rows: as wide as `columns`; cells are what a reply may hold.
        empty: what a person is told instead of an empty table.
        pause: called by whoever writes it after each row, so that a long one keeps nobody waiting; None where it does.
    """

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    empty: str
    pause: Callable[[], object] | None
    __match_args__ = ("columns", "rows", "empty")
    __slots__ = (*__match_args__, "pause")

    def __init__(
        self,
        columns: tuple[str, ...],
        rows: list[tuple[object, ...]],
        empty: str = "",
        pause: Callable[[], object] | None = None,
    ) -> None:
        put(self, "columns", columns)
        put(self, "rows", rows)
        put(self, "empty", empty)
        put(self, "pause", pause)


class Push(Value):
    """A message that the server sends unasked; a RESP3 push.

    Attributes:
        kind: its first element, such as `closed`.
        items: what follows.
    """

    kind: str
    items: tuple[object, ...]
    __slots__ = __match_args__ = ("kind", "items")

    def __init__(self, kind: str, items: tuple[object, ...] = ()) -> None:
        put(self, "kind", kind)
        put(self, "items", items)


class Encoded(Value):
    """A whole reply that was written before it was asked for; no codec looks into it, and no decoder makes one.

    Attributes:
        data: the bytes, in the codec of the session that is answered.
    """

    data: bytes
    __slots__ = __match_args__ = ("data",)

    def __init__(self, data: bytes) -> None:
        put(self, "data", data)


class ErrorReply(Value):
    """A failure as the peer sees it.

    Attributes:
        code: see `secure_protocol.errors.ErrorCode`; a string, for a client may meet a newer server.
        text: one sentence in the session's language.
    """

    code: str
    text: str
    __slots__ = __match_args__ = ("code", "text")

    def __init__(self, code: str, text: str) -> None:
        put(self, "code", code)
        put(self, "text", text)

    def __str__(self) -> str:
        """As a person reads it: a plain `ERR` needs no code, the others tell what to decide by."""
        return f"ERROR: {self.text}" if self.code == "ERR" else f"ERROR: {self.code} {self.text}"


def too_long(most: int) -> CommandError:
    """Return the refusal of a reply that takes more than `most` bytes."""
    return CommandError("The answer is longer than {limit} bytes; its author may give it in parts.", limit=most)


def pairs(value: dict[object, object]) -> Iterable[tuple[object, object]]:
    """Return what is in a map as it is now, for another thread may go on adding to it.

    One with an `items` of its own is asked as it is written: whether that ends, nobody knows.
    """
    return [*value.items()] if type(value).items is dict.items else value.items()

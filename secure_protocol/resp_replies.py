"""Replies as programs read them: RESP2, or RESP3 after `HELLO 3`. The server encodes, the client decodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from secure_protocol.errors import ProtocolError
from secure_protocol.replies import Encoded, ErrorReply, Push, Status, Table, Timestamp, Verbatim

ELEMENT_BYTES = 64
"""What one value of a reply costs a client beside its own bytes, about: a million empty arrays are not small."""
KEY_CHARACTERS = 64 * 1024
"""Of a map's key that is no string, which none of our servers sends: what it is written out as can be far longer."""

_INTEGER = re.compile(rb"[+-]?[0-9]{1,4300}")  # longer ones Python itself refuses (CVE-2020-10735)
_DOUBLE = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|inf)|nan")
_MISSING = object()


def encode(value: object, version: int = 2) -> bytes:
    """Return the bytes of one reply.

    Args:
        value: what a handler may return, see `secure_protocol.replies`.
        version: 2 or 3.

    Raises:
        TypeError: a handler returned something that is no reply, nests without end or has rows of unequal width.
    """
    if type(value) is bytes:  # by far the most
        return b"$%d\r\n%b\r\n" % (len(value), value)
    try:
        return _encode(value, version)
    except RecursionError:
        raise TypeError("the reply nests too deep") from None
    except ValueError as error:
        raise TypeError(f"the reply cannot be written: {error}") from None


def array(items: Sequence[bytes]) -> bytes:
    """Return the array of values that are encoded already."""
    return b"".join([b"*%d\r\n" % len(items), *items])


def mapping(pairs: Sequence[bytes], version: int) -> bytes:
    """Return the map, on RESP2 the flat array, of keys and values that are encoded already, a key with its value."""
    head = b"%%%d\r\n" % len(pairs) if version >= 3 else b"*%d\r\n" % (2 * len(pairs))
    return b"".join([head, *pairs])


def _encode(value: object, version: int) -> bytes:
    if type(value) is str:  # by far the most in a table
        data = _utf8(value)
        return b"$%d\r\n%b\r\n" % (len(data), data)
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, str):
        return _encode_text(value, version)
    if isinstance(value, int | float) or value is None:
        return _encode_scalar(value, version)
    if isinstance(value, ErrorReply):
        return b"-%b\r\n" % _utf8(_one_line(f"{value.code} {value.text}"))
    if isinstance(value, list | tuple):
        items = [*value]  # as it is now: another thread may go on adding to it, and the count must be true
        return _aggregate(b"*", len(items), items, version)
    if isinstance(value, dict):
        items = [part for pair in value.items() for part in pair]
        return _aggregate(b"%", len(items) // 2, items, 3) if version >= 3 else _aggregate(b"*", len(items), items, 2)
    if isinstance(value, Timestamp):
        return _encode([str(value.seconds), str(value.microseconds)], version)
    if isinstance(value, Table):
        return _encode_table(value, version)
    if isinstance(value, Push):
        return _aggregate(b">", 1 + len(value.items), (value.kind, *value.items), version)
    if isinstance(value, Encoded):  # last, for it is long, and few
        return value.data
    raise TypeError(f"{type(value).__name__} is no reply")


def _encode_text(value: str, version: int) -> bytes:
    if isinstance(value, Status):
        return b"+%b\r\n" % _utf8(_one_line(value))
    data = _utf8(value)
    if isinstance(value, Verbatim) and version >= 3:
        return b"=%d\r\ntxt:%b\r\n" % (len(data) + 4, data)
    return b"$%d\r\n%b\r\n" % (len(data), data)


def _encode_scalar(value: float | None, version: int) -> bytes:
    if value is None:
        return b"_\r\n" if version >= 3 else b"$-1\r\n"
    if isinstance(value, bool):
        return (b"#t\r\n" if value else b"#f\r\n") if version >= 3 else b":%d\r\n" % value
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return b":%d\r\n" % value
        return b"(%d\r\n" % value if version >= 3 else _encode(str(value), version)
    text = repr(float(value))
    return b",%b\r\n" % text.encode() if version >= 3 else _encode(text, version)


def _aggregate(kind: bytes, count: int, items: Iterable[object], version: int) -> bytes:
    return b"%b%d\r\n" % (kind, count) + b"".join([_encode(item, version) for item in items])


def _encode_table(table: Table, version: int) -> bytes:
    """Return an array of maps; their keys, which are the same in each, are encoded once."""
    count = len(table.columns)
    head = b"%%%d\r\n" % count if version >= 3 else b"*%d\r\n" % (2 * count)
    keys = [_encode(column, version) for column in table.columns]
    rows = [*table.rows]
    parts = [b"*%d\r\n" % len(rows)]
    for row in rows:
        parts.append(head)
        for key, cell in zip(keys, row, strict=True):
            parts += key, _encode(cell, version)
    return b"".join(parts)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, as JSON can hold: not writable in UTF-8
        return text.encode("utf-8", "replace")


class ReplyDecoder:
    """The client's half: bytes in, replies and pushes out.

    Bulk and simple strings become `str` (bytes that are not UTF-8 as lone surrogates, so that nothing is lost), maps
    `dict` with keys of `str`, sets and arrays `list`, errors `ErrorReply`, pushes `Push`.

    Two roads, one language: `_decode_fast` takes whole, ordinary values from the front of what came, and whatever it
    does not recognise is left to the strict one. There each byte is looked at once however the reply is cut: unfinished
    arrays and maps wait on a stack of their own, so neither a long reply in small pieces nor a deep one costs more than
    its length.

    Args:
        most_bytes: the longest reply taken, in bytes, `ELEMENT_BYTES` for each of its values included; a client's
            memory is its own to guard.
        most_depth: how deep aggregates may nest.
    """

    __slots__ = (
        "_awaited",
        "_broken",
        "_buffer",
        "_most_bytes",
        "_most_depth",
        "_open",
        "_position",
        "_searched",
        "_size",
    )

    def __init__(self, most_bytes: int = 64 * 1024 * 1024, most_depth: int = 32) -> None:
        self._buffer = bytearray()
        self._most_bytes = most_bytes
        self._most_depth = most_depth
        self._position = 0  # bytes of the buffer decoded already
        self._searched = 0  # bytes of the buffer known to hold no line end behind the position
        self._awaited = (b"", -1)  # kind and length of the string whose header came, or a length of -1
        self._open: list[_Aggregate] = []  # outermost first
        self._size = 0  # of the current reply as far as it is decoded
        self._broken: ProtocolError | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes from the server."""
        self._buffer += data

    def decode(self) -> list[object]:
        """Return the complete replies and pushes, in order.

        Raises:
            ProtocolError: the bytes are no reply; the connection is of no more use, and each later call says so.
        """
        found: list[object] = []
        fast = True  # once for each call, so that no byte is looked at again and again
        try:
            if self._broken is not None:
                raise self._broken
            while True:
                if fast and self._awaited[1] < 0 and self._searched <= self._position:
                    fast = False
                    self._decode_fast(found)
                if (value := self._value()) is _MISSING:
                    break
                self._take(value, found)
        except ProtocolError as error:
            self._broken = error
            self._position = len(self._buffer)
            raise
        finally:
            del self._buffer[: self._position]
            self._searched = max(0, self._searched - self._position)
            self._position = 0
        return found

    def _take(self, value: object, found: list[object]) -> None:
        """Put a value where it belongs, and the reply that this completes into `found`."""
        if self._open and (aggregate := self._open[-1]).missing > 1:  # most values are in the midst of one
            aggregate.items.append(value)
            aggregate.missing -= 1
            return
        reply = self._place(value)
        if reply is not _MISSING:
            self._size = 0
            found.append(reply)

    def _decode_fast(self, found: list[object]) -> None:
        """Take ordinary values from the front of the buffer, all of them whole."""
        data = bytes(self._buffer[self._position :])
        lines = data.split(b"\r\n")
        if self._size + len(data) + ELEMENT_BYTES * len(lines) > self._most_bytes:
            return  # else nothing in it can be over the limit
        last = len(lines) - 1  # what follows the last line end: empty, or the start of something unfinished
        index, length_of = 0, _LENGTHS.get
        while index < last:
            line = lines[index]
            length = length_of(line)
            if length is not None:
                if index + 1 == last or len(lines[index + 1]) != length:
                    break
                index += 1
                self._size += length
                value: object = lines[index].decode("utf-8", "surrogateescape")
            elif (kind := line[:1]) in _STRINGS or line == b"*-1":
                break
            else:
                value = self._opened(kind, line[1:]) if kind in _AGGREGATES else _leaf(kind, line[1:])
            index += 1
            self._size += len(line) + ELEMENT_BYTES
            if value is not _MISSING:
                self._take(value, found)
        self._position += sum(map(len, lines[:index])) + 2 * index

    def _value(self) -> object:
        """Return the next value that holds no other, after opening the aggregates before it."""
        while self._awaited[1] < 0:
            line = self._line()
            if line is None:
                return _MISSING
            kind, rest = line[:1], line[1:]
            if kind in _STRINGS:
                if line == b"$-1":
                    return None
                self._awaited = kind, _number(rest, self._most_bytes - self._size)
            elif kind in _AGGREGATES:
                if line == b"*-1":
                    return None
                if (opened := self._opened(kind, rest)) is not _MISSING:
                    return opened
            else:
                return _leaf(kind, rest)
        return self._string()

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", max(self._position, self._searched - 1))
        if end < 0:
            self._searched = len(self._buffer)
            self._charge(self._searched - self._position, 0)
            return None
        line = bytes(self._buffer[self._position : end])
        self._size = self._charge(len(line), ELEMENT_BYTES)
        self._position = end + 2
        return line

    def _charge(self, count: int, more: int) -> int:
        size = self._size + count + more
        if size > self._most_bytes:
            raise ProtocolError("The reply is longer than {limit} bytes.", limit=self._most_bytes)
        return size

    def _string(self) -> object:
        kind, length = self._awaited
        end = self._position + length
        if len(self._buffer) < end + 2:
            return _MISSING
        if self._buffer[end : end + 2] != b"\r\n":
            raise ProtocolError("A reply is longer than its length says.")
        text = _text(bytes(self._buffer[self._position : end]))
        self._size += length
        self._position = end + 2
        self._awaited = (b"", -1)
        if kind == b"!":
            return _error(text)
        if kind == b"=":
            if text[3:4] != ":":
                raise ProtocolError("A verbatim string does not name its format.")
            return Verbatim(text[4:])
        return text

    def _opened(self, kind: bytes, digits: bytes) -> object:
        """Open an aggregate; return it where it is empty and so finished."""
        count = _number(digits, self._most_bytes)
        if len(self._open) >= self._most_depth:
            raise ProtocolError("The reply nests deeper than {limit} levels.", limit=self._most_depth)
        if count:
            self._open.append(_Aggregate(kind, count * 2 if kind in _PAIRED else count))
        elif kind != _ATTRIBUTE:
            return _finished(kind, [])
        return _MISSING

    def _place(self, value: object) -> object:
        """Put a value into the aggregate that awaits it; return the reply that this completes, if it does."""
        while self._open:
            aggregate = self._open[-1]
            aggregate.items.append(value)
            aggregate.missing -= 1
            if aggregate.missing:
                return _MISSING
            self._open.pop()
            if aggregate.kind == _ATTRIBUTE:  # it says nothing that we use, and what it speaks of follows
                return _MISSING
            value = _finished(aggregate.kind, aggregate.items)
        return value


_LENGTHS = {b"$%d" % length: length for length in range(1025)}
"""Of an ordinary string; a miss only means that the strict road decides."""
_STRINGS = frozenset({b"$", b"=", b"!"})
_AGGREGATES = frozenset({b"*", b"%", b"~", b">", b"|"})
_PAIRED = frozenset({b"%", b"|"})
_ATTRIBUTE = b"|"


@dataclass(slots=True)
class _Aggregate:
    """An array, map, set, push or attribute of which `missing` values are still to come."""

    kind: bytes
    missing: int
    items: list[object] = field(default_factory=list)


def _finished(kind: bytes, items: list[object]) -> object:
    if kind == b"%":
        keys = [key if type(key) is str else _key(key) for key in items[::2]]
        return dict(zip(keys, items[1::2], strict=True))
    if kind == b">":
        return Push(str(items[0]) if items else "", tuple(items[1:]))
    return items


def _leaf(kind: bytes, rest: bytes) -> object:
    if kind == b"+":
        return Status(_text(rest))
    if kind == b"-":
        return _error(_text(rest))
    if kind in (b":", b"("):
        if not _INTEGER.fullmatch(rest):
            raise ProtocolError("A reply holds a number that is none.")
        return int(rest)
    if kind == b",":
        if not _DOUBLE.fullmatch(rest):
            raise ProtocolError("A reply holds a number that is none.")
        return float(rest)
    if (kind, rest) == (b"_", b""):
        return None
    if kind == b"#" and rest in (b"t", b"f"):
        return rest == b"t"
    raise ProtocolError("What came is no reply of this protocol.")


def _number(digits: bytes, limit: int) -> int:
    if not digits.isdigit() or len(digits) > 12 or int(digits) > limit:
        raise ProtocolError("A reply has no sensible length.")
    return int(digits)


def _key(value: object) -> str:
    """Return what is no string as one; a number, too, for its hash is no secret, and a server can choose those of one.

    Raises:
        ProtocolError: it is too long. Each level of maps within keys doubles the backslashes of the one below.
    """
    text = str(value)
    if len(text) > KEY_CHARACTERS:
        raise ProtocolError("A reply holds a key that is too long.")
    return text


def _error(text: str) -> ErrorReply:
    code, _, sentence = text.partition(" ")
    return ErrorReply(code, sentence)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")

"""Replies as programs read them: RESP2, or RESP3 after `HELLO 3`. The server writes them by `resp_encoding`."""

from __future__ import annotations

import re

from secure_protocol.errors import ProtocolError
from secure_protocol.replies import ErrorReply, Push, Status, Verbatim

ELEMENT_BYTES = 64
"""What one value of a reply costs a client beside its own bytes, about: a million empty arrays are not small."""
KEY_CHARACTERS = 64 * 1024
"""Of a map's key that is no string, which none of our servers sends: what it is written out as can be far longer."""

_INTEGER = re.compile(rb"[+-]?[0-9]{1,4300}")  # longer ones Python itself refuses (CVE-2020-10735)
_DOUBLE = rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|inf)|nan"  # few replies have one
_MISSING = object()


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


class _Aggregate:
    """An array, map, set, push or attribute of which `missing` values are still to come."""

    __slots__ = ("items", "kind", "missing")

    def __init__(self, kind: bytes, missing: int) -> None:
        self.kind = kind
        self.missing = missing
        self.items: list[object] = []


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
        if not re.fullmatch(_DOUBLE, rest):
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

"""Replies as the server writes them for programs: RESP2, or RESP3 after `HELLO 3`. `resp_replies` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from secure_protocol.limits import REPLY_BYTES
from secure_protocol.replies import Encoded, ErrorReply, Push, Status, Table, Timestamp, Verbatim, pairs, too_long


class _TooLongError(Exception):
    """What is written takes more than is left; within `encode` alone, which knows how much there was."""


def encode(value: object, version: int = 2, most: int = REPLY_BYTES) -> bytes:
    """Return the bytes of one reply.

    Args:
        value: what a handler may return, see `secure_protocol.replies`.
        version: 2 or 3.
        most: bytes of the reply; a value that shares its parts can be a thousand times longer than what it takes in
            memory, so they are counted as they are written.

    Raises:
        CommandError: it is longer.
        TypeError: a handler returned something that is no reply, nests without end or has rows of unequal width.
    """
    # Bytes are by far the most.
    reply = b"$%d\r\n%b\r\n" % (len(value), value) if type(value) is bytes else _whole(value, version, most)
    if len(reply) > most:
        raise too_long(most)
    return reply


def _whole(value: object, version: int, most: int) -> bytes:
    try:
        return _encode(value, version, most)
    except _TooLongError:
        raise too_long(most) from None
    except RecursionError:
        raise TypeError("the reply nests too deep") from None
    except ValueError as error:
        raise TypeError(f"the reply cannot be written: {error}") from None


def array(items: Sequence[bytes]) -> bytes:
    """Return the array of values that are encoded already."""
    return b"".join([b"*%d\r\n" % len(items), *items])


def mapping(members: Sequence[bytes], version: int) -> bytes:
    """Return the map, on RESP2 the flat array, of keys and values that are encoded already, a key with its value."""
    head = b"%%%d\r\n" % len(members) if version >= 3 else b"*%d\r\n" % (2 * len(members))
    return b"".join([head, *members])


def _encode(value: object, version: int, left: int) -> bytes:
    """Return a value, or raise where what it holds takes more than `left` bytes; whoever asked counts the whole."""
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
        return array(_parts(value, version, left))
    if isinstance(value, dict):
        parts = _parts((part for key, item in pairs(value) for part in (key, item)), version, left)
        return b"%%%d\r\n" % (len(parts) // 2) + b"".join(parts) if version >= 3 else array(parts)
    if isinstance(value, Timestamp):
        return array(_parts((str(value.seconds), str(value.microseconds)), version, left))
    if isinstance(value, Table):
        return _encode_table(value, version, left)
    if isinstance(value, Push):
        parts = _parts((value.kind, *value.items), version, left)
        return b">%d\r\n" % len(parts) + b"".join(parts)
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
        return b"(%d\r\n" % value if version >= 3 else _encode_text(str(value), version)
    text = repr(float(value))
    return b",%b\r\n" % text.encode() if version >= 3 else _encode_text(text, version)


def _parts(items: Iterable[object], version: int, left: int) -> list[bytes]:
    """Return each of the items, whose number is that of the parts: no list is trusted about its length, or its end."""
    parts = []
    for item in items:
        part = _encode(item, version, left)
        left -= len(part)
        if left < 0:
            raise _TooLongError
        parts.append(part)
    return parts


def _encode_table(table: Table, version: int, left: int) -> bytes:
    """Return an array of maps; their keys, which are the same in each, are encoded once."""
    count = len(table.columns)
    head = b"%%%d\r\n" % count if version >= 3 else b"*%d\r\n" % (2 * count)
    keys = _parts(table.columns, version, left)
    width = len(head) + sum(map(len, keys))
    rows = []
    for row in table.rows:
        left -= width
        parts = [head]
        for key, cell in zip(keys, row, strict=True):
            part = _encode(cell, version, left)
            left -= len(part)
            if left < 0:
                raise _TooLongError
            parts += key, part
        if left < 0:  # a table need not have columns
            raise _TooLongError
        rows.append(b"".join(parts))  # each by itself: to join all parts at once would keep other threads waiting
        if table.pause is not None:
            table.pause()
    return array(rows)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte, as JSON can hold: not writable in UTF-8
        return text.encode("utf-8", "replace")

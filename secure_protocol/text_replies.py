"""Replies as people read them: one line, or several and a line `.` (dot-stuffed as in POP3, RFC 1939 section 3).

The server writes them to text connections; the client shows them with the same functions, so both look alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from secure_protocol.limits import REPLY_BYTES
from secure_protocol.printable import printable
from secure_protocol.replies import Encoded, ErrorReply, Push, ReplyKind, Table, Timestamp, pairs, too_long

END = b".\n"
"""The line that ends a reply of several lines."""
CELL_CHARACTERS = 4096
"""Characters of one cell, or one line, shown; a terminal is no place for more."""
MOST_LISTS = 1024 * 1024
"""Lists and maps in the lists of one reply: an empty one takes no line, so a bound on the lines bounds them not. A
client takes no more values than that (`ReplyDecoder`)."""


class _TooLongError(Exception):
    """What is written takes more than it may; within `encode` alone, which says so."""


def encode(value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "", most: int = REPLY_BYTES) -> bytes:
    """Return the bytes of one reply on a text connection.

    Args:
        value: what a handler may return.
        kind: what the command declared; decides between one line and several.
        form: the command's own wording around a one-line reply, such as `ECHO: {}`.
        most: bytes of the reply; lines are counted as they are written, for their values may share their parts.

    Raises:
        CommandError: it is longer.
        TypeError: a handler returned something that is no reply, nests without end or has rows of unequal width.
    """
    reply = _whole(value, kind, form, most)
    if len(reply) > most:
        raise too_long(most)
    return reply


def _whole(value: object, kind: ReplyKind, form: str, most: int) -> bytes:
    try:
        return _encode(value, kind, form, most)
    except _TooLongError:
        raise too_long(most) from None
    except RecursionError:
        raise TypeError("the reply nests too deep") from None
    except ValueError as error:
        raise TypeError(f"the reply cannot be written: {error}") from None


def _encode(value: object, kind: ReplyKind, form: str, most: int) -> bytes:
    if type(value) is str and kind.one_line:  # by far the most
        return (one_line(value, form) + "\n").encode()
    if isinstance(value, ErrorReply | Push):
        return (cell(value) + "\n").encode()
    if isinstance(value, Encoded):
        return value.data
    if kind.one_line:
        return (one_line(value, form) + "\n").encode()
    return stuffed(_counted(_lines(value, most, itertools.count()), most)) + END


def _counted(printed: Iterable[str], most: float) -> Iterator[str]:
    for line in printed:
        most -= len(line) + 1
        if most < 0:
            raise _TooLongError
        yield line


def stuffed(printed: Iterable[str]) -> bytes:
    """Return printable lines as they stand in a reply of several."""
    return "".join([f".{line}\n" if line.startswith(".") else f"{line}\n" for line in printed]).encode()


def part(value: object) -> bytes:
    """Return a part of a streamed reply: its lines, dot-stuffed; the line `.` comes once, at the end.

    Raises:
        TypeError: a handler produced something that is no reply.
    """
    blank = isinstance(value, str | bytes) and not value  # a line without anything in it is still a line
    return b"\n" if blank else encode(value, ReplyKind.LINES).removesuffix(END)


def one_line(value: object, form: str = "") -> str:
    """Return a reply as one printable line, inside the command's own wording."""
    text = cell(value)
    # The form may come from a peer: no str.format, whose language could fail, or pad to a gigabyte.
    return printable(form, CELL_CHARACTERS).replace("{}", text, 1) if form else text


def lines(value: object) -> list[str]:
    """Return a reply as printable lines, however many: it was bounded by whoever read it.

    Raises:
        TypeError: it is no reply.
    """
    return [*_lines(value, float("inf"), itertools.count())]


def _lines(value: object, most: float, lists: Iterator[int]) -> Iterator[str]:
    """Produce the lines; `most` is for what has to be there as a whole first, and `lists` numbers the lists."""
    if isinstance(value, Table):
        yield from _table(value, most)
    elif isinstance(value, dict):
        yield from _map(value)
    elif isinstance(value, list | tuple):
        for item in value:
            if not isinstance(item, dict | list):
                yield cell(item)
            elif next(lists) < MOST_LISTS:
                yield from _lines(item, most, lists)
            else:
                raise TypeError("the reply holds too many lists")
    elif isinstance(value, str | bytes):
        if len(value) > most:
            raise _TooLongError
        text = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
        for line in text.splitlines():
            yield printable(line, CELL_CHARACTERS, keep="\t")
    else:
        yield cell(value)


def _map(value: dict[object, object]) -> Iterator[str]:
    """Produce a line for each pair; maps in a list have a line each, below its key."""
    for key, item in pairs(value):
        if isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            yield f"{cell(key)}:"
            yield from (f"  {cell(each)}" for each in item)
        else:
            yield f"{cell(key)}: {cell(item)}"


def row(cells: Iterable[str], widths: Iterable[int]) -> str:
    """Return one line of a table, its cells as wide as `widths` says."""
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def cell(value: object) -> str:
    """Return a single value as printable text; of what is in it only as much as is shown is looked at.

    Raises:
        TypeError: it is nothing that a reply may hold: what an object says of itself may be nobody's business.
    """
    if isinstance(value, str | bytes):
        return printable(value, CELL_CHARACTERS)
    if isinstance(value, Timestamp):
        return _moment(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return printable(f"{int(value)}", CELL_CHARACTERS)
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Table):  # of a command that did not say so: a line is what its readers wait for
        text = _joined(",", (cell(dict(zip(value.columns, row, strict=True))) for row in value.rows))
    elif isinstance(value, dict):
        text = _joined(" ", (f"{cell(key)}={cell(item)}" for key, item in pairs(value)))
    elif isinstance(value, list | tuple):
        text = _joined(",", map(cell, value))
    elif isinstance(value, Push):
        text = _joined(" ", map(cell, (value.kind, *value.items)))
    elif isinstance(value, ErrorReply):
        text = str(value)
    else:
        raise TypeError(f"{type(value).__name__} is no reply")
    return printable(text, CELL_CHARACTERS)


def _joined(separator: str, texts: Iterable[str]) -> str:
    """Return the texts, up to the one with which they are longer than is shown."""
    shown: list[str] = []
    length = 0
    for text in texts:
        shown.append(text)
        length += len(text) + 1
        if length > CELL_CHARACTERS + 1:
            break
    return separator.join(shown)


def _moment(timestamp: Timestamp) -> str:
    try:
        return timestamp.isoformat()
    except (ValueError, OverflowError, OSError):  # outside the years 1 to 9999, or what the platform can tell
        return f"{timestamp.seconds}.{timestamp.microseconds:06}"


def _table(table: Table, most: float) -> Iterator[str]:
    if not table.rows:
        if table.empty:
            yield cell(table.empty)
        return
    rows = []
    widths = [0] * len(table.columns)
    for values in itertools.chain((table.columns,), table.rows):
        cells = tuple(map(cell, values))
        most -= sum(map(len, cells)) + 1
        if most < 0:
            raise _TooLongError
        rows.append(cells)
        widths = [max(width, len(text)) for width, text in zip(widths, cells, strict=True)]
        if table.pause is not None:
            table.pause()
    for cells in rows:
        yield row(cells, widths)
        if table.pause is not None:
            table.pause()

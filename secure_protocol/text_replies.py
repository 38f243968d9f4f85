"""Replies as people read them: one line, or several and a line `.` (dot-stuffed as in POP3, RFC 1939 section 3).

The server writes them to text connections; the client shows them with the same functions, so both look alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from secure_protocol.printable import printable
from secure_protocol.replies import Encoded, ErrorReply, Push, ReplyKind, Table, Timestamp

END = b".\n"
"""The line that ends a reply of several lines."""
CELL_CHARACTERS = 4096
"""Characters of one cell, or one line, shown; a terminal is no place for more."""


def encode(value: object, kind: ReplyKind = ReplyKind.TEXT, form: str = "") -> bytes:
    """Return the bytes of one reply on a text connection.

    Args:
        value: what a handler may return.
        kind: what the command declared; decides between one line and several.
        form: the command's own wording around a one-line reply, such as `ECHO: {}`.

    Raises:
        TypeError: a handler returned something that nests without end or has rows of unequal width.
    """
    try:
        return _encode(value, kind, form)
    except RecursionError:
        raise TypeError("the reply nests too deep") from None
    except ValueError as error:
        raise TypeError(f"the reply cannot be written: {error}") from None


def _encode(value: object, kind: ReplyKind, form: str) -> bytes:
    if type(value) is str and kind.one_line:  # by far the most
        return (one_line(value, form) + "\n").encode()
    if isinstance(value, ErrorReply):
        return (printable(str(value), CELL_CHARACTERS) + "\n").encode()
    if isinstance(value, Push):
        return (printable(" ".join([value.kind, *map(cell, value.items)]), CELL_CHARACTERS) + "\n").encode()
    if isinstance(value, Encoded):
        return value.data
    if kind.one_line:
        return (one_line(value, form) + "\n").encode()
    return stuffed(lines(value)) + END


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
    """Return a reply as printable lines."""
    if isinstance(value, Table):
        return _table(value)
    if isinstance(value, dict):
        return [f"{cell(key)}: {cell(item)}" for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [line for item in value for line in (lines(item) if isinstance(item, dict | list) else [cell(item)])]
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
        return [printable(line, CELL_CHARACTERS, keep="\t") for line in text.splitlines()]
    return [cell(value)]


def row(cells: Iterable[str], widths: Iterable[int]) -> str:
    """Return one line of a table, its cells as wide as `widths` says."""
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def cell(value: object) -> str:
    """Return a single value as printable text."""
    if isinstance(value, str | bytes):
        return printable(value, CELL_CHARACTERS)
    if isinstance(value, Timestamp):
        return _moment(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Table):  # of a command that did not say so: a line is what its readers wait for
        value = [dict(zip(value.columns, row, strict=True)) for row in value.rows]
    if isinstance(value, dict):
        text = " ".join(f"{cell(key)}={cell(item)}" for key, item in value.items())
    elif isinstance(value, list | tuple):
        text = ",".join(map(cell, value))
    else:
        text = str(value)
    return printable(text, CELL_CHARACTERS)


def _moment(timestamp: Timestamp) -> str:
    try:
        return timestamp.isoformat()
    except (ValueError, OverflowError, OSError):  # outside the years 1 to 9999, or what the platform can tell
        return f"{timestamp.seconds}.{timestamp.microseconds:06}"


def _table(table: Table) -> list[str]:
    if not table.rows:
        return [cell(table.empty)] if table.empty else []
    rows = [tuple(map(cell, table.columns)), *(tuple(map(cell, row)) for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [row(cells, widths) for cells in rows]

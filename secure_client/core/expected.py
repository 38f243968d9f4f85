"""The type that a caller expects of an answer: it gets that one, or an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from secure_client.errors import UnexpectedReplyError
from secure_client.i18n import _
from secure_protocol.description import CommandDescription
from secure_protocol.printable import printable
from secure_protocol.replies import Table, Timestamp

T = TypeVar("T")

SHOWN = 80
"""Characters of an unexpected answer that its error repeats."""


def expected(reply: object, returns: type[T], description: CommandDescription | None = None) -> T:
    """Return an answer as the type that its caller expects.

    Args:
        reply: a Python value, as `execute` returns it.
        returns: `str`, `bytes`, `int`, `float`, `bool`, `list`, `dict`, `type(None)`; `Table`, of rows that are maps,
            with the columns in the server's order; `Timestamp`, of seconds and microseconds; `object`, which all are.
        description: what the server says of the command: names the columns of a table that has no rows.

    Raises:
        UnexpectedReplyError: it is of another type. An `int` is no `bool`, and a `bool` no `int`; where a `float` is
            expected an `int` is one, and where `bytes` are, a `str` is.
        TypeError: no answer can be of the type.
    """
    convert = _CONVERSIONS.get(returns)
    if convert is None:
        raise TypeError(f"no answer is a {returns!r}: one of {', '.join(kind.__name__ for kind in _CONVERSIONS)}")
    try:
        return cast("T", convert(reply, description))
    except (TypeError, ValueError, OverflowError):
        sentence = _("The answer is no {wanted} but {shown}.")
        shown = f"{type(reply).__name__} {printable(repr(reply), SHOWN)}"
        raise UnexpectedReplyError(sentence.format(wanted=returns.__name__, shown=shown), reply) from None


def _is(kind: type[object]) -> Callable[[Any, Any], object]:
    def convert(reply: object, _description: object) -> object:
        if not isinstance(reply, kind) or (isinstance(reply, bool) and kind is int):
            raise TypeError
        return reply

    return convert


def _float(reply: object, _description: object) -> float:
    if isinstance(reply, bool) or not isinstance(reply, int | float):
        raise TypeError
    return float(reply)


def _bytes(reply: object, _description: object) -> bytes:
    if isinstance(reply, str):
        return reply.encode("utf-8", "surrogateescape")
    if not isinstance(reply, bytes):
        raise TypeError
    return reply


def _timestamp(reply: object, _description: object) -> Timestamp:
    if not isinstance(reply, list):
        raise TypeError
    seconds, microseconds = reply
    return Timestamp(int(seconds), int(microseconds))


def _table(reply: object, description: CommandDescription | None) -> Table:
    if not isinstance(reply, list) or not all(isinstance(row, dict) for row in reply):
        raise TypeError
    return table_of(reply, description)


def table_of(rows: list[dict[object, object]], description: CommandDescription | None) -> Table:
    """Return maps as a table, with the columns that the description names, or else all that there are.

    Rows that are all of other columns than those go before what is said of them: a request may choose its columns.
    """
    columns = description.columns if description is not None else ()
    if columns and rows and set(rows[0]) != set(columns) and all(row.keys() == rows[0].keys() for row in rows):
        columns = tuple(map(str, rows[0]))
    columns = columns or tuple(dict.fromkeys(str(key) for row in rows for key in row))
    cells: list[tuple[object, ...]] = [tuple(row.get(column) for column in columns) for row in rows]
    return Table(columns, cells, description.empty if description is not None else "")


_CONVERSIONS: dict[type[object], Callable[[Any, Any], object]] = {
    str: _is(str),
    bytes: _bytes,
    int: _is(int),
    float: _float,
    bool: _is(bool),
    list: _is(list),
    dict: _is(dict),
    type(None): _is(type(None)),
    Table: _table,
    Timestamp: _timestamp,
    object: _is(object),
}

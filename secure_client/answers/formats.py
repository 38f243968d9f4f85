"""Answers for programs: JSON, CSV, and raw, which is what the server sent and nothing else."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TypeVar

from secure_protocol.replies import ErrorReply, Table, Timestamp

Cell = TypeVar("Cell", str, bytes)


class Format(StrEnum):
    """How answers are written."""

    TEXT = "text"
    """For people: printable, and tables with frames where there is a terminal."""
    JSON = "json"
    """A value a line."""
    CSV = "csv"
    """RFC 4180, but for the ends of lines, which are LF; tables have a line with the names of their columns."""
    RAW = "raw"
    """Nothing is cut or escaped, and bytes stay bytes."""


def plain_value(value: object) -> object:
    """Return a reply in JSON's own types; a moment as ISO 8601."""
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, Timestamp):
        return value.isoformat()
    if isinstance(value, ErrorReply):
        return str(value)
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)  # JSON has no word for it
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def csv(value: object) -> str:
    """Return an answer as lines: a table with its columns' names, a map as pairs, a list as a line for each item."""
    from csv import writer  # noqa: PLC0415 - of no use to the other formats

    text = io.StringIO()
    writer(text, lineterminator="\n").writerows(_rows(value, _csv_cell))
    return text.getvalue()


def raw(value: object) -> bytes:
    """Return an answer as it came: text with an end of line, other bytes as they are, cells of a row parted by tabs.

    Text that is no UTF-8 has lone surrogates in the place of its other bytes (PEP 383).
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        data = _raw_cell(value)
        is_text = not any("\udc80" <= character <= "\udcff" for character in value)
        return data + b"\n" if is_text and not data.endswith(b"\n") else data
    rows = _rows(value, _raw_cell, names=False)
    return b"".join(b"\t".join(row) + b"\n" for row in rows)


def _rows(value: object, cell: Callable[[object], Cell], *, names: bool = True) -> Iterator[list[Cell]]:
    if isinstance(value, Table):
        if names:
            yield [cell(name) for name in value.columns]
        for row in value.rows:
            yield [cell(item) for item in row]
    elif isinstance(value, dict):
        for key, item in value.items():
            yield [cell(key), cell(item)]
    elif isinstance(value, list | tuple):
        for item in value:
            yield [cell(each) for each in item] if isinstance(item, list | tuple) else [cell(item)]
    else:
        yield [cell(value)]


def _csv_cell(value: object) -> str:
    return _raw_cell(value).decode("utf-8", "backslashreplace")


def _raw_cell(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if value is None:
        return b""
    plain = plain_value(value)
    return (plain if isinstance(plain, str) else json.dumps(plain)).encode("utf-8", "surrogateescape")

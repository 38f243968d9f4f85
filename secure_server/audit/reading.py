"""Reading the trail: its lines with their places, and the records that somebody asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from secure_server.audit.chain import BINARY
from secure_server.audit.journal import Snapshot
from secure_server.audit.record import Record, parse, utc
from secure_server.audit.tail import trail_files
from secure_server.files.backwards import lines_backwards
from secure_server.files.opening import open_own
from secure_server.filters.grammar import Condition

LINE_BYTES = 1024 * 1024
"""A longer line is no record; read no more of it at once."""


class Line(NamedTuple):
    """A line of the trail and where it stands.

    Attributes:
        path: its file.
        number: in that file, from 1.
        text: without its end.
        record: what it says; None where it is no record.
        whole: whether it has an end.
    """

    path: Path
    number: int
    text: bytes
    record: Record | None
    whole: bool


def lines(snapshot: Snapshot) -> Iterator[Line]:
    """Return every line, in order, of the trail as it was at that moment.

    Raises:
        OSError: a file cannot be read.
    """
    for path, size in snapshot.files:
        with os.fdopen(open_own(path, os.O_RDONLY | BINARY), "rb") as file:
            number, left = 0, size
            while left > 0 and (text := file.readline(min(left, LINE_BYTES))):
                number += 1
                left -= len(text)
                yield Line(path, number, text.rstrip(b"\n"), _record(text), text.endswith(b"\n"))


def newest(directory: Path) -> Iterator[Record]:
    """Return the records of a trail, the last first, while it may be written; what is no record is left out.

    Raises:
        OSError: a file cannot be read.
    """
    for text in lines_backwards(trail_files(directory)):
        record = _record(text)
        if record is not None:
            yield record


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: all that is given must hold.

    Attributes:
        who: the principal's name.
        command: its name, upper case; its first word alone stands for all its subcommands.
        since: with a time zone; none before it.
        until: likewise; none from it on.
        conditions: of a filter.
    """

    who: str | None = None
    command: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    conditions: Sequence[Condition[Record]] = ()

    def holds(self, record: Record) -> bool:
        """Whether a record is one of them."""
        return (
            (self.who is None or record.who == self.who)
            and (self.command is None or f"{record.command} ".startswith(f"{self.command} "))
            and (self.since is None or record.time >= utc(self.since.timestamp()))
            and (self.until is None or record.time < utc(self.until.timestamp()))
            and all(condition(record, time.time()) for condition in self.conditions)
        )


def _record(text: bytes) -> Record | None:
    try:
        return parse(text)
    except ValueError:
        return None

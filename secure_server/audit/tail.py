"""The files of the trail in their order, and its end, read backwards: does it go on from what is known of it?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import BINARY, NOTHING, START, Link
from secure_server.audit.record import Record, Value, parse
from secure_server.files.opening import open_own

TAIL_BYTES = 256 * 1024
"""Read at once from an end: more than the longest record, which has all its characters escaped."""

CUT, CHANGED, DAMAGED, HEAD_MISSING, HEAD_DAMAGED = "cut", "changed", "damaged", "head-missing", "head-damaged"
BREAKS: Mapping[str, Sentence] = {
    CUT: Sentence("its end was cut off or removed"),
    CHANGED: Sentence("its end is not the one that was written"),
    DAMAGED: Sentence("there is a line at its end that is no record"),
    HEAD_MISSING: Sentence("audit.head was removed, so nothing vouches for its end"),
    HEAD_DAMAGED: Sentence("audit.head was damaged, so nothing vouches for its end"),
}
"""The outcomes of the record that tells of a break, the first in the file that the trail goes on in, and what they
say."""

_FILE = re.compile(r"audit-(\d{4,}-\d\d)(?:\.(\d+))?\.jsonl")


class End(NamedTuple):
    """What stands at the end of the trail.

    Attributes:
        link: of the last record; None where there is none.
        fault: one of `BREAKS`; empty where it goes on from what is known.
    """

    link: Link | None
    fault: str = ""


def trail_files(directory: Path) -> list[Path]:
    """Return the files of the trail, oldest first."""
    return sorted((path for path in directory.glob("audit-*.jsonl") if is_trail_file(path.name)), key=_place)


def is_trail_file(name: str) -> bool:
    """Whether a file of this name belongs to the trail of the directory that it is in."""
    return _FILE.fullmatch(name) is not None


def month_of(path: Path) -> str:
    """Return the month that a file was begun in, as its name says it: `2026-11`."""
    return _place(path)[0]


def is_broken_off(path: Path) -> bool:
    """Whether a file goes on from a break: its name has a number."""
    return _place(path)[1] > 0


def file_of(directory: Path, month: str) -> Path:
    """Return the file that a month begins with."""
    return directory / f"audit-{month}.jsonl"


def file_after_break(directory: Path, newest: Path | None, month: str, seq: int) -> Path:
    """Return the file that the trail goes on in after a break: one that there is not, and the last in order.

    Args:
        directory: the data directory.
        newest: the last file there is.
        month: of the record that comes first.
        seq: its number, by which the file is called unless there is one with a higher number.
    """
    last_month, last_number = _place(newest) if newest is not None else ("", 0)
    if last_month >= month:
        month, seq = last_month, max(seq, last_number + 1)
    return directory / f"audit-{month}.{seq}.jsonl"


def mend(path: Path) -> Mapping[str, Value] | None:
    """Cut off the half line that a crash or a power failure left; returns what it was.

    Raises:
        OSError: the file cannot be read or changed.
    """
    with os.fdopen(open_own(path, os.O_RDWR | BINARY), "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return None
        if len(torn) == TAIL_BYTES and start:  # no record is as long: it stays, and is found to be none
            file.write(b"\n")
            return None
        file.truncate(size - len(torn))
    return {"file": path.name, "bytes": len(torn), "text": torn.decode("utf-8", "replace")}


def look(files: Sequence[Path], known: Sequence[Link]) -> End:
    """Read backwards until all that is known was met, and tell whether the lines from there to the end are one chain.

    That is little: what was written since the head was, at most. Of a trail of which nothing is known, the last line
    alone is read.

    Args:
        files: oldest first, whole lines only.
        known: links that must be there.

    Raises:
        OSError: a file cannot be read.
    """
    least = min((link.seq for link in known), default=None)
    most = max(known, default=START)
    last: Link | None = None
    after: Record | None = None
    for line in backwards(files):
        try:
            record = parse(line)
        except ValueError:
            return End(last, DAMAGED)
        link = Link.of(record.seq, line)
        last = last or link
        if last.seq < most.seq:
            return End(last, CUT)
        if after is not None and link != (after.seq - 1, after.previous):
            return End(last, CHANGED)
        if any(link.seq == other.seq and link != other for other in known):
            return End(last, CHANGED)
        if least is None or link.seq <= least:
            return End(last)
        after = record
    if after is None:
        return End(last, "" if most == START else CUT)
    return End(last, "" if least == START.seq and (after.seq, after.previous) == (1, NOTHING) else CHANGED)


def _place(path: Path) -> tuple[str, int]:
    found = _FILE.fullmatch(path.name)
    assert found is not None  # noqa: S101 - `trail_files` gives no others
    return found[1], int(found[2] or 0)


def backwards(files: Sequence[Path]) -> Iterator[bytes]:
    """Return the lines, last first, without their ends; one that is too long for a record may come in pieces."""
    for path in reversed(files):
        with os.fdopen(open_own(path, os.O_RDONLY | BINARY), "rb") as file:
            start = file.seek(0, os.SEEK_END)
            rest = b""
            while start > 0:
                size = min(TAIL_BYTES, start)
                start = file.seek(start - size)
                first, *whole = (file.read(size) + rest).removesuffix(b"\n").split(b"\n")
                yield from reversed(whole)
                rest = first + b"\n"
                if len(rest) > 2 * TAIL_BYTES:
                    yield first
                    rest = b""
            if rest:
                yield rest[:-1]

"""Writing the output of a job to disk, within bounds."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secure_server.jobs.keeping.segments import HEADER, clear, opened

SEGMENTS = 16
"""Of a whole output. What is dropped is dropped in so large pieces."""
SEGMENT_MOST = 1024 * 1024
"""Bytes of a segment, where the output may be long: whoever begins in the middle of one reads it whole."""
FRAGMENTS = 4
"""Times as many segments may there be, in all, where missing parts made them short: each is a file."""


class Room:
    """The bytes that the output of all jobs may take together. Any thread.

    Args:
        most: of them.
        taken: by what is there already, see `sizes_in`.
        on_short: called where it is not enough, once until something is given back; on the thread that wanted some.
    """

    def __init__(self, most: int, taken: int = 0, on_short: Callable[[], object] = lambda: None) -> None:
        self._most = most
        self._taken = taken
        self._on_short = on_short
        self._told = False
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken

    def resize(self, most: int) -> None:
        """Have another bound; what is taken beyond it stays."""
        with self._lock:
            self._most = most
            self._told = False

    def take(self, size: int) -> bool:
        """Take so many; whether they were there to take."""
        with self._lock:
            if self._taken + size <= self._most:
                self._taken += size
                return True
            told, self._told = self._told, True
        if not told:
            self._on_short()
        return False

    def give(self, size: int) -> None:
        """Give so many back."""
        with self._lock:
            self._taken -= size
            self._told = False


@dataclass(slots=True)
class _Segment:
    first: int
    count: int = 0
    size: int = 0


class Output:
    """Writes the output of one job. Its own thread alone; others may read the attributes.

    The first half of `most` stays, whatever comes after; of the rest the oldest segments are removed. What cannot be
    written (it is too long, the disk or the room is full) is missing. Nothing is forced to disk: after a power failure
    what was said last may be missing.

    Args:
        directory: of the job; made when there is something to write.
        most: bytes that may be there.
        room: for all jobs together.

    Attributes:
        next: the number of the next part. Whoever sees it finds all parts below it, as far as they are there.
        missing: how many parts could not be written.
        dropped: how many were written, and had to make room for others.
        written: bytes written in all.
        size: bytes that are there.
    """

    def __init__(self, directory: Path, most: int, room: Room) -> None:
        self.next = self.missing = self.dropped = self.written = self.size = 0
        self._directory = directory
        self._most = most
        self._room = room
        self._segment_most = max(1, min(most // SEGMENTS, SEGMENT_MOST))
        self._files_most = max(1, FRAGMENTS * most // self._segment_most // 2)  # of the head, and of what follows it
        self._head: list[_Segment] = []
        self._head_size = 0
        self._tail: deque[_Segment] | None = None
        """None while all is in the head."""
        self._descriptor: int | None = None
        """Of the newest segment, while it goes on."""
        self._made = False
        """Whether there is the directory."""

    def append(self, encoded: bytes) -> int:
        """Write a part, or count it as missing; return its number.

        Args:
            encoded: a RESP3 value.
        """
        number = self.next
        try:
            kept = self._keep(number, encoded)
        except OSError:
            kept = False
        if not kept:
            self.missing += 1
            self.close()
        self.next = number + 1
        return number

    def close(self) -> None:
        """End the segment; a next part would begin another. Closing twice is fine."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _keep(self, number: int, encoded: bytes) -> bool:
        size = HEADER + len(encoded)
        if self._head_size + size > self._most or len(encoded) >> 8 * HEADER:
            return False
        if self._tail is None and self._head_size + size > self._most // 2:
            self._end_head()
        while self.size + size > self._most:
            self._drop()
        if not self._room.take(size):
            return False
        try:
            segment = self._fitting(number, size)
            assert self._descriptor is not None  # noqa: S101 - narrows the type: the segment is open
            _write(self._descriptor, len(encoded).to_bytes(HEADER) + encoded, segment.size)
        except BaseException:
            self._room.give(size)
            self._abandon()
            raise
        segment.count += 1
        segment.size += size
        self.size += size
        self.written += size
        if self._tail is None:
            self._head_size += size
        return True

    def _fitting(self, number: int, size: int) -> _Segment:
        """Return the open segment that a part goes to, the newest or another one."""
        if self._descriptor is not None:
            newest = (self._tail or self._head)[-1]
            if newest.size + size <= self._segment_most:
                return newest
            self.close()
        if self._tail is None and len(self._head) >= self._files_most:
            self._end_head()
        while self._tail is not None and len(self._tail) >= self._files_most:
            self._drop()
        if not self._made or not self._directory.exists():
            self._make_directory()
        self._descriptor = opened(self._directory, number, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        segment = _Segment(number)
        (self._head if self._tail is None else self._tail).append(segment)
        return segment

    def _make_directory(self) -> None:
        clear(self._directory)  # of another job that had this number, before somebody put an older database here
        for directory in (self._directory.parent, self._directory):
            with contextlib.suppress(FileExistsError):
                directory.mkdir(mode=0o700)
        self._made = True

    def _abandon(self) -> None:
        """Take a segment back that was made for a part, and got none: a full disk is tried again for each."""
        self.close()
        segments = self._head if self._tail is None else self._tail
        if segments and not segments[-1].count:
            with contextlib.suppress(OSError):
                (self._directory / str(segments.pop().first)).unlink()

    def _end_head(self) -> None:
        self.close()
        self._tail = deque()

    def _drop(self) -> None:
        """Remove the oldest segment after the head."""
        assert self._tail is not None  # noqa: S101 - the head alone is within bounds
        if len(self._tail) == 1:
            self.close()
        oldest = self._tail[0]
        with contextlib.suppress(FileNotFoundError):
            (self._directory / str(oldest.first)).unlink()
        self._tail.popleft()
        self._room.give(oldest.size)
        self.size -= oldest.size
        self.dropped += oldest.count


def _write(descriptor: int, data: bytes, size: int) -> None:
    """Write all of it, or nothing, to a file that has that size."""
    try:
        done = os.write(descriptor, data)
        while done < len(data):
            done += os.write(descriptor, data[done:])
    except OSError:
        os.ftruncate(descriptor, size)
        raise

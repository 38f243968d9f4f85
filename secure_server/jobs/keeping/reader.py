"""Reading the output of a job, from any part on, while it is written or later."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

from secure_server.jobs.keeping.segments import HEADER, opened, segments_in, walk

_length = struct.Struct(">I").unpack_from
_CHUNK = 4096
"""Bytes to read beyond what is wanted, for lengths and the last part."""


class Piece(NamedTuple):
    """What there is of an output from some part on.

    Attributes:
        first: the number of the first part here; higher than what was asked for where parts are missing.
        parts: RESP3 values, whose numbers are without gap.
        next: the number of the part to go on from.
    """

    first: int
    parts: list[bytes]
    next: int


class Reader:
    """Reads the output of one job, while it is written or later. One thread at a time; holds no file open.

    Args:
        directory: of the job; where there is none, all parts are missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._segment, self._offset, self._part = -1, 0, 0
        """Where the next part is that there is, if it is there: its segment, where in it, its number."""
        self._next = -1
        """The number of the part that was looked for there."""

    def read(self, from_: int, upto: int, most: int) -> Piece:
        """Return the next parts that there are; reading on where the last piece ended looks nothing up.

        Args:
            from_: number of the part to begin with; what is missing is passed over.
            upto: number of the first part not to be read: `Output.next` as it was seen before, or `parts_in`.
            most: bytes, but one part is there in any case. A piece also ends where parts are missing.

        Raises:
            OSError: it cannot be read, for want of descriptors, say; try again.
        """
        if from_ >= upto:
            return Piece(from_, [], from_)
        known, self._next = self._next, -1  # -1: where it ends by an error, all is looked up again
        if from_ != known:
            self._segment = -1
            self._seek(from_, upto)
        parts: list[bytes] = []
        first = self._part
        while self._part < upto and self._take(parts, upto, most):
            ended = self._part
            self._seek(ended, upto)
            if not parts:
                first = self._part
            elif self._part != ended:
                break
        if not parts:
            first = upto
        self._next = first + len(parts)
        return Piece(first, parts, self._next)

    def _seek(self, part: int, upto: int) -> None:
        """Go to a part, or to the first there is after it, in a later segment than the present one.

        Where there is none, the present one, which is at its end, is where to look again from `upto` on.
        """
        later = [first for first in segments_in(self._directory) if first > self._segment]
        for first in [*[each for each in later if each < part][-1:], *[each for each in later if each >= part]]:
            offset, found = 0, first
            if first < part:
                try:
                    offset, found = walk(self._directory, first, part)
                except FileNotFoundError:
                    continue
            self._segment, self._offset, self._part = first, offset, found
            if found >= part:
                return
        self._part = upto

    def _take(self, parts: list[bytes], upto: int, most: int) -> bool:
        """Take the parts that are left in the segment, as far as may be; whether it ended before that."""
        left = most - sum(map(len, parts))
        try:
            descriptor = opened(self._directory, self._segment)
        except FileNotFoundError:
            return True
        try:
            end = os.fstat(descriptor).st_size
            least = 0
            while self._part < upto and (left > 0 or not parts):
                os.lseek(descriptor, self._offset, os.SEEK_SET)
                data = os.read(descriptor, max(left + _CHUNK, least))
                position, ended = 0, len(data)
                while self._part < upto and position + HEADER <= ended:
                    (size,) = _length(data, position)
                    following = position + HEADER + size
                    if following > ended or not size:
                        break
                    if size > left and parts:
                        self._offset += position
                        return False
                    parts.append(data[position + HEADER : following])
                    left -= size
                    self._part += 1
                    position = following
                self._offset += position
                if not position:  # the part is longer than what was read, or ends the segment, which it is torn at
                    least = HEADER + (_length(data)[0] if ended >= HEADER else 0)
                    if least == HEADER or self._offset + least > end:
                        return True
            return False
        finally:
            os.close(descriptor)

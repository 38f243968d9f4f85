"""How many records are lost if the server ends now: noted down while the trail fails, and told at the next start."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import NamedTuple, Self

from secure_server.audit.chain import BINARY
from secure_server.audit.record import Value, utc
from secure_server.files.opening import open_own

FILE = "audit.gap"
"""In the data directory, made while the trail can be written: it always has the same size and is written in place, so
that no disk is too full for it."""

_FORM = re.compile(r"(\d{12}) (\d{12}) (\d{12})\n")


class Gap(NamedTuple):
    """Records that are not in the trail.

    Attributes:
        records: so many.
        since: Unix seconds, when the trail could first not be written.
        until: Unix seconds, when that was last so.
    """

    records: int = 0
    since: float = 0
    until: float = 0

    def and_(self, other: Gap) -> Gap:
        """Return both in one."""
        if not self.records or not other.records:
            return self if self.records else other
        return Gap(self.records + other.records, min(self.since, other.since), max(self.until, other.until))

    def up_to(self, now: float) -> Gap:
        """Return it without what lies after `now`, Unix seconds: in its file it ends with a whole second.

        It never ends before it began, though the clock was set back since.
        """
        return self._replace(until=max(self.since, min(self.until, now)))

    @property
    def detail(self) -> dict[str, Value]:
        """What a record tells of it."""
        return {"count": self.records, "from": utc(self.since), "to": utc(self.until)}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gives; anything else is no gap."""
        found = _FORM.fullmatch(text)
        return cls() if found is None else cls(int(found[1]), int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.records:012d} {int(self.since):012d} {math.ceil(self.until):012d}\n"


class GapFile:
    """Keeps a gap beyond the end of the process. One thread at a time.

    Args:
        directory: the data directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._kept: str | None = None

    def read(self) -> Gap:
        """Return what the last process lost."""
        try:
            with os.fdopen(open_own(self._path, os.O_RDONLY), encoding="ascii") as file:
                return Gap.parse(file.read())
        except (OSError, ValueError):  # there is none, or it is none
            return Gap()

    def keep(self, gap: Gap) -> None:
        """Note it down, on disk, where that is another than before.

        Raises:
            OSError: it cannot be.
        """
        text = str(gap)
        if text == self._kept:
            return
        self._kept = None
        descriptor = open_own(self._path, os.O_WRONLY | os.O_CREAT | BINARY)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._kept = text

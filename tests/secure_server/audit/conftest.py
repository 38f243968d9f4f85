"""A trail of its own for each test, and a clock that moves when told."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from secure_server.audit.journal import Journal
from secure_server.audit.record import Entry, Record, parse
from secure_server.audit.tail import trail_files

NOVEMBER = 1_795_000_000.0
"""A moment in November 2026."""
MONTH = 31 * 86_400.0


class Clock:
    """Unix seconds that stand still."""

    def __init__(self) -> None:
        self.now = NOVEMBER

    def __call__(self) -> float:
        """The time, as the code under test asks for it."""
        return self.now


class Books:
    """A directory with a trail, written to as by one process, and read as a person would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = Clock()
        self.journal = self.another()

    def another(self) -> Journal:
        """What another process, or the next run, has."""
        return Journal(self.directory, self.clock)

    def write(self, *commands: str, journal: Journal | None = None, sync: bool = True) -> None:
        """Append a record for each command."""
        chosen = journal or self.journal
        chosen.append(deque(Entry(self.clock(), "command", "ok", "ada", command=command) for command in commands))
        if sync:
            chosen.sync()

    @property
    def file(self) -> Path:
        """The newest file."""
        return trail_files(self.directory)[-1]

    def lines(self) -> list[bytes]:
        """Every line of every file."""
        return [line for path in trail_files(self.directory) for line in path.read_bytes().splitlines()]

    def records(self) -> list[Record]:
        """Every record; lines that are none are passed over."""
        return [parse(line) for line in self.lines() if line.startswith(b"{")]

    def edit(self, *lines: bytes) -> None:
        """Replace the newest file's lines."""
        self.file.write_bytes(b"".join(line + b"\n" for line in lines))


@pytest.fixture
def books(tmp_path: Path) -> Books:
    """An empty trail."""
    return Books(tmp_path)

"""The files of the trail, `audit-YYYY-MM.jsonl`: appended to by several processes, mended after a crash.

Nothing is kept open and nothing taken for granted: whoever appends holds the lock, looks where the files end now, and
goes on from there. A server and a `secure-server token` beside it so write one chain. Where the files do not go on from
the last record known, of the head or of this process, somebody broke them: nothing is appended behind what he left. The
trail goes on from that record in a new file, whose first record tells of the break.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import BINARY, START, Link, read_head, write_head
from secure_server.audit.record import Entry, line_of, utc
from secure_server.audit.tail import (
    BREAKS,
    HEAD_DAMAGED,
    HEAD_MISSING,
    file_after_break,
    file_of,
    look,
    mend,
    month_of,
    trail_files,
)
from secure_server.files.opening import open_own
from secure_server.pki.errors import UnusableFilesError
from secure_server.pki.lock import exclusive_lock

LOCK = "audit.lock"
LOCK_SECONDS = 5.0
"""How long to wait for another process's append, which takes milliseconds, or a second on a disk that is busy."""
WRITE_RECORDS = 1_000
"""Records in one write: what is formatted at once stays within a few MB."""
OnBreak = Callable[[Sentence], None]


class Snapshot(NamedTuple):
    """The trail at one moment, for whoever reads it while others append.

    Attributes:
        files: with their sizes in bytes, oldest first.
        head: what it says; None where it is missing or damaged.
    """

    files: list[tuple[Path, int]]
    head: Link | None


class Journal:
    """Appends to the trail in a directory. One thread at a time; any number of processes.

    Args:
        directory: the data directory.
        clock: Unix seconds, of what is told of the trail itself.
        on_break: told when the trail was found broken, as soon as it goes on in a new file.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], float] = time.time, on_break: OnBreak = lambda _sentence: None
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._on_break = on_break
        self._file: Path | None = None  # the newest
        self._left: object = None  # as what this process left it
        self._torn: deque[Entry] = deque()  # told of with the next records
        self._unsynced: set[Path] = set()
        self._began_file = True  # a new one is on disk when its directory is, too
        self._broken = False  # the head may say anything, and is to be written
        self.link: Link | None = None
        """The last record that this process knows of."""

    def append(self, entries: deque[Entry]) -> None:
        """Write entries, taking from the front those that are written; what a crash tore before is mended first.

        Raises:
            OSError: not all could be written; what is left is still there, and no half line is in the file.
        """
        with self._locked():
            link = self._catch_up()
            for waiting in (self._torn, entries):
                while waiting:
                    link = self._write(waiting, link)

    def sync(self) -> None:
        """Force what was appended to disk, and then the head.

        Raises:
            OSError: it cannot be.
        """
        if self._unsynced:
            with self._locked():
                self._force()

    def _force(self) -> None:
        for path in list(self._unsynced):
            _force(path)
        if self._began_file and hasattr(os, "O_DIRECTORY"):
            _force(self._directory)
            self._began_file = False
        head = _head_or_none(self._directory)
        if self.link is not None and (self._broken or head is None or head.seq < self.link.seq):
            write_head(self._directory, self.link)
        self._broken = False
        self._unsynced.clear()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with exclusive_lock(self._directory / LOCK, timeout=LOCK_SECONDS):
                yield
        except UnusableFilesError:
            raise OSError(errno.EAGAIN, "another process has held the audit trail's lock for too long") from None

    def _catch_up(self) -> Link:
        """Look where the trail ends, unless it is as this process left it; returns the link to go on from."""
        files = trail_files(self._directory)
        newest = files[-1] if files else None
        if self.link is not None and newest is not None and newest == self._file and _state(newest) == self._left:
            return self.link
        self._file = newest
        for path in files[-1:]:
            if torn := mend(path):
                self._torn.append(Entry(self._clock(), "trail", "torn", detail=torn))
        head, fault = self._read_head(fresh=newest is None and self.link is None)
        known = [link for link in (self.link, head) if link is not None]
        end = look(files, known)
        fault = end.fault or fault
        if fault:
            expected = max(known, key=lambda link: link.seq, default=end.link or START)
            return self._go_on_elsewhere(fault, expected, end.link or START)
        return end.link or START

    def _go_on_elsewhere(self, fault: str, expected: Link, found: Link) -> Link:
        """Begin a new file, whose first record tells that the trail was broken; returns its link.

        It links to the record that was expected. So what was put in that one's place, or behind it, is no part of the
        chain, and neither a later record nor a later file makes it one.
        """
        detail = {"expected": str(expected), "found": str(found), "file": self._file.name if self._file else ""}
        told = Entry(self._clock(), "trail", fault, detail=detail)
        self._file = file_after_break(self._directory, self._file, _month_of(told), expected.seq + 1)
        link = self._write(deque([told]), expected)
        self._broken = True
        self._on_break(
            Sentence(
                "The audit trail was broken: {why}. It goes on in {file}; see `secure-server audit verify`.",
                why=BREAKS[fault],
                file=self._file.name,
            )
        )
        self._force()
        return link

    def _read_head(self, *, fresh: bool) -> tuple[Link | None, str]:
        """Return what the head says, and what is wrong with it."""
        try:
            head = read_head(self._directory)
        except ValueError:
            return None, HEAD_DAMAGED
        if head is not None:
            return head, ""
        if not fresh:
            return None, HEAD_MISSING
        write_head(self._directory, START)  # from here on, a head that is missing was taken away
        if hasattr(os, "O_DIRECTORY"):
            _force(self._directory)
        return START, ""

    def _write(self, entries: deque[Entry], link: Link) -> Link:
        """Write from the front what belongs to one file; returns the new end."""
        month = _month_of(entries[0])
        if self._file is None or month_of(self._file) < month:  # a clock that was set back opens no old file
            self._file = file_of(self._directory, month)
        month = month_of(self._file)
        lines: list[bytes] = []
        for entry in entries:
            if _month_of(entry) > month or len(lines) == WRITE_RECORDS:
                break
            lines.append(line_of(entry, link.seq + 1, link.hash))
            link = Link.of(link.seq + 1, lines[-1])
        self._left = None
        self._began_file |= not self._file.exists()
        self._unsynced.add(self._file)
        _append(self._file, b"\n".join(lines) + b"\n")
        self._left = _state(self._file)
        self.link = link
        for _ in lines:
            entries.popleft()
        return link


def snapshot(directory: Path) -> Snapshot:
    """Return the trail as it is between two appends.

    Raises:
        OSError: the directory cannot be read.
    """
    with contextlib.ExitStack() as held:
        if (directory / LOCK).exists():  # else nobody appends: a reader leaves no file behind
            with contextlib.suppress(OSError, UnusableFilesError):  # a copy that cannot be written needs no lock
                held.enter_context(exclusive_lock(directory / LOCK, timeout=LOCK_SECONDS))
        return Snapshot([(path, path.stat().st_size) for path in trail_files(directory)], _head_or_none(directory))


def _append(path: Path, data: bytes) -> None:
    """Append all or nothing; a file that was to begin with it is not left there empty."""
    descriptor = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY)
    try:
        before = os.fstat(descriptor).st_size
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # then the next one mends it
                os.ftruncate(descriptor, before)
                if not before:
                    path.unlink()
            raise
    finally:
        os.close(descriptor)


def _state(path: Path) -> tuple[int, ...]:
    """Return what differs once somebody else has written to a file, or put another in its place."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY) if path.is_dir() else open_own(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _head_or_none(directory: Path) -> Link | None:
    try:
        return read_head(directory)
    except ValueError:
        return None


def _month_of(entry: Entry) -> str:
    return utc(entry.moment)[:7]

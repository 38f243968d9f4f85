"""The files of the trail, `audit-YYYY-MM.jsonl`: appended to by several processes, mended after a crash.

Nothing is kept open and nothing taken for granted: whoever appends holds the lock, looks where the files end now, and
goes on from there. A server and a `secure-server token` beside it so write one chain.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from secure_server.audit.chain import BINARY, HEAD, START, Link, read_head, write_head
from secure_server.audit.record import Entry, Value, line_of, parse, utc
from secure_server.pki.errors import UnusableFilesError
from secure_server.pki.lock import exclusive_lock

LOCK = "audit.lock"
LOCK_SECONDS = 5.0
"""How long to wait for another process's append, which takes milliseconds, or a second on a disk that is busy."""
WRITE_RECORDS = 1_000
"""Records in one write: what is formatted at once stays within a few MB."""
TAIL_BYTES = 256 * 1024
"""How far back the last record is looked for: more than the longest one, which has all its characters escaped."""

Finding = tuple[str, Mapping[str, Value]]
"""What is wrong with the end of the trail: outcome and detail of the record that will tell of it."""

_FILE = re.compile(r"audit-\d{4,}-\d\d\.jsonl")


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
    """

    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._clock = clock
        self._month = ""  # of the newest file
        self._size = -1  # of that file, as this process left it
        self._unsynced: set[Path] = set()
        self._began_file = True  # a new one is on disk when its directory is, too
        self.link: Link | None = None
        """The last record that this process knows of."""

    def append(self, entries: deque[Entry]) -> None:
        """Write entries, taking from the front those that are written; what a crash tore before is mended first.

        Raises:
            OSError: not all could be written; what is left is still there, and no half line is in the file.
        """
        with self._locked():
            findings, link = self._catch_up()
            found = [Entry(self._clock(), "trail", outcome, detail=detail) for outcome, detail in findings]
            entries.extendleft(reversed(found))
            while entries:
                link = self._write(entries, link)

    def sync(self) -> None:
        """Force what was appended to disk, and then the head.

        Raises:
            OSError: it cannot be.
        """
        if not self._unsynced or self.link is None:
            return
        with self._locked():
            for path in list(self._unsynced):
                _force(path)
            if self._began_file and hasattr(os, "O_DIRECTORY"):
                _force(self._directory)
                self._began_file = False
            head = _head_or_none(self._directory)
            if head is None or head.seq < self.link.seq:
                write_head(self._directory, self.link)
            self._unsynced.clear()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with exclusive_lock(self._directory / LOCK, timeout=LOCK_SECONDS):
                yield
                _hand_over(self._directory, LOCK, HEAD, self._path.name)
        except UnusableFilesError:
            raise OSError(errno.EAGAIN, "another process has held the audit trail's lock for too long") from None

    def _catch_up(self) -> tuple[list[Finding], Link]:
        """Look where the trail ends; returns what is wrong with that end, and the link to go on from."""
        newest = max(trail_files(self._directory), default=None)
        if newest is not None and newest == self._path and newest.stat().st_size == self._size and self.link:
            return [], self.link
        found: list[Finding] = []
        last = self._last(found)
        head = self._read_head(found, fresh=newest is None)
        known = max(filter(None, (head, self.link)), default=last or START)
        if last is not None and last.seq > known.seq:
            return found, last
        if known not in (last, START) and "damaged" not in dict(found):
            # Going on from what is known leaves a gap in the chain, which `audit verify` then finds for ever.
            seen = {"expected": str(known), "found": str(last or START)}
            found.append(("changed" if last and last.seq == known.seq else "cut", seen))
        return found, known

    @property
    def _path(self) -> Path:
        return self._directory / f"audit-{self._month}.jsonl"

    def _read_head(self, found: list[Finding], *, fresh: bool) -> Link | None:
        try:
            head = read_head(self._directory)
        except ValueError:
            found.append(("head-damaged", {}))
            return None
        if head is None and fresh and self.link is None:
            write_head(self._directory, START)  # from here on, a head that is missing was taken away
        elif head is None:
            found.append(("head-missing", {}))
        return head

    def _last(self, found: list[Finding]) -> Link | None:
        """Return the last record there is; cuts off the torn one behind it, and notes what it did in `found`."""
        for path in reversed(trail_files(self._directory)):
            self._month = max(self._month, _month_of_file(path))
            if mended := _mend(path):
                found.append(mended)
            if line := _last_line(path):
                try:
                    return Link.of(parse(line).seq, line)
                except ValueError:
                    found.append(("damaged", {"file": path.name}))
                    return None
        return None

    def _write(self, entries: deque[Entry], link: Link) -> Link:
        """Write from the front what belongs to one file; returns the new end."""
        month = self._month = max(self._month, _month_of(entries[0]))  # a clock that was set back opens no old file
        lines: list[bytes] = []
        for entry in entries:
            if _month_of(entry) > month or len(lines) == WRITE_RECORDS:
                break
            lines.append(line_of(entry, link.seq + 1, link.hash))
            link = Link.of(link.seq + 1, lines[-1])
        self._size = -1
        self._began_file |= not self._path.exists()
        self._unsynced.add(self._path)
        self._size = _append(self._path, b"\n".join(lines) + b"\n")
        self.link = link
        for _ in lines:
            entries.popleft()
        return link


def trail_files(directory: Path) -> list[Path]:
    """Return the files of the trail, oldest first."""
    return sorted(path for path in directory.glob("audit-*.jsonl") if _FILE.fullmatch(path.name))


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


def _append(path: Path, data: bytes) -> int:
    """Append all or nothing; returns the file's size then."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY, 0o600)
    try:
        before = os.fstat(descriptor).st_size
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # then the next one mends it
                os.ftruncate(descriptor, before)
            raise
        return before + len(data)
    finally:
        os.close(descriptor)


def _hand_over(directory: Path, *names: str) -> None:
    """Give what root made to the directory's owner: root's `token create` must not lock out a server that is not."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = directory.stat()
        for path in filter(Path.exists, (directory / name for name in names)):
            if path.stat().st_uid != owner.st_uid:
                os.chown(path, owner.st_uid, owner.st_gid)


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend(path: Path) -> Finding | None:
    """Cut off the half line that a crash or a power failure left; returns the news of it."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return None
        if len(torn) == TAIL_BYTES and start:  # no record is as long: it stays, for `audit verify` to show
            file.write(b"\n")
            return "damaged", {"file": path.name}
        file.truncate(size - len(torn))
    seen: dict[str, Value] = {"file": path.name, "bytes": len(torn), "text": torn.decode("utf-8", "replace")}
    return "torn", seen


def _last_line(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        return file.read().rstrip(b"\n").rpartition(b"\n")[2]


def _head_or_none(directory: Path) -> Link | None:
    try:
        return read_head(directory)
    except ValueError:
        return None


def _month_of(entry: Entry) -> str:
    return utc(entry.moment)[:7]


def _month_of_file(path: Path) -> str:
    return path.name.removeprefix("audit-").removesuffix(".jsonl")

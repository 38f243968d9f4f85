"""SQLite files of ours: made whole or not at all, so one in which nothing is was damaged; opened, and copied.

A file that the system cut to nothing, as some do when the power fails, would else be a new database to SQLite: without
a word all tokens would be gone, and revoked certificates good again.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import sqlite3
import stat
import sys
import time
import urllib.parse  # noqa: F401 - `Path.as_uri` imports it when root is the owner, who may not be able to read it
from collections.abc import Callable, Iterator
from pathlib import Path

from secure_server.files.making import make_private_directory
from secure_server.files.opening import check_own, sync_directory

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
"""O_EXCL follows no link."""
ASIDE_SECONDS = 1.0
"""So long a file that somebody moved aside is waited for; that takes microseconds, unless its process was killed."""
ASIDE_TICK = 0.001
"""Seconds between two looks for it."""
_ASIDE = "aside"


class EmptyDatabaseError(sqlite3.DatabaseError):
    """There is a file with nothing in it, which SQLite would take for a new database."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    sqlite_errorname = "SQLITE_CORRUPT"


def make(path: Path, blank: Callable[[], bytes]) -> None:
    """Make a database, and its directory, that nobody else may read; leave one that is there.

    Any number of processes may do so at once: the first to be done makes the one that all have.

    Args:
        path: of it.
        blank: returns what is in a new one.

    Raises:
        OSError: it cannot be made.
    """
    make_private_directory(path.parent)
    try:
        # Not opened when it exists: closing a second descriptor drops the locks that SQLite holds on the first.
        if status(path).st_nlink == 1:
            return
    except FileNotFoundError:
        _make(path, blank())
    # The second name of one whose maker was killed, or is about to remove it; and what others were making, who find
    # this one in its place.
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def connected(path: Path, patience: float) -> sqlite3.Connection:
    """Open a database that is there, and not empty: SQLite would make one, and remove what stands beside it.

    Args:
        path: of it.
        patience: seconds to wait for another's write.

    Raises:
        OSError: there is none.
        EmptyDatabaseError: it is empty.
        sqlite3.Error: SQLite cannot open it.
    """
    if not status(path).st_size:
        raise EmptyDatabaseError(f"{path} is empty")
    # check_same_thread: who shares it has a lock. isolation_level: transactions are begun by name.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )


def status(path: Path) -> os.stat_result:
    """Look at a database; one that another process has `aside` is there again in a moment.

    Raises:
        FileNotFoundError: there is none.
    """
    deadline = time.monotonic() + ASIDE_SECONDS
    while True:
        try:
            return path.stat()
        except FileNotFoundError:
            others = list(path.parent.glob(f".{glob.escape(path.name)}.{_ASIDE}.*"))
            if not others:
                return path.stat()  # it may be back since the look before
            if time.monotonic() < deadline:
                time.sleep(ASIDE_TICK)
            else:  # who was about to put it back was killed
                _put_back(others[0], path)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[None]:
    """Have the file stand elsewhere for a moment: SQLite leaves alone what is not where it was opened.

    Whoever looks for it meanwhile waits (`status`).
    """
    moved = path.with_name(f".{path.name}.{_ASIDE}.{os.getpid()}")
    try:
        path.rename(moved)
    except OSError:  # it is gone; or Windows, where no open file is removed either
        yield
        return
    try:
        yield
    finally:
        _put_back(moved, path)


def tighten(path: Path) -> None:
    """Take the file and SQLite's files beside it from everybody else, where they were left open; none is a link."""
    for file in (path, *(Path(f"{path}-{kind}") for kind in ("wal", "shm", "journal"))):
        # Missing: SQLite makes those beside it with the mode of the first, and drops them when idle.
        found = check_own(file)
        if found is not None and stat.S_IMODE(found.st_mode) & 0o077:
            with contextlib.suppress(FileNotFoundError):
                file.chmod(0o600)


def image(source: Path, patience: float) -> bytes:
    """Return a database as it is between two changes, read with SQLite's own way of doing so.

    In memory: who may read it here, and who may write it there, can be two users.

    Args:
        source: in use or not.
        patience: seconds to wait for another's write.

    Raises:
        OSError: there is none.
        sqlite3.Error: it cannot be read or is damaged.
    """
    with (
        contextlib.closing(connected(source, patience)) as taken,
        contextlib.closing(sqlite3.connect(":memory:")) as made,
    ):
        taken.backup(made)
        return made.serialize()


def _make(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with os.fdopen(os.open(temporary, _FLAGS, 0o600), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    try:
        # The second: another process was first, and removed what others were making.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def _put_back(moved: Path, path: Path) -> None:
    # Missing: somebody else did. Another one is in its place: that one stays, and so does this, under its other name.
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        _name(moved, path)
        moved.unlink(missing_ok=True)


def _name(temporary: Path, path: Path) -> None:
    """Give a file a name that no other file has."""
    if sys.platform == "win32":
        temporary.rename(path)  # it refuses a name that is taken; elsewhere, a link alone does
        return
    try:
        os.link(temporary, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # there are no links here (FAT, Android)
        if not os.path.lexists(path):
            temporary.rename(path)

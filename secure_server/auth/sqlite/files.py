"""The files of an open database: whether they are still the ones that were opened, and how to let go of them if not.

A database in WAL mode is three files that belong together: changes stand in the second until they are copied into the
first, and the third says which. Whoever removes or replaces one of them under an open database splits it: this process
goes on with files that nobody else sees, and a revocation by another never arrives.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import SplitStorageError
from secure_server.auth.sqlite.explaining import damaged
from secure_server.files import database

Identity = tuple[int, int]
"""Of a file: device and inode."""

_lock = threading.Lock()
_open: Counter[str] = Counter()
"""The connections of this process to each database. SQLite shares what it knows of the second and third file among
them, so that they are opened anew only once all have let go."""
_split: dict[str, bool] = {}
"""Those found split and not let go by all; whether what stands in the second file is of no use any more."""


class Files(NamedTuple):
    """Which files stand there."""

    database: Identity
    wal: Identity | None
    shm: Identity | None
    written: tuple[int, int]
    """When the first was last written to, and its size: only a copy from the second file does so."""

    @classmethod
    def at(cls, path: Path) -> Files:
        """Look. Takes some microseconds.

        Raises:
            FileNotFoundError: there is no database.
        """
        status = database.status(path)
        return cls(
            (status.st_dev, status.st_ino),
            _identity(f"{path}-wal"),
            _identity(f"{path}-shm"),
            (status.st_mtime_ns, status.st_size),
        )

    def same(self, other: Files) -> bool:
        """Whether they are the same files, whatever was written to them."""
        return self[:3] == other[:3]


def take_hold(path: Path) -> bool:
    """Count a connection in; whether it is the first after a split, so that its content is to be checked.

    Raises:
        SplitStorageError: others of this process have not let go of the split files yet.
    """
    key = os.path.abspath(path)  # noqa: PTH100 - as typed, without following links
    with _lock:
        doubtful = key in _split
        if doubtful:
            if _open[key]:
                raise split(path)
            if _split.pop(key):
                for name in (f"{path}-wal", f"{path}-shm"):
                    Path(name).unlink(missing_ok=True)
        _open[key] += 1
        return doubtful


def let_go(path: Path, connection: sqlite3.Connection | None) -> None:
    """Close a connection and count it out; None where it was counted in, and could not be opened."""
    key = os.path.abspath(path)  # noqa: PTH100 - as above
    with _lock:
        _open[key] -= 1
        if not _open[key]:
            del _open[key]
        apart = key in _split and (_split[key] or Path(f"{path}-wal").exists())
        # Closing the last one copies what stands in our second file into the first, and removes the second by its name.
        # That is right where nobody put another one there.
        with database.aside(path) if apart else contextlib.nullcontext():
            if connection is not None:
                connection.close()


def found_split(path: Path, *, overwritten: bool) -> None:
    """Have all of this process let go of a database.

    Args:
        path: of it.
        overwritten: the first file has other content, to which the second does not belong.
    """
    key = os.path.abspath(path)  # noqa: PTH100 - as above
    with _lock:
        _split[key] = overwritten or _split.get(key, False)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Look whether all fits together. Measured: 100,000 records in about 0.2 s.

    Raises:
        SplitStorageError: it does not.
        sqlite3.Error: likewise.
    """
    if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
        raise SplitStorageError(damaged(path))


def is_split(path: Path) -> bool:
    """Whether a connection to it is to be let go."""
    return bool(_split) and os.path.abspath(path) in _split  # noqa: PTH100 - as above


def split(path: Path) -> SplitStorageError:
    """Return what is said of it."""
    return SplitStorageError(
        Sentence(
            "the files of the token database {path} were removed, replaced or overwritten while it was in use; it is "
            "opened anew once they fit together, see docs/operations.md",
            path=path,
        )
    )


def _identity(name: str) -> Identity | None:
    try:
        status = os.stat(name)  # noqa: PTH116 - a Path for each look would take longer than the look
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino

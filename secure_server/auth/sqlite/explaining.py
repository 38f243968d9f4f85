"""What SQLite says, as sentences with a remedy."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

from secure_protocol.sentence import Sentence

NEEDED_BYTES = 64 * 1024
"""Twice the room that SQLite wants for its index beside the database; where there is none, it says `disk I/O error`."""


def damaged(path: Path) -> Sentence:
    """Return what is said of a file that makes no sense."""
    return Sentence("{path} is not a token database or is damaged; restore it from a backup or move it away", path=path)


def is_busy(error: Exception) -> bool:
    """Whether it is over once another program has written."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explanation(path: Path, error: sqlite3.Error | OSError) -> Sentence:
    """Return what is said of an error of SQLite's, or of the system's where the file is made or looked at."""
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return _full(path)
        return Sentence(
            "the token database {path} cannot be opened ({why}); "
            "check --data-dir and the permissions of that directory",
            path=path,
            why=error.strerror,
        )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest is detail
    if is_busy(error):
        return Sentence(
            "the token database {path} is busy with another program's write; try again in a moment", path=path
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return damaged(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return Sentence(
            "the token database {path} cannot be written; check its owner and permissions (0600, yours)", path=path
        )
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path.parent)):
        return _full(path)
    return Sentence(
        "the token database {path} failed ({why}); check the disk, or restore it from a backup", path=path, why=error
    )


def _full(path: Path) -> Sentence:
    return Sentence("the token database {path} cannot grow: the disk is full; free some space and try again", path=path)


def _is_full(directory: Path) -> bool:
    try:
        return shutil.disk_usage(directory).free < NEEDED_BYTES
    except OSError:
        return False

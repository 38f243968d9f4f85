"""Copies of the token database: made whole while others write, checked, and put where nobody uses one."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import StorageError
from secure_server.auth.sqlite.explaining import damaged, explanation, is_busy
from secure_server.files import database

COPY_TIMEOUT = 5.0
"""Seconds to wait for another process's write, as for any other use."""


def image(source: Path) -> bytes:
    """Return a database as it is between two changes, read with SQLite's own way of doing so.

    In memory: who may read it here, and who may write it there, can be two users.

    Args:
        source: in use or not.

    Raises:
        OSError: there is none.
        StorageError: it cannot be read or is damaged.
    """
    try:
        return database.image(source, COPY_TIMEOUT)
    except sqlite3.Error as error:
        raise StorageError(explanation(source, error)) from error


def check(path: Path) -> int:
    """Look at all of a database that nobody else uses; how many tokens it holds.

    Raises:
        StorageError: it is damaged, or none of ours.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise StorageError(damaged(path))
            db.execute("SELECT generation FROM change").fetchone()
            return int(db.execute("SELECT COUNT(*) FROM tokens").fetchone()[0])
    except sqlite3.Error as error:
        raise StorageError(damaged(path)) from error


def refuse_used(path: Path) -> None:
    """Raise StorageError where another program has the database open. One that is damaged, or empty, is nobody's."""
    try:
        with contextlib.closing(database.connected(path, patience=0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            db.rollback()
    except (FileNotFoundError, database.EmptyDatabaseError):
        pass
    except sqlite3.DatabaseError as error:
        if is_busy(error):
            sentence = Sentence("the token database {path} is in use; stop the server first", path=path)
            raise StorageError(sentence) from None

"""The shape of the token database, and how an older one becomes today's."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import SplitStorageError, StorageError
from secure_server.auth.sqlite.explaining import damaged

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (  # 0 to 1
        """CREATE TABLE tokens (
            id TEXT PRIMARY KEY NOT NULL,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            digest BLOB NOT NULL,
            created REAL NOT NULL,
            expires REAL,
            revoked REAL,
            last_used REAL,
            last_address TEXT,
            allow TEXT
        )""",
        "CREATE INDEX tokens_by_name ON tokens (name)",
        # One row. It begins at random, so that no other database's generation is mistaken for this one's.
        "CREATE TABLE change (generation INTEGER NOT NULL)",
        "INSERT INTO change VALUES (abs(random() % 4611686018427387904))",
    ),
    (  # 1 to 2
        "ALTER TABLE tokens ADD COLUMN networks TEXT",
        "ALTER TABLE tokens ADD COLUMN use TEXT NOT NULL DEFAULT 'lasting'",
        "ALTER TABLE tokens ADD COLUMN spent REAL",
        "ALTER TABLE tokens ADD COLUMN replaces TEXT",
        "ALTER TABLE tokens ADD COLUMN max_sessions INTEGER",
        "ALTER TABLE tokens ADD COLUMN rate REAL",
        "ALTER TABLE tokens ADD COLUMN burst INTEGER",
        "ALTER TABLE tokens ADD COLUMN stored_key BLOB",
        "ALTER TABLE tokens ADD COLUMN server_key BLOB",
        # The generation in which the row last changed, so that a server takes in what is new and not everything.
        "ALTER TABLE tokens ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX tokens_by_change ON tokens (changed)",
        # Names whose client certificates, as far as they were made before that moment, are refused.
        "CREATE TABLE barred (name TEXT PRIMARY KEY NOT NULL, since REAL NOT NULL, changed INTEGER NOT NULL)",
        # One row. Salts for SCRAM are made of it and of the id, so that an unknown id has one too (RFC 5802).
        "CREATE TABLE salt (key BLOB NOT NULL)",
        "INSERT INTO salt VALUES (randomblob(32))",
    ),
    (  # 2 to 3
        # Of an enrolment token, and of what it was exchanged for until that is first used.
        "ALTER TABLE tokens ADD COLUMN lifetime REAL",
        "CREATE INDEX tokens_by_replaced ON tokens (replaces)",
    ),
    (  # 3 to 4
        # From here on of every token: a grace brings its end forward, and what it was made for is not to be lost.
        "UPDATE tokens SET lifetime = expires - created WHERE use != 'enrolment' AND replaces IS NULL",
    ),
)
"""The statements that lead from each version (`PRAGMA user_version`) to the next. Only ever appended to."""
VERSION = len(_MIGRATIONS)
_RETRY_PAUSE = 0.01
"""Seconds between attempts to switch a new file to WAL while another process does the same."""


def prepare(db: sqlite3.Connection, path: Path, *, deadline: float) -> None:
    """Set the connection up and bring the schema to `VERSION`. Any number of processes may do so at once.

    Where that is its version already, nothing is written and no lock waited for: others may be writing.

    Args:
        db: a fresh connection in autocommit mode.
        path: the file, to name it in an error.
        deadline: monotonic seconds; until then a file locked by others is tried again.

    Raises:
        StorageError: the file is a newer version's or another program's.
        sqlite3.Error: SQLite cannot use it.
    """
    # Looked at first: another program's file is to be left as it is, its journal mode too.
    version = _known_version(db, path)
    _use_wal(db, deadline)
    db.execute("PRAGMA synchronous = FULL")
    if version == VERSION:
        return
    with db:
        db.execute("BEGIN IMMEDIATE")  # from here on only one process migrates; the others find it done
        version = _known_version(db, path)
        if version < VERSION:
            _migrate(db, version)


def blank() -> bytes:
    """Return the file of a database without tokens, unlike any other's. 40 KB, and 2 ms."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _migrate(db, 0)
        return db.serialize()


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _known_version(db: sqlite3.Connection, path: Path) -> int:
    """Return the version of a database of ours; raise StorageError for others."""
    # One statement, so one snapshot: never the version before another's migration with its tables.
    version, filled = db.execute(
        "SELECT user_version, EXISTS (SELECT 1 FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if version > VERSION:
        raise StorageError(
            Sentence(
                "the token database {path} was written by a newer version of this program (schema {version}, "
                "this one knows {known}); install that version, or restore an older backup",
                path=path,
                version=version,
                known=VERSION,
            )
        )
    if version == 0 and filled:
        raise StorageError(Sentence("{path} is another program's database; choose another --data-dir", path=path))
    if version == 0:  # ours have tables from the moment that they have a name
        raise SplitStorageError(damaged(path))
    return int(version)


def _use_wal(db: sqlite3.Connection, deadline: float) -> None:
    """Switch to WAL. SQLite's own busy timeout does not cover two connections that switch at once."""
    if db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_PAUSE)
        else:
            return

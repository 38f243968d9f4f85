"""The records of jobs in an SQLite file: numbers that are never used again, and what became of each.

One thread uses it, that of the server which has the data directory; what else reads it is a backup.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from secure_protocol.sentence import Sentence
from secure_server.files import database
from secure_server.jobs.job import Job
from secure_server.jobs.keeping.errors import RecordsError

DATABASE = "jobs.db"
"""The file in the data directory."""
BUSY_TIMEOUT = 5.0
"""Seconds to wait for a backup that reads; that takes milliseconds, so more means it is stuck."""

_SCHEMA = (
    # AUTOINCREMENT: a number that was given once is not given again, though its record is gone.
    "CREATE TABLE jobs (number INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL)",
)
_MIGRATIONS: tuple[tuple[str, ...], ...] = (_SCHEMA,)
"""The statements that lead from each version (`PRAGMA user_version`) to the next. Only ever appended to."""
VERSION = len(_MIGRATIONS)

_encode = msgspec.json.Encoder().encode
"""As JSON, so that people can look with SQLite's own program; bytes are base64 there."""
_decode = msgspec.json.Decoder(Job).decode


class Records:
    """The records of all jobs that are kept. One thread at a time.

    Args:
        path: the database; made with mode 0600 where it is missing, in a directory made with mode 0700.

    Raises:
        RecordsError: it cannot be opened, is damaged, another program's or a newer version's; it is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._durable = True
        with _explained(path):
            database.make(path, blank)
            database.tighten(path)
            self._db = database.connected(path, BUSY_TIMEOUT)
            try:
                _prepare(self._db, path)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._db.close()

    def load(self) -> list[Job]:
        """Return all records by number. Measured: 1,000 in about 5 ms.

        Raises:
            RecordsError: they cannot be read, or one makes no sense.
        """
        with _explained(self.path):
            rows = self._db.execute("SELECT number, record FROM jobs ORDER BY number").fetchall()
        try:
            return [msgspec.structs.replace(_decode(record), number=number) for number, record in rows]
        except msgspec.MsgspecError as error:
            raise RecordsError(_damaged(self.path)) from error

    def add(self, job: Job) -> Job:
        """Keep a new job; return it with its number, once that is on disk.

        Raises:
            RecordsError: it cannot be written, and there is no such job.
        """
        with self._written(durable=True):
            number = self._db.execute("INSERT INTO jobs (record) VALUES (?)", (_text(job),)).lastrowid
        assert number is not None  # noqa: S101 - narrows the type: a row was inserted
        return msgspec.structs.replace(job, number=number)

    def update(self, job: Job, *, durable: bool) -> None:
        """Keep what became of a job.

        Args:
            job: one that has its number; one that was removed stays so.
            durable: be on disk when this returns. Otherwise it outlives the process, but not the power.

        Raises:
            RecordsError: it cannot be written (a full disk); what was kept before stays.
        """
        with self._written(durable=durable):
            self._db.execute("UPDATE jobs SET record = ? WHERE number = ?", (_text(job), job.number))

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget jobs; their numbers are not used again.

        Raises:
            RecordsError: it cannot be written, and none was forgotten.
        """
        with self._written(durable=False):
            self._db.executemany("DELETE FROM jobs WHERE number = ?", [(number,) for number in numbers])

    @contextlib.contextmanager
    def _written(self, *, durable: bool) -> Iterator[None]:
        """A transaction, which is undone as a whole where it fails."""
        with _explained(self.path):
            if durable is not self._durable:
                self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield


def blank() -> bytes:
    """Return the file of a database without records."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _migrate(db, 0)
        return db.serialize()


def image(path: Path) -> bytes:
    """Return the records as they are between two changes, for a copy; in use or not.

    Raises:
        OSError: there are none.
        RecordsError: they cannot be read or are damaged.
    """
    try:
        return database.image(path, BUSY_TIMEOUT)
    except sqlite3.Error as error:
        raise RecordsError(_sentence(path, error)) from error


def check(path: Path) -> int:
    """Look at all of a copy that nobody else uses; how many records it holds.

    Raises:
        RecordsError: it is damaged, or none of ours.
    """
    with _explained(path), contextlib.closing(database.connected(path, BUSY_TIMEOUT)) as db:
        _known_version(db, path)
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise RecordsError(_damaged(path))
        return int(db.execute("SELECT COUNT(*) FROM jobs").fetchone()[0])


def _text(job: Job) -> str:
    return _encode(msgspec.structs.replace(job, number=0)).decode()  # the row has the number


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    # Looked at first: another program's file is to be left as it is, its journal mode too.
    version = _known_version(db, path)
    db.execute("PRAGMA journal_mode = WAL").fetchone()
    db.execute("PRAGMA synchronous = FULL")
    if version < VERSION:
        with db:
            db.execute("BEGIN IMMEDIATE")
            _migrate(db, version)


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _known_version(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise RecordsError(
            Sentence(
                "the records of jobs in {path} were written by a newer version of this program (schema {version}, "
                "this one knows {known}); install that version, or move the file away",
                path=path,
                version=version,
                known=VERSION,
            )
        )
    if version == 0:  # ours have tables from the moment that they have a name
        raise RecordsError(_damaged(path))
    return version


def _damaged(path: Path) -> Sentence:
    return Sentence(
        "{path} does not hold the records of jobs, or is damaged; restore it from a backup or move it away", path=path
    )


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a sentence with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise RecordsError(_sentence(path, error)) from error


def _sentence(path: Path, error: sqlite3.Error | OSError) -> Sentence:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _damaged(path)
    return Sentence(
        "the records of jobs in {path} cannot be read or written ({why}); "
        "check the space on the disk, and the owner and permissions of the file (0600, yours)",
        path=path,
        why=error.strerror if isinstance(error, OSError) else error,
    )

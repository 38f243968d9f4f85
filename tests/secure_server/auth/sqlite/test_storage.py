"""Tokens in an SQLite file: durable, private, shared between processes."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from secure_server.auth.errors import SplitStorageError, StorageError
from secure_server.auth.principal import Role
from secure_server.auth.sqlite import schema
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.storage import TokenStorage, Use
from secure_server.auth.token_record import TokenRecord
from secure_server.auth.tokens import Tokens
from secure_server.files import database

ROOT = Path(__file__).parents[4]
DEADLINE = 30.0
"""Seconds after which a subprocess counts as hung."""


def program(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Another Python process that can import the project."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


MAKE = """
import os, pathlib, signal, sys
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
link = os.link
def killed(source, target):
    if sys.argv[2] == "after":
        link(source, target)
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] != "never":
    os.link = killed
with SQLiteTokenStorage(pathlib.Path(sys.argv[1])) as storage:
    Tokens(storage).create("first")
"""
"""Makes a database, and is killed before or after it has its name, or never."""


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def record(number: int, **fields: float | str | frozenset[str] | None) -> TokenRecord:
    """A record that differs from those of other numbers."""
    made = TokenRecord(f"{number:010}", f"n{number}", Role.USER, bytes([number]) * 32, float(number))
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def test_it_is_a_token_storage(storage: SQLiteTokenStorage) -> None:
    """The type checker holds the class to the Protocol; at run time no method is missing."""
    kept: TokenStorage = storage
    for name in ("load_all", "load_changes", "ids", "find", "add", "revoke", "purge", "touch", "change_stamp"):
        assert callable(getattr(kept, name))


def test_records_come_back_as_they_went(path: Path) -> None:
    """Every field survives closing the file, in the order of creation."""
    full = record(
        2,
        expires=9.5,
        last_used=3.25,
        last_address="[::1]:4",
        allow=frozenset({"TIME", "ECHO"}),
        name="b@c.d",
    )
    with SQLiteTokenStorage(path) as storage:
        assert storage.add(full, beside_active=False)
        assert storage.add(record(1), beside_active=False)
    with SQLiteTokenStorage(path) as storage:
        assert storage.load_all() == [record(1), full]


def test_an_acknowledged_token_survives_kill_9(path: Path) -> None:
    """The process is killed by itself right after create() returned; the token is there and works."""
    code = """
import os, signal, sys, pathlib
from secure_server.auth.sqlite import schema
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
tokens = Tokens(SQLiteTokenStorage(pathlib.Path(sys.argv[1])))
doomed = tokens.create("doomed")
tokens.revoke("doomed")
print(tokens.create("bia").id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with program(code, path) as process:
        out, err = process.communicate(timeout=DEADLINE)
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    assert process.returncode == -signal.SIGKILL, err
    with SQLiteTokenStorage(path) as storage:
        doomed, bia = storage.load_all()
    assert doomed.revoked is not None
    assert (bia.id, bia.revoked) == (out.strip(), None)


def test_acknowledged_changes_wait_for_the_disk(storage: SQLiteTokenStorage) -> None:
    """WAL with synchronous FULL (2): a power cut loses no change; `touch` leaves it that way."""
    for _ in range(2):
        assert storage._connection is not None
        assert storage._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert storage._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert storage._connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
        storage.touch([Use("0123456789", 1.0, "a")])


def test_the_files_are_the_owners_alone(path: Path, storage: SQLiteTokenStorage, tokens: Tokens) -> None:
    """0700 for the directory it made, 0600 for the database and what SQLite puts beside it."""
    tokens.create("bia")
    assert mode(path.parent) == 0o700
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["tokens.db", "tokens.db-shm", "tokens.db-wal"]
    assert {mode(file) for file in path.parent.iterdir()} == {0o600}


def test_files_left_open_are_tightened(path: Path) -> None:
    """A database copied with a lax umask is closed to others when it is opened; its directory is left alone."""
    path.parent.mkdir(mode=0o755)
    with SQLiteTokenStorage(path) as first:
        assert first.add(record(1), beside_active=False)
        for file in path.parent.iterdir():
            file.chmod(0o644)
        with SQLiteTokenStorage(path):
            assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    assert mode(path.parent) == 0o755


def test_the_secret_is_in_no_file(path: Path, storage: SQLiteTokenStorage, tokens: Tokens) -> None:
    """Neither the secret nor the checksum reaches the disk; the id does, which shows that the search works."""
    made = tokens.create("bia")
    checksum = made.reveal().rsplit("_", 1)[1]

    def on_disk() -> bytes:
        return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))

    while_open = on_disk()
    storage.close()
    for content in (while_open, on_disk()):
        assert made.id.encode() in content
        assert made.secret.encode() not in content
        assert checksum.encode() not in content


def test_writers_in_several_processes_lose_nothing(path: Path) -> None:
    """Four processes make the new database at once and add tokens; all are there, and one name went to one of them."""
    code = """
import sys, pathlib
from secure_server.auth.errors import NameTakenError
from secure_server.auth.sqlite import schema
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
sys.stdin.readline()
with SQLiteTokenStorage(pathlib.Path(sys.argv[1])) as storage:
    tokens = Tokens(storage)
    try:
        tokens.create("shared")
        print("won")
    except NameTakenError:
        pass
    for number in range(10):
        tokens.create(f"{sys.argv[2]}.{number}")
"""
    processes = [program(code, path, str(number)) for number in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = []
    for process in processes:
        with process:
            results.append(process.communicate(timeout=DEADLINE))
    assert [process.returncode for process in processes] == [0] * 4, results
    assert [out for out, _ in results].count("won\n") == 1
    with SQLiteTokenStorage(path) as storage:
        names = [item.name for item in storage.load_all()]
    assert sorted(names) == sorted(["shared", *(f"{p}.{n}" for p in range(4) for n in range(10))])


def test_threads_share_one_instance(storage: SQLiteTokenStorage) -> None:
    """Any thread may use it; nothing is lost."""

    def work(first: int) -> None:
        for number in range(first, first + 10):
            assert storage.add(record(number), beside_active=False)
            storage.touch([Use(f"{number:010}", 1.0, "a")])
            storage.load_all()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(item.id, item.last_used) for item in storage.load_all()] == [(f"{n:010}", 1.0) for n in range(30)]


def test_the_stamp_tells_of_what_matters(path: Path, storage: SQLiteTokenStorage) -> None:
    """Adding and revoking move it, for other connections too; uses and what did nothing do not."""
    with SQLiteTokenStorage(path) as other:
        stamps = [other.change_stamp()]
        assert storage.add(record(1), beside_active=False)
        stamps.append(other.change_stamp())
        assert storage.revoke("n1", 5.0)
        stamps.append(other.change_stamp())
        assert len(set(stamps)) == 3
        storage.touch([Use(record(1).id, 6.0, "a")])
        assert not storage.revoke("n1", 7.0)
        assert not storage.add(record(2), beside_active=True)
        assert other.change_stamp() == storage.change_stamp() == stamps[-1]


def test_changes_are_told_alone(path: Path, storage: SQLiteTokenStorage) -> None:
    """After the first time only what is new or different comes, by whoever changed it; uses are no change."""
    for number in (1, 2, 3):
        assert storage.add(record(number), beside_active=False)
    first = storage.load_changes(None)
    assert (first.whole, first.total, len(first.records)) == (True, 3, 3)
    with SQLiteTokenStorage(path) as other:
        assert other.revoke("n2", 5.0)
        assert other.add(record(4), beside_active=False)
    storage.touch([Use(record(1).id, 6.0, "a")])
    changes = storage.load_changes(first.stamp)
    assert (changes.whole, changes.total) == (False, 4)
    assert [(item.id, item.revoked) for item in changes.records] == [(record(2).id, 5.0), (record(4).id, None)]
    assert changes.stamp == storage.change_stamp()
    assert storage.load_changes(changes.stamp).records == []


def test_a_purge_is_a_change_that_the_total_tells_of(path: Path, storage: SQLiteTokenStorage) -> None:
    """What is gone cannot come; so it is known by being fewer, and by the ids that are left."""
    for number in (1, 2, 3):
        assert storage.add(record(number, expires=10.0 * number), beside_active=False)
    stamp = storage.change_stamp()
    with SQLiteTokenStorage(path) as other:
        assert [item.id for item in other.purge(20.0)] == [record(1).id, record(2).id]
    changes = storage.load_changes(stamp)
    assert (changes.stamp != stamp, changes.records, changes.total) == (True, [], 1)
    assert storage.ids() == {record(3).id}
    assert storage.purge(20.0) == []
    assert storage.change_stamp() == changes.stamp


def test_another_file_is_loaded_whole(path: Path, storage: SQLiteTokenStorage) -> None:
    """What was known of the old one is void, whatever the new one's generation."""
    storage.add(record(1), beside_active=False)
    stamp = storage.change_stamp()
    for file in list(path.parent.iterdir()):
        file.unlink()
    with SQLiteTokenStorage(path) as new:
        new.add(record(2), beside_active=False)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE change SET generation = ?", (stamp.generation,))
    with pytest.raises(SplitStorageError):
        storage.load_changes(stamp)
    changes = storage.load_changes(stamp)
    assert (changes.whole, [item.id for item in changes.records]) == (True, [record(2).id])
    restored = changes.stamp._replace(generation=changes.stamp.generation + 1)
    assert storage.load_changes(restored).whole  # an older state, copied over the file


def test_a_grace_and_its_token_are_one_step(storage: SQLiteTokenStorage) -> None:
    """A rotation that is refused shortens nothing; one that is not tells of the shortened ones, too."""
    storage.add(record(1, name="a"), beside_active=False)
    storage.add(record(2, name="b"), beside_active=False)
    stamp = storage.change_stamp()
    assert not storage.add(record(3, name="c"), beside_active=True, others_until=50.0)
    assert storage.change_stamp() == stamp
    assert storage.add(record(3, name="a"), beside_active=True, others_until=50.0)
    changed = storage.load_changes(stamp).records
    assert [(item.id, item.expires) for item in changed] == [(record(1).id, 50.0), (record(3).id, None)]


def test_a_last_use_only_advances(storage: SQLiteTokenStorage) -> None:
    """Two servers on one database report in any order; unknown ids are no error."""
    storage.add(record(1), beside_active=False)
    storage.touch([Use(record(1).id, 6.0, "new"), Use("unknown-id", 6.0, "x"), Use(record(1).id, 5.0, "old")])
    (found,) = storage.load_all()
    assert (found.last_used, found.last_address) == (6.0, "new")


def test_a_last_use_does_not_wait_long(path: Path, storage: SQLiteTokenStorage) -> None:
    """A stuck writer elsewhere delays `touch` by far less than the second in which a revocation must act."""
    with closing(sqlite3.connect(path, isolation_level=None)) as stuck:
        stuck.execute("BEGIN IMMEDIATE")
        before = time.monotonic()
        with pytest.raises(StorageError, match="busy with another program's write"):
            storage.touch([Use("0123456789", 1.0, "a")])
        assert time.monotonic() - before < 4, "BUSY_TIMEOUT is five"
        assert storage.load_all() == []  # readers do not wait at all
    assert storage.add(record(1), beside_active=False)


def test_a_failed_change_changes_nothing(storage: SQLiteTokenStorage) -> None:
    """An id that is there already: the error leaves neither half a change nor an open transaction."""
    storage.add(record(1), beside_active=False)
    stamp = storage.change_stamp()
    with pytest.raises(StorageError, match="UNIQUE"):
        storage.add(record(1, name="other"), beside_active=False)
    assert storage.change_stamp() == stamp
    assert storage.add(record(2), beside_active=False)


def test_a_change_and_its_news_are_one_step(path: Path, storage: SQLiteTokenStorage) -> None:
    """Where other processes cannot be told, nothing is added or revoked: no half is ever seen."""
    storage.add(record(1), beside_active=False)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TRIGGER mute BEFORE UPDATE ON change BEGIN SELECT RAISE(ABORT, 'muted'); END")
    for change in (lambda: storage.add(record(2), beside_active=False), lambda: storage.revoke("n1", 5.0)):
        with pytest.raises(StorageError, match="muted"):
            change()
    assert storage.load_all() == [record(1)]


def test_a_replaced_database_is_noticed(path: Path, storage: SQLiteTokenStorage) -> None:
    """The old file would answer for ever; the new one's tokens hold instead, and its stamp differs."""
    storage.add(record(1), beside_active=False)
    stamp = storage.change_stamp()
    for file in list(path.parent.iterdir()):
        file.unlink()
    with pytest.raises(StorageError, match=r"is gone; restore it, or .* secure-server token create"):
        storage.change_stamp()
    with SQLiteTokenStorage(path) as new:
        new.add(record(2), beside_active=False)
        with pytest.raises(SplitStorageError, match="removed, replaced or overwritten"):
            storage.change_stamp()
        with pytest.raises(SplitStorageError):  # not before all of this process have let go of what they have
            storage.change_stamp()
        new.close()
    with SQLiteTokenStorage(path) as new:
        assert storage.change_stamp() != stamp
        assert storage.load_all() == [record(2)]


def test_a_closed_storage_says_so(storage: SQLiteTokenStorage) -> None:
    """Use after closing is an error with a sentence; closing again is not."""
    storage.close()
    storage.close()
    with pytest.raises(StorageError, match="was closed"):
        storage.load_all()


def test_a_newer_schema_is_refused(path: Path) -> None:
    """An old program does not write into what it does not understand."""
    SQLiteTokenStorage(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StorageError, match="newer version of this program"):
        SQLiteTokenStorage(path)


def test_the_first_schema_becomes_todays(path: Path) -> None:
    """What was in it stays, and what it was made for is worked out."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db, db:
        for statement in schema._MIGRATIONS[0]:
            db.execute(statement)
        rows: list[dict[str, str | float | None]] = [{"id": "one", "expires": None}, {"id": "two", "expires": 110.0}]
        insert = "INSERT INTO tokens VALUES (:id, :id, 'user', X'00', 100, :expires, NULL, NULL, NULL, 'ECHO')"
        db.executemany(insert, rows)
        db.execute("PRAGMA user_version = 1")
    with SQLiteTokenStorage(path) as storage:
        kept = [(item.id, item.allow, item.expires, item.lifetime) for item in storage.load_all()]
    assert kept == [("one", frozenset({"ECHO"}), None, None), ("two", frozenset({"ECHO"}), 110.0, 10.0)]


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """Not even its journal mode is changed."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program's database"):
        SQLiteTokenStorage(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """And not overwritten."""
    path.parent.mkdir()
    path.write_text("these are notes, and quite long ones\n" * 50)
    with pytest.raises(StorageError, match="is not a token database or is damaged"):
        SQLiteTokenStorage(path)
    assert path.read_text().startswith("these are notes")


def test_a_place_that_cannot_hold_it(tmp_path: Path) -> None:
    """A file where the directory should be, and a directory where the file should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="check --data-dir"):
        SQLiteTokenStorage(tmp_path / "file" / "tokens.db")
    (tmp_path / "tokens.db").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        SQLiteTokenStorage(tmp_path / "tokens.db")


@pytest.mark.parametrize("size", [0, 1, 100, 4096])
def test_what_the_system_cut_is_no_new_database(path: Path, size: int) -> None:
    """As it may when the power fails: tokens are not gone without a word, and what stands beside is left alone."""
    wal = Path(f"{path}-wal")
    with SQLiteTokenStorage(path) as storage:
        storage.add(record(1), beside_active=False)
        beside = wal.read_bytes()
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    if not size:
        wal.write_bytes(beside)
    for _ in range(2):
        with pytest.raises(SplitStorageError, match="is damaged; restore it from a backup or move it away"):
            SQLiteTokenStorage(path)
    assert path.read_bytes() == whole[:size]
    assert size or wal.read_bytes() == beside
    path.unlink()
    wal.unlink(missing_ok=True)
    with SQLiteTokenStorage(path) as storage:
        assert storage.load_all() == []


def test_a_database_without_anything_is_none_of_ours(path: Path) -> None:
    """SQLite thinks that it is whole."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size
    with pytest.raises(SplitStorageError, match="is damaged; restore it"):
        SQLiteTokenStorage(path)


def test_of_two_who_make_it_at_once_the_second_has_the_firsts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it had seen that there is none, and was about to give its own the name."""
    if sys.platform == "win32":
        pytest.skip("there, a new name is given by another call")
    link, first = os.link, []

    def overtaken(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        with program(MAKE, path, "never") as other:
            assert other.wait(DEADLINE) == 0
        first.append(path.stat().st_ino)
        link(source, target)

    monkeypatch.setattr(os, "link", overtaken)
    with SQLiteTokenStorage(path) as storage:
        assert [made.name for made in storage.load_all()] == ["first"]
        assert [path.stat().st_ino] == first
    assert [file.name for file in path.parent.iterdir()] == ["tokens.db"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_is_killed_making_it_leaves_nothing_that_harms(path: Path, when: str) -> None:
    """Before it has its name there is none; with two names it is whole, and loses the second at the next use."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    with program(MAKE, path, when) as process:
        assert process.wait(DEADLINE) == -signal.SIGKILL
    assert path.exists() is (when == "after")
    assert len(list(path.parent.iterdir())) == (2 if when == "after" else 1)
    with SQLiteTokenStorage(path) as storage:
        storage.add(record(1), beside_active=False)
    with SQLiteTokenStorage(path) as storage:
        assert storage.load_all() == [record(1)]
    assert [file.name for file in path.parent.iterdir()] == ["tokens.db"]


def test_where_there_are_no_links_it_is_made_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in FAT, and on Android."""

    def linkless(_source: Path, _target: Path) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", linkless)
    with SQLiteTokenStorage(path) as storage:
        assert storage.load_all() == []
    assert (mode(path), [file.name for file in path.parent.iterdir()]) == (0o600, ["tokens.db"])


def test_a_disk_too_full_to_make_it_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is left of it."""
    path.parent.mkdir(mode=0o700)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        SQLiteTokenStorage(path)
    assert list(path.parent.iterdir()) == []


def test_a_record_that_makes_no_sense_is_an_error(path: Path, storage: SQLiteTokenStorage) -> None:
    """Half-understood tokens are not guessed at."""
    storage.add(record(1), beside_active=False)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tokens SET role = 'emperor'")
    with pytest.raises(StorageError, match="makes no sense"):
        storage.load_all()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE tokens SET role = 'user', expires = 'tomorrow'")
        db.execute("INSERT INTO barred VALUES ('ada', 'yesterday', 1)")
    with pytest.raises(StorageError, match="makes no sense"):
        storage.load_all()
    with pytest.raises(StorageError, match="makes no sense"):
        storage.load_barred()


def test_a_full_disk_is_named(storage: SQLiteTokenStorage) -> None:
    """SQLite's own page limit stands for the disk: the sentence says what to free, and the change is undone."""
    assert storage._connection is not None
    pages = storage._connection.execute("PRAGMA page_count").fetchone()[0]
    storage._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="the disk is full"):
        storage.add(record(1, name="x" * 20_000), beside_active=False)
    assert storage.load_all() == []


def test_a_file_locked_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that keeps the new file to itself: opening ends with a sentence, not never."""
    monkeypatch.setattr("secure_server.auth.sqlite.storage.BUSY_TIMEOUT", 0.05)
    database.make(path, schema.blank)
    with closing(sqlite3.connect(path, isolation_level=None)) as stuck:
        stuck.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="try again in a moment"):
            SQLiteTokenStorage(path)


@pytest.mark.long
def test_a_hundred_thousand_tokens_load_fast(path: Path, storage: SQLiteTokenStorage) -> None:
    """In time that grows with their number and no more, about half a second; of one that is new nearly none."""

    def seconds_for(first: int, last: int) -> float:
        with closing(sqlite3.connect(path)) as db, db:
            db.executemany(
                "INSERT INTO tokens (id, name, role, digest, created) VALUES (?, ?, 'user', ?, 1)",
                ((f"{n:010}", f"n{n}", bytes(32)) for n in range(first, last)),
            )
        before = time.thread_time()
        assert len(storage.load_all()) == last
        return time.thread_time() - before

    tenth = seconds_for(0, 10_000)
    whole = seconds_for(10_000, 100_000)
    assert whole < 40 * tenth
    stamp = storage.change_stamp()
    assert storage.add(record(1, id="a-new-one", name="a-new-one"), beside_active=False)
    before = time.thread_time()
    assert len(storage.load_changes(stamp).records) == 1
    assert time.thread_time() - before < whole / 4  # a few milliseconds

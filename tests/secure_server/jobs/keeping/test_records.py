"""What is kept of jobs: durable, private, and numbered once."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from secure_server.audit.record import Withheld
from secure_server.auth.principal import ClientCertificate, Role
from secure_server.jobs.job import KEPT_BYTES, Job, JobState, Process, kept
from secure_server.jobs.keeping import records as records_module
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.keeping.records import VERSION, Records, check, image

SECRET = Withheld()

ROOT = Path(__file__).parents[3]
NEW = Job(command="DEPLOY", principal="ada", role=Role.OPERATOR, created=1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the records are."""
    return tmp_path / "data" / "jobs.db"


@pytest.fixture
def records(path: Path) -> Iterator[Records]:
    """Records of no job yet."""
    with Records(path) as made:
        yield made


def test_all_of_a_job_comes_back(path: Path, records: Records) -> None:
    """Whatever its fields hold."""
    job = Job(
        command="DEPLOY",
        arguments=(b"web", b"\x00\xff", Withheld.of(b"a file"), SECRET),
        principal="ada",
        role=Role.ADMIN,
        token_id="0123456789",
        certificate=ClientCertificate("ada", "f" * 64, 1.0, 2.0),
        language="pt_BR",
        address="[::1]:5000",
        key="k",
        created=1.25,
        started=2.25,
        ended=3.25,
        state=JobState.TIMED_OUT,
        code="TIMEOUT",
        message="It took too long.",
        exit_code=-9,
        result=b"$2\r\n\xff\xfe\r\n",
        parts=12,
        lock="deploy-web",
        process=Process("b00t", 4711, 12345),
        rerun_of=3,
        cancelled_by="eve",
    )
    kept_as = records.add(job)
    assert kept_as == replace(job, number=1)
    second = records.add(NEW)
    records.update(replace(second, state=JobState.RUNNING), durable=True)
    records.update(replace(second, state=JobState.DONE, parts=3), durable=False)
    records.close()
    with Records(path) as again:
        assert again.load() == [kept_as, replace(second, state=JobState.DONE, parts=3)]


def test_a_number_is_given_once(path: Path, records: Records) -> None:
    """Neither clearing all nor a new start has them begin again."""
    assert [records.add(NEW).number for _ in range(3)] == [1, 2, 3]
    records.remove([1, 2, 3])
    assert records.load() == []
    records.close()
    with Records(path) as again:
        assert again.add(NEW).number == 4


def test_all_are_forgotten_or_none(records: Records) -> None:
    """Whatever happens in between."""
    job = records.add(NEW)
    with pytest.raises(OverflowError):
        records.remove([job.number, 1 << 80])
    assert records.load() == [job]


def test_what_was_removed_stays_so(records: Records) -> None:
    """Though somebody who did not hear of it says what became of it."""
    job = records.add(NEW)
    records.remove([job.number])
    records.update(job, durable=True)
    assert records.load() == []


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
def test_nobody_else_may_read_it(path: Path, records: Records) -> None:
    """Nor what SQLite makes beside it."""
    records.add(NEW)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    records.close()
    path.chmod(0o644)
    with Records(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def newer(path: Path) -> None:
    """Write what a program of tomorrow does."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


def foreign(path: Path) -> None:
    """Write what another program does."""
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")


def senseless(path: Path) -> None:
    """Write a record that is none."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("""UPDATE jobs SET record = '{"command": 1}'""")


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (newer, "newer version"),
        (foreign, "does not hold the records of jobs, or is damaged"),
        (senseless, "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.write_bytes(b"no database at all\n" * 100), "is damaged"),
    ],
)
def test_what_makes_no_sense_is_said_and_left(path: Path, records: Records, harm: object, sentence: str) -> None:
    """One sentence names the file; not a byte of it is changed."""
    records.add(NEW)
    records.close()
    assert callable(harm)
    harm(path)
    before = path.read_bytes()

    def use() -> None:
        with Records(path) as again:
            again.load()

    with pytest.raises(RecordsError, match=sentence) as raised:
        use()
    assert str(path) in str(raised.value)
    if harm is not senseless:
        assert path.read_bytes() == before
        with pytest.raises(RecordsError, match=sentence):
            check(path)


def test_a_full_disk_is_one_error(records: Records) -> None:
    """What was kept stays, and once there is room it goes on."""
    job = records.add(NEW)
    pages = records._db.execute("PRAGMA page_count").fetchone()[0]
    records._db.execute(f"PRAGMA max_page_count = {pages}")
    longer = replace(job, message="x" * 100_000)
    for durable in (True, False):
        with pytest.raises(RecordsError, match="check the space on the disk"):
            records.update(longer, durable=durable)
    with pytest.raises(RecordsError):
        records.add(longer)
    assert records.load() == [job]
    records._db.execute("PRAGMA max_page_count = 1000000")
    records.update(longer, durable=True)
    assert records.load() == [longer]
    assert records.add(NEW).number == 2


def test_what_is_not_durable_waits_for_no_disk(records: Records) -> None:
    """SQLite syncs at a commit where it is to be durable, and only there."""
    job = records.add(NEW)

    def level() -> int:
        return int(records._db.execute("PRAGMA synchronous").fetchone()[0])

    normal, full = 1, 2
    records.update(job, durable=False)
    assert level() == normal
    records.update(job, durable=True)
    assert level() == full
    records.remove([99])
    records.add(NEW)
    assert level() == full


KILLED = """
import os, pathlib, signal, sys
from secure_server.auth.principal import Role
from secure_server.jobs.job import Job
from secure_server.jobs.keeping.records import Records
records = Records(pathlib.Path(sys.argv[1]))
job = records.add(Job(command="DEPLOY", principal="ada", role=Role.USER, created=1.0))
print(job.number, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Adds a job, and is killed."""


def test_what_was_added_outlives_the_process(path: Path) -> None:
    """A number that was told belongs to that job for good."""
    for number in (1, 2):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(path)],
            capture_output=True, text=True, check=False, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (-9, f"{number}\n"), done.stderr
    with Records(path) as records:
        assert [job.number for job in records.load()] == [1, 2]


def test_a_copy_is_made_while_it_is_used(path: Path, records: Records, tmp_path: Path) -> None:
    """It has what was kept by then, and can be looked at."""
    records.add(NEW)
    copy = tmp_path / "copy.db"
    copy.write_bytes(image(path))
    records.add(NEW)
    assert check(copy) == 1
    with Records(copy) as copied:
        assert [job.number for job in copied.load()] == [1]


def test_a_thousand_are_loaded_in_a_few_statements(records: Records) -> None:
    """So that a start costs little: one statement for all of them."""
    statements: list[str] = []
    for _ in range(20):
        records.add(NEW)
    records._db.set_trace_callback(statements.append)
    assert len(records.load()) == 20
    assert len(statements) == 1


def test_what_is_long_is_withheld() -> None:
    """The memory that a thousand jobs take is bounded."""
    short, long = b"--to", b"x" * (KEPT_BYTES - 3)
    assert kept([long, b"y", SECRET]) == (long, b"y", SECRET)
    assert kept([long, short, b"y", SECRET]) == (Withheld.of(long), short, b"y", SECRET)
    many = [b"%d" % number * 100 for number in range(1000)]
    assert sum(len(each) for each in kept(many) if isinstance(each, bytes)) <= KEPT_BYTES
    assert (SECRET.size, SECRET.digest) == (None, "")


def test_what_ended_and_what_holds() -> None:
    """A lost job holds what it had until somebody proved that nothing of it runs."""
    assert {state for state in JobState if not state.ended} == {JobState.QUEUED, JobState.RUNNING}
    assert replace(NEW, state=JobState.RUNNING).holds
    assert not NEW.holds
    lost = replace(NEW, state=JobState.LOST, process=Process("b", 1, 2))
    assert lost.holds
    assert not replace(lost, process=None).holds
    assert not replace(lost, state=JobState.FAILED).holds


def test_an_empty_blank_is_of_this_version(tmp_path: Path) -> None:
    """So a new one is looked at as any other."""
    (tmp_path / "new.db").write_bytes(records_module.blank())
    assert check(tmp_path / "new.db") == 0

"""What is kept on disk, and what a start finds there."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.config.jobs import Jobs as Settings
from secure_server.jobs import leftovers
from secure_server.jobs.job import Job, JobState, Process
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.keeping.kept import Kept
from tests.secure_server.jobs.desk import job


def loaded(data: Path, now: float = 50.0, **settings: object) -> list[Job]:
    """What a start finds."""
    made = Kept(data, Settings(**settings))  # type: ignore[arg-type] # each test's own
    try:
        return made.load(now)
    finally:
        made.close()


def left(data: Path, *jobs: Job, parts: int = 0) -> None:
    """Keep some, as a server that was killed does; the first one has output."""
    made = Kept(data, Settings())
    for each in jobs:
        made.add(each)
    output = made.output(1)
    for number in range(parts):
        output.append(b":%d\r\n" % number)
    output.close()
    made.close()


def test_what_waited_was_cancelled_and_what_ran_is_lost(tmp_path: Path) -> None:
    """Dated, with the parts that are there; once."""
    left(tmp_path, job(state=JobState.RUNNING), job(state=JobState.QUEUED), job(state=JobState.DONE), parts=3)
    lost, waited, done = found = loaded(tmp_path)
    assert (lost.state, lost.code, lost.ended, lost.parts) == (JobState.LOST, "LOST", 50.0, 3)
    assert (waited.state, waited.code, waited.ended) == (JobState.CANCELLED, "CANCELLED", 50.0)
    assert done.state is JobState.DONE
    assert loaded(tmp_path, 60.0) == found


@pytest.mark.parametrize("over", [True, False])
def test_a_lost_one_holds_what_it_has_until_its_end_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, over: bool
) -> None:
    """Asked again at the next start."""
    asked: list[Process] = []

    def end(processes: list[Process]) -> list[bool]:
        asked.extend(processes)
        return [over] * len(processes)

    monkeypatch.setattr(leftovers, "end", end)
    process = Process("boot", 4711, 1)
    left(tmp_path, job(state=JobState.RUNNING, process=process, lock="a"))
    (lost,) = loaded(tmp_path)
    assert lost.holds is not over
    loaded(tmp_path)
    assert asked == [process] * (1 if over else 2)


def test_output_without_a_record_is_removed(tmp_path: Path) -> None:
    """Of a job that was cleared when the server was killed."""
    left(tmp_path, job(state=JobState.DONE), parts=1)
    (tmp_path / "jobs" / "99").mkdir()
    (tmp_path / "jobs" / "99" / "0").write_bytes(b"x")
    loaded(tmp_path)
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["1"]


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask."""
    left(tmp_path, job(state=JobState.DONE), parts=1)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if "jobs" in str(path)} == {
        "jobs.db": 0o600, "jobs": 0o700, "1": 0o700, "0": 0o600,
    }  # fmt: skip


def test_what_cannot_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last state of each."""
    made = Kept(tmp_path, Settings())
    added = made.add(job(state=JobState.RUNNING))
    with monkeypatch.context() as full:
        full.setattr(made._records, "update", _fails)
        assert not made.save(added)
        assert not made.save_again()
    assert made.save_again()
    made.close()


def test_clearing_gives_the_disk_back(tmp_path: Path) -> None:
    """Records and files."""
    left(tmp_path, job(state=JobState.DONE, ended=10.0), job(state=JobState.RUNNING), parts=3)
    made = Kept(tmp_path, Settings(keep_for=30.0))  # type: ignore[arg-type] # a Duration
    jobs = made.load(20.0)
    assert made.clear(jobs, 30.0) == []
    assert [each.number for each in made.clear(jobs, 45.0)] == [1]
    assert list((tmp_path / "jobs").iterdir()) == []
    assert made._room.taken == 0
    made.close()


def _fails(*_: object, **__: object) -> None:
    raise RecordsError("the disk is full")

"""Which jobs are forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secure_server.auth.principal import Role
from secure_server.jobs.job import Job, JobState, Process
from secure_server.jobs.keeping.clearing import to_clear


def job(
    number: int, ended: float | None, state: JobState = JobState.DONE, process: Process | None = None, who: str = "ada"
) -> Job:
    """A job of that number."""
    return Job(
        number=number, command="X", principal=who, role=Role.USER, created=0.0, ended=ended, state=state,
        process=process,
    )  # fmt: skip


def numbers(jobs: list[Job]) -> list[int]:
    """Theirs."""
    return [each.number for each in jobs]


def test_the_first_to_end_goes_first() -> None:
    """Not the first to begin: a long one was of interest until just now."""
    kept = [job(1, 30.0), job(2, 10.0), job(3, 20.0), job(4, 10.0)]
    assert numbers(to_clear(kept, keep=1, keep_for=100, now=50)) == [2, 4, 3]
    assert numbers(to_clear(kept, keep=4, keep_for=30, now=50)) == [2, 4, 3]
    assert numbers(to_clear(kept, keep=4, keep_for=100, now=50)) == []


def test_what_has_not_ended_stays() -> None:
    """Nor does it count; a lost one whose process may still run has its locks by its record."""
    left = Process("boot", 1, 2)
    kept = [
        job(1, None, JobState.QUEUED),
        job(2, None, JobState.RUNNING),
        job(3, 1.0, JobState.LOST, left),
        job(4, 1.0, JobState.LOST),
        job(5, 2.0),
    ]
    assert numbers(to_clear(kept, keep=0, keep_for=0, now=9)) == [4, 5]
    assert numbers(to_clear(kept, keep=1, keep_for=100, now=9)) == [4]


def test_a_full_disk_takes_the_oldest_output() -> None:
    """Until there is an eighth of it for those that run, whose output counts and stays."""
    kept = [job(1, 1.0), job(2, 2.0), job(3, 3.0), job(4, 4.0), job(5, None, JobState.RUNNING)]
    sizes = {1: 10, 3: 20, 4: 30, 5: 40}

    def gone(disk: int) -> list[int]:
        return numbers(to_clear(kept, keep=9, keep_for=100, now=9, sizes=sizes, disk=disk))

    assert gone(120) == []
    assert gone(112) == [1]
    assert gone(80) == [1, 3]
    assert gone(10) == [1, 3, 4]
    assert numbers(to_clear(kept, keep=3, keep_for=100, now=9, sizes=sizes, disk=112)) == [1]


def test_nobody_has_others_jobs_forgotten_by_running_many() -> None:
    """Of whoever has most the first to end goes, though those of others ended before; of equals, the first of all."""
    kept = [job(1, 1.0, who="grace"), job(2, 2.0, who="bob"), *(job(number, float(number)) for number in range(3, 9))]
    assert numbers(to_clear(kept, keep=4, keep_for=100, now=9)) == [3, 4, 5, 6]
    assert numbers(to_clear(kept, keep=3, keep_for=100, now=9)) == [3, 4, 5, 6, 7]
    assert numbers(to_clear(kept, keep=2, keep_for=100, now=9)) == [3, 4, 5, 6, 7, 1]
    sizes = {1: 10, 2: 20, 3: 30, 4: 30}
    assert numbers(to_clear(kept, keep=9, keep_for=100, now=9, sizes=sizes, disk=80)) == [3]
    assert numbers(to_clear(kept, keep=9, keep_for=100, now=9, sizes=sizes, disk=40)) == [3, 4]
    assert numbers(to_clear(kept, keep=9, keep_for=8, now=9, sizes=sizes, disk=80)) == [1, 3]


@given(
    st.lists(st.tuples(st.sampled_from(JobState), st.floats(0, 100))),
    st.integers(0, 5),
    st.floats(0, 100),
)
def test_no_more_stay_than_may(drawn: list[tuple[JobState, float]], keep: int, keep_for: float) -> None:
    """And none goes that may stay."""
    jobs = [job(number, ended if state.ended else None, state) for number, (state, ended) in enumerate(drawn)]
    gone = to_clear(jobs, keep, keep_for, now=100.0)
    assert all(each.state.ended for each in gone)
    stay = [each for each in jobs if each.state.ended and each not in gone]
    assert len(stay) <= keep
    assert all((each.ended or 0.0) > 100.0 - keep_for for each in stay)
    young = [each for each in jobs if each.state.ended and (each.ended or 0.0) > 100.0 - keep_for]
    assert len(stay) == min(keep, len(young))

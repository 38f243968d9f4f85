"""Which jobs are forgotten, so that what is kept of them stays within bounds."""

from __future__ import annotations

from collections.abc import Iterable

from secure_server.jobs.job import Job


def to_clear(jobs: Iterable[Job], keep: int, keep_for: float, now: float) -> list[Job]:
    """Return the jobs that are to be forgotten, those that ended first before others.

    Never one that waits, runs or holds something (a lock): these are not counted either, as `jobs.queue` and
    `threads.jobs` bound them.

    Args:
        jobs: all that are kept.
        keep: how many of those that have ended stay.
        keep_for: seconds for which one stays after its end.
        now: Unix seconds.
    """
    ended = sorted((job for job in jobs if job.state.ended and not job.holds), key=_ended)
    surplus = len(ended) - keep
    return [job for index, job in enumerate(ended) if index < surplus or _ended(job)[0] <= now - keep_for]


def _ended(job: Job) -> tuple[float, int]:
    return job.created if job.ended is None else job.ended, job.number

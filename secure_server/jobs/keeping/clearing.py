"""Which jobs are forgotten, so that what is kept of them stays within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secure_server.jobs.job import Job

HEADROOM = 8
"""One part in so many of the disk is kept free of jobs that have ended, for what those that run say next."""


def to_clear(
    jobs: Iterable[Job],
    keep: int,
    keep_for: float,
    now: float,
    *,
    sizes: Mapping[int, int] | None = None,
    disk: int | None = None,
) -> list[Job]:
    """Return the jobs that are to be forgotten, those that ended first before others.

    Never one that waits, runs or holds something (a lock): these are not counted either, as `jobs.queue` and
    `threads.jobs` bound them.

    Args:
        jobs: all that are kept.
        keep: how many of those that have ended stay.
        keep_for: seconds for which one stays after its end.
        now: Unix seconds.
        sizes: bytes that the output of each job takes, by number; of those that run, too.
        disk: bytes that all may take together; None: any number. Where it is short, only who has output goes.
    """
    ended = sorted((job for job in jobs if job.state.ended and not job.holds), key=_ended)
    surplus = len(ended) - keep
    sizes = sizes or {}
    excess = 0 if disk is None else sum(sizes.values()) - (disk - disk // HEADROOM)
    gone = []
    for index, job in enumerate(ended):
        size = sizes.get(job.number, 0)
        if index < surplus or _ended(job)[0] <= now - keep_for or (excess > 0 and size):
            gone.append(job)
            excess -= size
    return gone


def _ended(job: Job) -> tuple[float, int]:
    return job.created if job.ended is None else job.ended, job.number

"""Which jobs are forgotten, so that what is kept of them stays within bounds.

Where room is short, whoever has most of it loses the first to end, so that nobody can have others' jobs forgotten by
running many of their own.
"""

from __future__ import annotations

from collections import Counter, deque
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
    """Return the jobs that are to be forgotten: what is too old, and what is too much.

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
    gone = [job for job in ended if _ended(job)[0] <= now - keep_for]
    left = ended[len(gone) :]  # they are in that order
    gone += _heaviest(left, dict.fromkeys((job.number for job in left), 1), len(left) - keep)
    if disk is not None and sizes:
        excess = sum(sizes.values()) - (disk - disk // HEADROOM) - sum(sizes.get(job.number, 0) for job in gone)
        known = {job.number for job in gone}
        gone += _heaviest([job for job in left if job.number not in known], sizes, excess)
    return gone


def _heaviest(jobs: list[Job], weights: Mapping[int, int], excess: int) -> list[Job]:
    """Return which of these go until so much is gone: each time the first of the principal that has most.

    Args:
        jobs: in the order of their ends.
        weights: of each, by number; who has none does not go.
        excess: the weight that is too much.
    """
    owned: dict[str, deque[Job]] = {}
    totals: Counter[str] = Counter()
    for job in jobs:
        if weight := weights.get(job.number, 0):
            owned.setdefault(job.principal, deque()).append(job)
            totals[job.principal] += weight
    gone = []
    while excess > 0 and owned:
        who = max(owned, key=lambda name: (totals[name], -_ended(owned[name][0])[0]))
        job = owned[who].popleft()
        totals[who] -= weights[job.number]
        excess -= weights[job.number]
        gone.append(job)
        if not owned[who]:
            del owned[who]
    return gone


def _ended(job: Job) -> tuple[float, int]:
    return job.created if job.ended is None else job.ended, job.number

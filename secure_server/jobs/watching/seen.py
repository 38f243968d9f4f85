"""A job as who watches it sees it at one moment."""

from __future__ import annotations

from typing import NamedTuple

from secure_protocol.replies import Push
from secure_server.jobs.job import Job


class Seen(NamedTuple):
    """Its record, and what that does not say while it waits or runs.

    Attributes:
        job: the record.
        next: the number of the part that comes next.
        progress: what it told last of how far it is; None: nothing.
        place: in the line of those that wait, from 1; 0: it does not wait.
    """

    job: Job
    next: int
    progress: Push | None = None
    place: int = 0

"""What all commands about jobs ask: are there any, is there this one, and may the caller see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_server.commands.builtin.services import services
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.jobs.job import Job
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.refusals import no_such_job
from secure_server.jobs.visibility import may_see
from secure_server.jobs.watching.seen import Seen

Number = Annotated[int, Argument(N_("the job's number"), minimum=1)]


def jobs_of(context: Context) -> Jobs:
    """Return the jobs of the server; a CommandError where it has none."""
    found = services(context).jobs
    if found is None:
        raise CommandError(N_("This server keeps no jobs."))
    return found


def visible(context: Context, job: Job) -> bool:
    """Whether the caller may see it."""
    return may_see(context.principal, job, services(context).command_named)


def job_numbers(context: Context, _typed: str) -> Iterator[tuple[str, str]]:
    """Give the numbers of those that the caller may see, the newest first, with what and whose each is."""
    for job in reversed(jobs_of(context).all):
        if visible(context, job):
            yield str(job.number), f"{job.command} {job.principal} {job.state}"


def seen_by(context: Context, number: int) -> Seen:
    """Return a job as it stands; a CommandError where there is none, or none that the caller may see."""
    seen = jobs_of(context).seen(number)
    if seen is None or not visible(context, seen.job):
        raise no_such_job(number)
    return seen

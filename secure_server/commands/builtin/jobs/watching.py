"""JOB ATTACH, OUTPUT, WAIT, CANCEL and RELEASE, and DETACH: a job followed, left and told to stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status
from secure_server.auth.principal import Role
from secure_server.commands.builtin.jobs.asked import Number, job_numbers, jobs_of, seen_by
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.jobs.job import JobState
from secure_server.jobs.watching.telling import Collected, end_told, parts_told
from secure_server.session.call import Awaited
from secure_server.session.codecs import RESP2

GROUP = N_("Jobs")

LONGEST_WAIT = 60.0
"""Seconds that JOB OUTPUT waits at most; who asks again then has lost nothing, and knows that the line is there."""
RESP2_WAIT = 30.0
"""Seconds that JOB ATTACH waits over RESP2, where it is JOB OUTPUT: less than most clients' patience."""

From = Annotated[int, Argument(N_("the part to begin with"), minimum=0)]
Wait = Annotated[timedelta, Argument(N_("for output, where there is none yet"), minimum=0, maximum=LONGEST_WAIT)]


@command(
    "JOB ATTACH",
    summary=N_("Follow a job: its output from a part on, and its end."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.STREAM,
    complete={"job": job_numbers},
    example="7",
)
def attach(context: Context, job: Number, first: From = 0, *, numbered: bool = False) -> Awaited:
    """Follow it; over RESP2, where nothing can be told between replies, it is JOB OUTPUT with some patience."""
    codec = context.session.codec
    if codec is RESP2:
        return output(context, job, first, wait=timedelta(seconds=RESP2_WAIT))
    _has(context, job, first)
    return jobs_of(context).watch(context.session, job, parts_told(codec, numbered=numbered), first)


@command(
    "JOB OUTPUT",
    summary=N_("A job's output from a part on, as far as there is any."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    complete={"job": job_numbers},
    example="7 1 --wait 30s",
)
def output(
    context: Context,
    job: Number,
    first: From = 0,
    *,
    wait: Wait = timedelta(0),
) -> Awaited:
    """Return a map of job, state, first, next, dropped and parts."""
    _has(context, job, first)
    return jobs_of(context).watch(context.session, job, Collected(context.session.codec), first, wait.total_seconds())


@command(
    "JOB WAIT",
    summary=N_("Wait for a job's end; the answer is the job's own."),
    about_session=True,
    inline=True,
    idempotent=True,
    complete={"job": job_numbers},
    example="7",
)
def wait(context: Context, job: Number) -> Awaited:
    """Return what its handler returned, or why it did not."""
    seen_by(context, job)
    return jobs_of(context).watch(context.session, job, end_told(context.session.codec))


@command(
    "JOB CANCEL",
    summary=N_("Have a job stop."),
    about_session=True,
    inline=True,
    idempotent=True,
    urgent=True,
    unlimited=True,
    complete={"job": job_numbers},
    example="7",
)
def cancel(context: Context, job: Number) -> Status:
    """Tell it; its end says how it went."""
    found = seen_by(context, job).job
    if found.state.ended:
        raise CommandError(N_("Job {number} has ended already: {state}."), number=job, state=str(found.state))
    assert context.principal is not None  # noqa: S101 - who is nobody sees no job
    jobs_of(context).cancel(job, context.principal.name)
    return Status("OK")


@command(
    "JOB RELEASE",
    summary=N_("Let others have what a lost job may hold still."),
    role=Role.ADMIN,
    complete={"job": job_numbers},
    example="7",
)
def release(context: Context, job: Number) -> Status:
    """Somebody has seen to it that nothing runs of it."""
    found = seen_by(context, job).job
    if found.state is not JobState.LOST or not found.holds:
        raise CommandError(N_("Job {number} holds nothing that could be released."), number=job)
    jobs_of(context).release(job)
    return Status("OK")


@command(
    "DETACH",
    of_connection=True,
    summary=N_("Leave the job that is followed here; it goes on."),
    form=N_("Jobs left here: {}"),
    audit=False,
    about_session=True,
    inline=True,
    idempotent=True,
    urgent=True,
    unlimited=True,
)
def detach(context: Context) -> int:
    """Have this session follow no more; 1 if it did."""
    return int(jobs_of(context).detach(context.session))


def _has(context: Context, number: int, first: int) -> None:
    """Raise a CommandError unless the caller may see a job, and its output reaches up to a part, or never will.

    After a crash less may be there than was told, and whoever asks where it goes on is to be told of the end.
    """
    seen = seen_by(context, number)
    if first > seen.next and not seen.job.state.ended:
        raise CommandError(
            N_("Job {number} has no part {first} yet; the next is {next}."), number=number, first=first, next=seen.next
        )

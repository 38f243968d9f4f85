"""Why there is no job, or none that may be seen: what is said of it, and not said to whom it is no business of."""

from __future__ import annotations

from datetime import datetime

from secure_protocol.errors import CommandError, ErrorCode, Failure
from secure_protocol.replies import ErrorReply
from secure_server.commands.command import Command
from secure_server.i18n import N_, translator
from secure_server.jobs.job import Job, JobState


def no_such_job(number: int) -> CommandError:
    """Return what is said of a job that there is not, or that is none of the caller's business."""
    return CommandError(N_("There is no job {number}."), number=number)


def key_taken(key: str, job: Job) -> CommandError:
    """Return what is said where a key is given with another start than the one that it was given with first."""
    return CommandError(
        N_(
            "The key {key} is that of job {number} ({command}), which was started with another command or other "
            "arguments; give each start a key of its own."
        ),
        key=key,
        number=job.number,
        command=job.command,
    )


def unrecorded() -> CommandError:
    """Return what is said where the disk takes no record."""
    return CommandError(
        N_("Jobs cannot be recorded now, and so not be started; tell an administrator."), code=ErrorCode.UNAVAILABLE
    )


def taken(command: Command, job: Job, *, seen: bool) -> CommandError:
    """Return what is said where a job may not run beside one that does.

    Args:
        command: that was to run.
        job: that has what it wants.
        seen: whether who asks may see that job; others learn neither whose it is, nor of what.
    """
    since = datetime.fromtimestamp(job.started or job.created).astimezone().isoformat(" ", "seconds")
    if seen and job.state is JobState.LOST:
        return CommandError(
            N_(
                "{command} cannot run beside job {number} ({other}) of {who}, which is lost and may run still; an "
                "administrator can look, and let others run: JOB RELEASE {number}."
            ),
            code=ErrorCode.BUSY,
            command=command.name,
            number=job.number,
            other=job.command,
            who=job.principal,
        )
    if seen:
        return CommandError(
            N_(
                "{command} cannot run beside job {number} ({other}) of {who}, which runs since {since}; "
                "JOB ATTACH {number} follows it."
            ),
            code=ErrorCode.BUSY,
            command=command.name,
            number=job.number,
            other=job.command,
            who=job.principal,
            since=since,
        )
    return CommandError(
        N_("{command} cannot run beside job {number}, which runs since {since}."),
        code=ErrorCode.BUSY,
        command=command.name,
        number=job.number,
        since=since,
    )


def told(job: Job, failure: Failure) -> ErrorReply:
    """Return a failure as who started a job is told of it."""
    return ErrorReply(failure.code, failure.sentence(translator(job.language)))

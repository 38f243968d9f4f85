"""JOBS and JOB SHOW: what there is, and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from secure_protocol.replies import ReplyKind, Table
from secure_server.audit.record import Withheld
from secure_server.commands.builtin.jobs.asked import Number, job_numbers, jobs_of, seen_by, visible
from secure_server.commands.command import Candidate, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.filters.grammar import candidates
from secure_server.filters.kinds import Count
from secure_server.i18n import N_
from secure_server.jobs.filter import FIELDS, conditions
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.watching.seen import Seen

GROUP = N_("Jobs")

LISTED = 100
"""Jobs that are listed where nothing else is said: the newest."""
MOST_LISTED = 200
"""At once; `--before` shows more. The session's own thread writes them, which takes about 20 µs each, and other
sessions wait for it."""

COLUMNS = ("job", "command", "who", "state", "started", "took", "exit", "next")


def _filter_words(context: Context, typed: str) -> list[Candidate]:
    """Give what may stand in a filter of jobs: fields, and the values that those have which the caller may see."""

    def values(name: str) -> list[str]:
        field = FIELDS.get(name)
        if field is None or (isinstance(field.kind, Count) and name != "job"):
            return []
        found = (field.read(job, 0.0) for job in jobs_of(context).all if visible(context, job))
        return sorted({str(value) for value in found if value is not None})

    return candidates(typed, FIELDS, values)


@command(
    "JOBS",
    summary=N_("List jobs, the newest first."),
    audit=False,
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("There are no jobs."),
    unmatched=N_("None of the {count} jobs match {given}."),
    arguments={"filters": N_("which ones: user=ana, state=failed, age<12h, not command=BACKUP")},
    complete={"filters": _filter_words},
    example="state=running age>1h",
)
def list_jobs(
    context: Context,
    *filters: str,
    state: JobState | None = None,
    command: str = "",
    user: str = "",
    before: Annotated[int, Argument(N_("only those that are older than this one"), minimum=1)] | None = None,
    limit: Annotated[int, Argument(N_("so many at most"), minimum=1, maximum=MOST_LISTED)] = LISTED,
) -> Table:
    """Return those that the caller may see."""
    chosen, now = conditions(filters), time.time()
    jobs, rows = jobs_of(context), list[tuple[object, ...]]()
    for job in reversed(jobs.all):
        if (
            (before is None or job.number < before)
            and (state is None or job.state is state)
            and (not command or job.command == command.upper())
            and (not user or job.principal == user)
            and visible(context, job)
            and all(condition(job, now) for condition in chosen)
        ):
            seen = jobs.seen(job.number) or Seen(job, job.parts)
            exit_code = "" if job.exit_code is None else job.exit_code
            times = _when(job.started), _took(job)
            rows.append((job.number, job.command, job.principal, str(job.state), *times, exit_code, seen.next))
            if len(rows) == limit:
                break
    return Table(COLUMNS, rows, "" if rows or not chosen else _none(context, filters))


def _none(context: Context, filters: Sequence[str]) -> str:
    """Say that there are jobs, but none that were asked for."""
    count = sum(visible(context, job) for job in jobs_of(context).all)
    return context.command.describe(context.translate).told_of_none(count, " ".join(filters))


@command(
    "JOB SHOW",
    summary=N_("Tell all about a job."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    complete={"job": job_numbers},
    example="7",
)
def show(context: Context, job: Number) -> dict[str, object]:
    """Return what is known of it, without its output."""
    seen = seen_by(context, job)
    found = seen.job
    told: dict[str, object] = {
        "job": found.number,
        "command": found.command,
        "arguments": [_argument(item) for item in found.arguments],
        "who": found.principal,
        "role": found.role.label,
        "address": found.address,
        "state": str(found.state),
        "created": _when(found.created),
        "started": _when(found.started),
        "ended": _when(found.ended),
        "took": _took(found),
        "next": seen.next,
    }
    optional: dict[str, object] = {
        "place": seen.place or None,
        "exit": found.exit_code,
        "error": f"{found.code} {found.message}" if found.code else None,
        "lock": found.lock or None,
        "cancelled-by": found.cancelled_by or None,
        "rerun-of": found.rerun_of,
        "key": found.key or None,
        "may-run-still": found.process.pid if found.process and found.state is JobState.LOST else None,
    }
    return told | {name: value for name, value in optional.items() if value is not None}


def _argument(item: bytes | Withheld) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _when(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _took(job: Job) -> str:
    """Return for how many seconds it has run; empty where nobody can say."""
    took = job.took(time.time())
    return "" if took is None else f"{took:.1f}"

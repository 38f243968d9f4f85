"""JOB …, JOBS, DETACH: runs that outlive their connection, started, followed and told to stop."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status, Table
from secure_protocol.text_requests import Request
from secure_server.audit.record import Withheld
from secure_server.auth.principal import Principal, Role
from secure_server.commands.authorizer import authorise, spare_unrecorded
from secure_server.commands.builtin.services import BuiltInServices, services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.order import Order
from secure_server.jobs.visibility import may_see
from secure_server.jobs.watching.following import no_such_job
from secure_server.jobs.watching.seen import Seen
from secure_server.jobs.watching.telling import Collected, end_told, parts_told
from secure_server.session.call import Awaited
from secure_server.session.codecs import RESP2

LISTED = 100
"""Jobs that are listed where nothing else is said: the newest."""
LONGEST_WAIT = 60.0
"""Seconds that JOB OUTPUT waits at most; who asks again then has lost nothing, and knows that the line is there."""
RESP2_WAIT = 30.0
"""Seconds that JOB ATTACH waits over RESP2, where it is JOB OUTPUT: less than most clients' patience."""
KEY_CHARACTERS = 128
"""Of the key of a start; a UUID has 36."""

Number = Annotated[int, Argument(N_("the job's number"), minimum=1)]
From = Annotated[int, Argument(N_("the part to begin with"), minimum=0)]
Wait = Annotated[timedelta, Argument(N_("for output, where there is none yet"), minimum=0, maximum=LONGEST_WAIT)]


@command(
    "JOBS",
    summary=N_("List jobs, the newest first."),
    audit=False,
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=("job", "command", "who", "state", "started", "took", "exit", "next"),
    empty=N_("There are no jobs."),
)
def list_jobs(
    context: Context,
    *,
    state: JobState | None = None,
    command: str = "",
    user: str = "",
    limit: Annotated[int, Argument(N_("so many at most"), minimum=1, maximum=1000)] = LISTED,
) -> Table:
    """Return those that the caller may see."""
    jobs, rows = _jobs(context), list[tuple[object, ...]]()
    for job in reversed(jobs.all):
        if (
            (state is None or job.state is state)
            and (not command or job.command == command.upper())
            and (not user or job.principal == user)
            and _visible(context, job)
        ):
            seen = jobs.seen(job.number) or Seen(job, job.parts)
            exit_code = "" if job.exit_code is None else job.exit_code
            times = _when(job.started), _took(job)
            rows.append((job.number, job.command, job.principal, str(job.state), *times, exit_code, seen.next))
            if len(rows) == limit:
                break
    return Table(("job", "command", "who", "state", "started", "took", "exit", "next"), rows)


@command(
    "JOB SHOW",
    summary=N_("Tell all about a job."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
)
def show(context: Context, job: Number) -> dict[str, object]:
    """Return what is known of it, without its output."""
    seen = _seen(context, job)
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


@command(
    "JOB START",
    summary=N_("Run a command as a job, which goes on when the connection ends."),
    audit=False,  # the job is on record
    about_session=True,
    inline=True,
    reply=ReplyKind.STREAM,
)
def start(context: Context, *words: Annotated[bytes, Argument(N_("[--key KEY] and the command line"))]) -> Awaited:
    """Start one; the same principal's same key leads to the job that there is."""
    key, line = _keyed(list(words))
    if not line:
        raise CommandError(N_("JOB START needs a command: JOB START [--key KEY] COMMAND …"))
    inner, given = _found(services(context), line)
    return _started(context, inner, given, key=key)


@command(
    "JOB RERUN",
    summary=N_("Run a job's command again, with the same arguments."),
    audit=False,  # the job is on record
    about_session=True,
    inline=True,
    reply=ReplyKind.STREAM,
)
def rerun(
    context: Context,
    job: Number,
    *arguments: Annotated[bytes, Argument(N_("those that were not kept: secrets, input"))],
) -> Awaited:
    """Start another one; what was not kept is to be given again, in order."""
    found = _seen(context, job).job
    inner = services(context).command_named(found.command)
    if inner is None:
        raise CommandError(N_("There is no command {command} any more."), command=found.command)
    missing = sum(isinstance(item, Withheld) for item in found.arguments)
    if len(arguments) != missing:
        raise CommandError(
            N_(
                "Job {number} had {count} arguments that are not kept (secrets, or input); give them anew, in their "
                "order: JOB RERUN {number} …"
            )
            if missing
            else N_("All arguments of job {number} are kept; write JOB RERUN {number} alone."),
            number=job,
            count=missing,
        )
    rest = iter(arguments)
    given = [next(rest) if isinstance(item, Withheld) else item for item in found.arguments]
    return _started(context, inner, given, rerun_of=job)


@command(
    "JOB ATTACH",
    summary=N_("Follow a job: its output from a part on, and its end."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.STREAM,
)
def attach(context: Context, job: Number, first: From = 0, *, numbered: bool = False) -> Awaited:
    """Follow it; over RESP2, where nothing can be told between replies, it is JOB OUTPUT with some patience."""
    codec = context.session.codec
    if codec is RESP2:
        return output(context, job, first, wait=timedelta(seconds=RESP2_WAIT))
    _has(context, job, first)
    return _jobs(context).watch(context.session, job, parts_told(codec, numbered=numbered), first)


@command(
    "JOB OUTPUT",
    summary=N_("A job's output from a part on, as far as there is any."),
    about_session=True,
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
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
    return _jobs(context).watch(context.session, job, Collected(context.session.codec), first, wait.total_seconds())


@command(
    "JOB WAIT",
    summary=N_("Wait for a job's end; the answer is the job's own."),
    about_session=True,
    inline=True,
    idempotent=True,
)
def wait(context: Context, job: Number) -> Awaited:
    """Return what its handler returned, or why it did not."""
    _seen(context, job)
    return _jobs(context).watch(context.session, job, end_told(context.session.codec))


@command(
    "JOB CANCEL",
    summary=N_("Have a job stop."),
    about_session=True,
    inline=True,
    idempotent=True,
    urgent=True,
    unlimited=True,
)
def cancel(context: Context, job: Number) -> Status:
    """Tell it; its end says how it went."""
    found = _seen(context, job).job
    if found.state.ended:
        raise CommandError(N_("Job {number} has ended already: {state}."), number=job, state=str(found.state))
    assert context.principal is not None  # noqa: S101 - who is nobody sees no job
    _jobs(context).cancel(job, context.principal.name)
    return Status("OK")


@command("JOB RELEASE", summary=N_("Let others have what a lost job may hold still."), role=Role.ADMIN)
def release(context: Context, job: Number) -> Status:
    """Somebody has seen to it that nothing runs of it."""
    found = _seen(context, job).job
    if found.state is not JobState.LOST or not found.holds:
        raise CommandError(N_("Job {number} holds nothing that could be released."), number=job)
    _jobs(context).release(job)
    return Status("OK")


@command(
    "DETACH",
    summary=N_("Leave the job that is followed here; it goes on."),
    audit=False,
    about_session=True,
    inline=True,
    idempotent=True,
    urgent=True,
    unlimited=True,
)
def detach(context: Context) -> int:
    """Have this session follow no more; 1 if it did."""
    return int(_jobs(context).detach(context.session))


def _started(
    context: Context, inner: Command, given: Request, *, key: str = "", rerun_of: int | None = None
) -> Awaited:
    """Judge a command as if it had been asked for by itself, and start a job of it."""
    needed, principal = services(context), context.principal
    authorise(principal, inner)
    if needed.suspends():
        spare_unrecorded(inner)
    if why := _no_job(needed, inner):
        raise CommandError(why, command=inner.name)
    assert isinstance(principal, Principal)  # noqa: S101 - who is nobody may run none of these
    order = Order.of(context.session, principal, inner, given, key=key, rerun_of=rerun_of)
    return _jobs(context).start_for(context.session, order)


def _found(needed: BuiltInServices, line: Request) -> tuple[Command, Request]:
    """Return the command that a line names, by two words or by one, and its arguments."""
    for count in (2, 1):
        name = b" ".join(line[:count]).decode("utf-8", "replace")
        if len(line) >= count and (found := needed.command_named(name)) is not None:
            return found, line[count:]
    raise CommandError(N_("Unknown command."))


def _no_job(needed: BuiltInServices, inner: Command) -> str:
    """Why no job can be made of a command, a sentence; empty where one can."""
    if inner in needed.built_in:
        return N_("{command} comes with the server and ends at once; it is not for jobs.")
    if inner.secret:
        return N_("{command} takes or gives secrets, which are not to lie in a job's record; run it by itself.")
    if inner.inline or inner.about_session or inner.urgent:
        return N_("{command} is about the connection itself, or ends at once; it is not for jobs.")
    return ""


def _keyed(words: Request) -> tuple[str, Request]:
    """Take `--key KEY` off the front; all else is the command's own."""
    if not words or not words[0].startswith(b"--key"):
        return "", words
    name, equals, value = words[0].partition(b"=")
    rest = words[1:]
    if name != b"--key":
        raise CommandError(
            N_("Unknown option {given}; allowed are {choices}."), given=printable(name, 60), choices="--key"
        )
    if not equals:
        if not rest:
            raise CommandError(N_("Option {given} needs a value."), given="--key")
        value, rest = rest[0], rest[1:]
    key = value.decode("utf-8", "replace")
    if not key or len(key) > KEY_CHARACTERS or not key.isprintable():
        raise CommandError(N_("A key has 1 to {most} printable characters."), most=KEY_CHARACTERS)
    return key, rest


def _jobs(context: Context) -> Jobs:
    found = services(context).jobs
    if found is None:
        raise CommandError(N_("This server keeps no jobs."))
    return found


def _visible(context: Context, job: Job) -> bool:
    return may_see(context.principal, job, services(context).command_named)


def _seen(context: Context, number: int) -> Seen:
    """Return a job as it stands; a CommandError where there is none, or none that the caller may see."""
    seen = _jobs(context).seen(number)
    if seen is None or not _visible(context, seen.job):
        raise no_such_job(number)
    return seen


def _has(context: Context, number: int, first: int) -> None:
    """Raise a CommandError unless the caller may see a job, and its output reaches up to a part."""
    seen = _seen(context, number)
    if first > seen.next:
        raise CommandError(
            N_("Job {number} has no part {first} yet; the next is {next}."), number=number, first=first, next=seen.next
        )


def _argument(item: bytes | Withheld) -> str:
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace")
    return "(secret)" if item.size is None else f"({item.size} bytes, sha256 {item.digest[:16]}…)"


def _when(moment: float | None) -> str:
    return "" if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _took(job: Job) -> str:
    """Return for how long it has run, in seconds; empty where it did not."""
    if job.started is None:
        return ""
    return f"{max(0.0, (job.ended or time.time()) - job.started):.1f}"

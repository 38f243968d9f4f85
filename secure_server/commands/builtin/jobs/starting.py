"""JOB START and JOB RERUN: a command run as a job, judged as if it had been asked for by itself."""

from __future__ import annotations

from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind
from secure_protocol.text_requests import Request
from secure_server.audit.record import Withheld
from secure_server.auth.principal import Principal
from secure_server.commands.authorizer import authorise, may_run, spare_unrecorded
from secure_server.commands.builtin.jobs.asked import Number, job_numbers, jobs_of, seen_by
from secure_server.commands.builtin.services import BuiltInServices, services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.jobs.order import Order
from secure_server.session.call import Awaited

GROUP = N_("Jobs")

KEY_CHARACTERS = 128
"""Of the key of a start; a UUID has 36."""


@command(
    "JOB START",
    of_connection=True,  # over HTTP a run says itself that it is to be a job, and its texts are no options
    summary=N_("Run a command as a job, which goes on when the connection ends."),
    audit=False,  # the job is on record
    about_session=True,
    inline=True,
    reply=ReplyKind.STREAM,
    example="DEPLOY web",
)
def start(context: Context, *words: Annotated[bytes, Argument(N_("[--key KEY] and the command line"))]) -> Awaited:
    """Start one; the same principal's same key leads to the job that there is."""
    key, line = _keyed(list(words))
    if not line:
        raise CommandError(N_("JOB START needs a command: JOB START [--key KEY] COMMAND …"))
    inner, given = _found(services(context), context.principal, line)
    return _started(context, inner, given, key=key)


@command(
    "JOB RERUN",
    summary=N_("Run a job's command again, with the same arguments."),
    audit=False,  # the job is on record
    about_session=True,
    inline=True,
    reply=ReplyKind.STREAM,
    complete={"job": job_numbers},
    example="7",
)
def rerun(
    context: Context,
    job: Number,
    *arguments: Annotated[bytes, Argument(N_("those that were not kept: secrets, input"), secret=True, file=True)],
    key: Annotated[str, Argument(N_("by which the job is found that there is"))] = "",
) -> Awaited:
    """Start another one; what was not kept is to be given again, in order."""
    found = seen_by(context, job).job
    inner = services(context).command_named(found.command)
    if inner is None:
        raise CommandError(N_("There is no command {command} any more."), command=found.command)
    missing = sum(isinstance(item, Withheld) for item in found.arguments)
    if arguments and not missing:
        raise CommandError(N_("All arguments of job {number} are kept; write JOB RERUN {number} alone."), number=job)
    if len(arguments) != missing:
        raise CommandError(
            N_(
                "Job {number} had {count} arguments that are not kept (secrets, or input); give them anew, in their "
                "order: JOB RERUN {number} …"
            ),
            number=job,
            count=missing,
        )
    rest = iter(arguments)
    given = [next(rest) if isinstance(item, Withheld) else item for item in found.arguments]
    return _started(context, inner, given, key=_checked(key) if key else "", rerun_of=job)


def _started(
    context: Context, inner: Command, given: Request, *, key: str = "", rerun_of: int | None = None
) -> Awaited:
    """Judge a command as if it had been asked for by itself, and start a job of it."""
    needed, principal = services(context), context.principal
    authorise(principal, inner)
    if needed.suspends():
        spare_unrecorded(inner)
    if (why := not_for_jobs(needed, inner)) is not None:
        raise why
    assert isinstance(principal, Principal)  # noqa: S101 - who is nobody may run none of these
    order = Order.of(context.session, principal, inner, given, key=key, rerun_of=rerun_of)
    return jobs_of(context).start_for(context.session, order)


def _found(needed: BuiltInServices, principal: Principal | None, line: Request) -> tuple[Command, Request]:
    """Return the command that a line names, by two words or by one, and its arguments."""
    for count in (2, 1):
        name = b" ".join(line[:count]).decode("utf-8", "replace")
        found = needed.command_named(name) if len(line) >= count == len(name.split(" ")) else None
        if found is not None:
            return found, line[count:]
    raise needed.unknown(line, lambda command: may_run(principal, command) and command not in needed.built_in)


def not_for_jobs(needed: BuiltInServices, inner: Command) -> CommandError | None:
    """Return why no job can be made of a command; None where one can."""
    if inner in needed.built_in:
        sentence = N_("{command} comes with the server and ends at once; it is not for jobs.")
    elif inner.secret:
        sentence = N_("{command} takes or gives secrets, which are not to lie in a job's record; run it by itself.")
    elif inner.inline or inner.about_session or inner.urgent:
        sentence = N_("{command} is about the connection itself, or ends at once; it is not for jobs.")
    else:
        return None
    return CommandError(sentence, command=inner.name)


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
    return _checked(value.decode("utf-8", "replace")), rest


def _checked(key: str) -> str:
    """Return a key; a CommandError where it is none."""
    if not key or len(key) > KEY_CHARACTERS or not key.isprintable():
        raise CommandError(N_("A key has 1 to {most} printable characters."), most=KEY_CHARACTERS)
    return key

"""SERVER DRAIN and SERVER SHUTDOWN: the clients leave in order, and come back, or the server ends."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import LONGEST_TIMEOUT, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.config.quantities import Duration
from secure_server.i18n import N_

GROUP = N_("Server")

WITHIN = timedelta(seconds=30)
"""For what runs, where nobody says otherwise; a command has 60 s, and few need more than half of that."""
RETRY_AFTER = timedelta(seconds=10)
"""Until clients try again, where nobody says otherwise: soon enough to notice the end of a drain, and no storm."""
LONGEST_RETRY_AFTER = 86400
"""Seconds; a client that is told to stay away for longer had better be told by a person."""

Within = Annotated[
    timedelta | None,
    Argument(N_("close those who are left then: 30s, 5m"), minimum=0, maximum=LONGEST_TIMEOUT),
]
RetryAfter = Annotated[
    timedelta | None,
    Argument(N_("when clients are to try again: 10s"), minimum=0, maximum=LONGEST_RETRY_AFTER),
]
PREVIEW_COLUMNS = ("leave", "busy", "stay", "jobs")


@command(
    "SERVER DRAIN",
    summary=N_("Have all clients but administrators leave as they are answered, and take nobody else in."),
    role=Role.ADMIN,
    confirm=N_("Drain {server}?"),
    preview="PREVIEW DRAIN",
    arguments={"cancel": N_("take everybody in again")},
    example="--within 30s --retry-after 10m",
)
def server_drain(
    context: Context,
    *,
    within: Within = None,
    retry_after: RetryAfter = None,
    cancel: bool = False,
) -> Status:
    """Begin it, change it or take it back; alone, while one is on, it says how far that is."""
    draining = services(context).draining
    if cancel:
        if within is not None or retry_after is not None:
            raise CommandError(N_("--cancel goes with nothing else; write SERVER DRAIN --cancel"))
        if not draining.cancel():
            raise CommandError(N_("There is no drain to take back."))
        return Status(context.translate("The drain is over: everybody may come in again."))
    said = within is not None or retry_after is not None
    if said or draining.present is None or draining.present.ending:
        wait = RETRY_AFTER if retry_after is None else retry_after
        seconds = (WITHIN if within is None else within).total_seconds()
        if not draining.begin(seconds, math.ceil(wait.total_seconds())):
            raise CommandError(N_("The server is shutting down already."))
    return Status(_told(context))


@command(
    "PREVIEW DRAIN",
    summary=N_("What SERVER DRAIN with the same arguments would begin; nobody has to leave."),
    role=Role.ADMIN,
    idempotent=True,
    hidden=True,
    reply=ReplyKind.TABLE,
    columns=PREVIEW_COLUMNS,
    example="--within 30s",
)
def drain_preview(
    context: Context,
    *,
    within: Within = None,
    retry_after: RetryAfter = None,
    cancel: bool = False,
) -> Table | None:
    """Count the clients that would leave, those of them that are busy, those that stay, and the jobs that go on.

    Nothing where nobody would have to: a drain is on already, is taken back, or cannot be begun.
    """
    draining = services(context).draining
    if cancel or (draining.on and within is None and retry_after is None):
        return None
    leaving = [session for session in services(context).sessions if draining.concerns(session)]
    stay = len(services(context).sessions) - len(leaving)
    return Table(PREVIEW_COLUMNS, [(len(leaving), sum(session.busy for session in leaving), stay, _jobs(context))])


def _jobs(context: Context) -> int:
    """Return how many jobs have not ended."""
    jobs = services(context).jobs
    return 0 if jobs is None else sum(not job.state.ended for job in jobs.all)


def _told(context: Context) -> str:
    """Say how far a drain is, and what goes on meanwhile."""
    found, drain = services(context), services(context).draining.present
    if drain is None:  # taken back by somebody else in this moment
        return context.translate("The drain is over: everybody may come in again.")
    left = Duration(math.ceil(max(0.0, drain.until - found.clock())))
    parts = [
        context.translate("Draining: clients that have to leave: {count}, at the latest in {left}.").format(
            count=found.draining.left, left=left
        )
    ]
    jobs = _jobs(context)
    if jobs:
        parts.append(context.translate("Jobs that go on: {count}.").format(count=jobs))
    return " ".join([*parts, context.translate("Take it back with SERVER DRAIN --cancel.")])


@command(
    "SERVER SHUTDOWN",
    summary=N_("Drain and end the server, as SIGTERM does."),
    role=Role.ADMIN,
    confirm=N_("Shut {server} down?"),
    example="--within 10s",
)
def server_shutdown(context: Context, *, within: Within = None) -> Status:
    """Answer, and then end: who asked is told the end like everybody."""
    shut_down = services(context).shut_down
    if shut_down is None:
        raise CommandError(
            N_("This server runs inside another program, which alone can end it; SERVER DRAIN has its clients leave.")
        )
    shut_down(None if within is None else within.total_seconds())
    return Status(context.translate("The server shuts down: it drains, and then ends."))

"""SERVER LOG and SERVER LOG-LEVEL: what the server wrote down, and how much of what it says itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients.filtering import completed_by_sessions
from secure_server.commands.builtin.server.watching import check_codec, check_rights
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.recording.log_end import last_entries
from secure_server.session.call import Awaited, Later
from secure_server.session.codecs import RESP2
from secure_server.watching.choosing import LINE_FIELDS, chosen_lines
from secure_server.watching.telling import LineTelling
from secure_server.watching.watcher import QUEUE, Watcher

GROUP = N_("Server")

LINES = 20
"""Told where nothing else is said: less than a screen."""

Level = Literal["debug", "info", "warning", "error"]


@command(
    "SERVER LOG",
    summary=N_("The last lines of the activity log, and those that come."),
    role=Role.ADMIN,
    inline=True,
    idempotent=True,
    reply=ReplyKind.STREAM,
    arguments={
        "filters": N_("which lines: event=authentication, user=ana, level=error, text~refused"),
        "follow": N_("go on, with each line that is written"),
    },
    complete={"filters": completed_by_sessions(LINE_FIELDS)},
    example="event=authentication --follow",
)
def server_log(
    context: Context,
    *filters: str,
    lines: Annotated[int, Argument(N_("so many of those there are"), minimum=0, maximum=QUEUE)] = LINES,
    follow: bool = False,
) -> Later[list[str]]:
    """Read them on a worker, and tell them as a stream; over RESP2 as one answer."""
    session, used = context.session, services(context)
    watching = used.watching
    if follow:
        check_codec(context)
    watching.check()
    chosen = chosen_lines(filters)
    watcher = Watcher(
        session,
        LineTelling(session.codec, session.translate),
        chosen,
        partial(check_rights, context),
        follows=follow,
    )

    def read(files: Sequence[Path]) -> list[str]:
        now = used.clock()
        found = last_entries(files, lines, lambda line: chosen(line, now)) if lines else []
        watcher.tell_first(found)
        if follow:  # here, so that no line is missed between these and those that come, nor told twice
            watching.add(watcher)
        return found

    def work() -> list[str]:
        try:
            return used.log.read(read)
        except OSError as error:
            raise CommandError(N_("The activity log cannot be read: {why}."), why=error.strerror or error) from None

    def then(found: list[str]) -> object:
        if not found and not follow and session.codec is not RESP2:
            return Status(context.translate("No line of the log matches."))
        return found if session.codec is RESP2 else Awaited(partial(watcher.begin, watching))

    return Later(work, then, partial(watching.drop, watcher), lambda _found: watching.drop(watcher))


@command(
    "SERVER LOG-LEVEL",
    summary=N_("From which level on the server's own warnings stand in the log, or have it changed until the restart."),
    role=Role.ADMIN,
    arguments={"level": N_("the least that is written; without it the present one is told")},
    example="info",
)
def server_log_level(context: Context, level: Level | None = None) -> str:
    """Return the level that holds now."""
    log = services(context).log
    if level is not None:
        log.level = logging.getLevelNamesMapping()[level.upper()]
    return logging.getLevelName(log.level).lower()

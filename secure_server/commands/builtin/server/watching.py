"""SERVER WATCH: what happens, as it happens."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind
from secure_server.auth.principal import Role
from secure_server.commands.authorizer import authorise
from secure_server.commands.builtin.clients.filtering import completed_by_sessions
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.recording.events import Event
from secure_server.session.call import Awaited
from secure_server.session.codecs import RESP2
from secure_server.watching.choosing import EVENT_FIELDS, chosen_events
from secure_server.watching.telling import EventTelling
from secure_server.watching.watcher import Watcher

GROUP = N_("Server")

COLUMNS = ("time", "event", "id", "user", "address", "command", "arguments", "outcome")
"""Of an event, whose values speak for themselves."""
MOST_LIMIT = 1_000_000
"""Events after which a watching may be told to end."""


@command(
    "SERVER WATCH",
    summary=N_("Tell what happens, as it happens: who comes and goes, logins, commands, jobs, penalties."),
    role=Role.ADMIN,
    inline=True,
    idempotent=True,
    reply=ReplyKind.STREAM,
    columns=COLUMNS,
    arguments={"filters": N_("which ones: event in connect,close, user=ana, took>1s, outcome!=ok, not command=PING")},
    complete={"filters": completed_by_sessions(EVENT_FIELDS)},
    example="event=command took>1s",
)
def watch(
    context: Context,
    *filters: str,
    limit: Annotated[int, Argument(N_("end after so many events"), minimum=1, maximum=MOST_LIMIT)] | None = None,
) -> Awaited:
    """Tell it until it is cancelled; nothing of the session that watches."""
    session, mine = context.session, context.session.number
    check_codec(context)
    chosen = chosen_events(filters)
    if not chosen.kinds:
        raise CommandError(N_("This filter chooses nothing: what it says about event excludes every kind."))

    def of_others(event: Event, now: float) -> bool:
        return event.who.session != mine and chosen(event, now)

    watcher = Watcher(
        session,
        EventTelling(session.codec, session.translate),
        of_others,
        partial(check_rights, context),
        most=limit,
        kinds=chosen.kinds,
    )
    return services(context).watching.watch(watcher)


def check_codec(context: Context) -> None:
    """Raise a CommandError unless the caller can tell parts of an answer from replies."""
    if context.session.codec is RESP2:
        raise CommandError(
            N_("{command} answers as things happen, and RESP2 cannot; say HELLO 3 first."),
            command=context.command.name,
        )


def check_rights(context: Context) -> None:
    """Raise a CommandError where the session may not run the command any more: it is somebody else now."""
    authorise(context.session.principal, context.command)

"""What the admin shell is made of: CLIENTS, KICK and CONFIG. Ordinary commands of the role admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind, Status, Table
from secure_protocol.sentence import said
from secure_server.auth.principal import Role
from secure_server.commands.builtin.messages import session_numbers
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.config.changes import Reloaded, ReloadRefusedError
from secure_server.config.writing import dotted
from secure_server.filters.grammar import candidates
from secure_server.i18n import N_
from secure_server.session.filter import FIELDS, SessionFilter, values

GROUP = N_("Clients")


def filter_words(context: Context, typed: str) -> list[str]:
    """Give what may stand in a filter of sessions: fields, and the values that they have now."""
    sessions, now = services(context).sessions, services(context).clock()
    return candidates(typed, FIELDS, lambda name: values(name, sessions, now))


REASON_CHARACTERS = 200
"""The longest reason an administrator may give; it is one line for the one who is kicked."""

CLIENT_COLUMNS = (
    "id",
    "user",
    "role",
    "address",
    "transport",
    "tls",
    "cipher",
    "connected",
    "idle",
    "commands",
    "in",
    "out",
    "last",
)


@command(
    "CLIENTS",
    summary=N_("The connected clients; idle in seconds, in and out in bytes."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=CLIENT_COLUMNS,
    empty=N_("No clients are connected."),
    unmatched=N_("None of the {count} clients match {given}."),
    arguments={
        "filters": N_("which ones: user=ana, idle>5m, not role=admin, address in 10.0.0.0/8, client-name~deploy")
    },
    complete={"filters": filter_words},
)
def clients(context: Context, *filters: str) -> Table:
    """List sessions as a table."""
    chosen = SessionFilter.parse(list(filters))
    now = services(context).clock()
    rows: list[tuple[object, ...]] = []
    sessions = services(context).sessions
    for session in sessions:
        if not chosen.matches(session, context.session, now):
            continue
        activity, principal = session.activity, session.principal
        rows.append(
            (
                session.number,
                None if principal is None else principal.name,
                session.role.label,
                session.peer.address,
                session.peer.transport,
                session.peer.tls or None,
                session.peer.cipher or None,
                _moment(activity.connected),
                max(0, int(now - activity.last_active)),
                activity.commands,
                activity.received,
                activity.sent,
                activity.last_command or None,
            )
        )
    if rows:
        return Table(CLIENT_COLUMNS, rows)
    described = context.command.describe(context.translate)
    return Table(CLIENT_COLUMNS, rows, described.told_of_none(len(sessions), " ".join(filters)))


@command(
    "KICK",
    summary=N_("Close a client's connection, with a reason."),
    role=Role.ADMIN,
    arguments={"id": N_("the number that CLIENTS shows"), "reason": N_("told to the client")},
    complete={"id": session_numbers},
)
def kick(context: Context, id: int, *reason: str) -> Status:  # noqa: A002 - the argument's name is what people read
    """Close one session. It is told why, and does not come back by itself."""
    sessions = services(context).sessions
    if id == context.session.number:
        raise CommandError(N_("That is your own connection; leave with EXIT."))
    found = next((session for session in sessions if session.number == id and not session.closing), None)
    words = printable(" ".join(reason), REASON_CHARACTERS)
    if found is None or not sessions.close(lambda session: session is found, CloseReason.KICKED, words):
        raise CommandError(N_("No client has the id {id}; CLIENTS lists them."), id=id)
    principal = found.principal
    name = "-" if principal is None else principal.name
    return Status(
        context.translate("Kicked client {id} ({name}, {address}).").format(
            id=id, name=name, address=found.peer.address
        )
    )


DIFFERENCE_COLUMNS = ("key", "running", "file", "restart")
VALUE_CHARACTERS = 200
"""Of a value that CONFIG DIFF shows; of one that is longer the beginning tells enough."""


@command(
    "CONFIG RELOAD",
    group=N_("Configuration"),
    summary=N_("Take up what the configuration file says now: all of it, or nothing."),
    role=Role.ADMIN,
)
def config_reload(context: Context) -> Status:
    """Say what is other now, and what takes a restart; or why nothing was taken up."""
    with _explained(context):
        who = context.session.who(context.principal)
        reloaded = services(context).configuration.reload("CONFIG RELOAD", who)
    return _told(context, context.translate("Taken up: {keys}."), reloaded)


@command(
    "CONFIG CHECK",
    group=N_("Configuration"),
    summary=N_("Whether CONFIG RELOAD would succeed, and what it would change."),
    role=Role.ADMIN,
    idempotent=True,
)
def config_check(context: Context) -> Status:
    """Say what would be other, and what takes a restart; or why nothing would be taken up."""
    with _explained(context):
        reloaded = services(context).configuration.check()
    return _told(context, context.translate("A reload would take up: {keys}."), reloaded)


@command(
    "CONFIG DIFF",
    group=N_("Configuration"),
    summary=N_("What the configuration file says otherwise than what runs."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=DIFFERENCE_COLUMNS,
    empty=N_("The file says what runs."),
)
def config_diff(context: Context) -> Table:
    """List the keys as a table; what a program finds in its environment or input is masked."""
    with _explained(context):
        changes = services(context).configuration.differences()
    rows: list[tuple[object, ...]] = [
        (dotted(change.key), _shown(change.running), _shown(change.file), "yes" if change.restart else "no")
        for change in changes
    ]
    return Table(DIFFERENCE_COLUMNS, rows, context.translate(context.command.empty))


def _shown(value: str | None) -> str | None:
    return None if value is None else printable(value, VALUE_CHARACTERS)


@contextmanager
def _explained(context: Context) -> Iterator[None]:
    """Say why the configuration is kept."""
    try:
        yield
    except ReloadRefusedError as refused:
        why = said(refused.args[0], context.translate)
        raise CommandError(N_("The configuration is kept as it is: {why}"), why=why) from None


def _told(context: Context, template: str, reloaded: Reloaded) -> Status:
    """Return what a reload came to, in words."""
    keys, restart = ", ".join(reloaded.changed), ", ".join(reloaded.restart)
    parts = [template.format(keys=keys) if keys else context.translate("Nothing to take up.")]
    if restart:
        parts.append(context.translate("Needs a restart: {keys}.").format(keys=restart))
    return Status(" ".join(parts))


def _moment(unix: float | None) -> str | None:
    """A date and time in the server's zone, to the second."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC).astimezone().isoformat(timespec="seconds")

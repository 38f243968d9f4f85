"""What the admin shell is made of: CLIENTS and KICK. Ordinary commands of the role admin."""

from __future__ import annotations

from datetime import UTC, datetime

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.messages import session_numbers
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.session.filter import SessionFilter

REASON_CHARACTERS = 200
"""The longest reason an administrator may give; it is one line for the one who is kicked."""

CLIENT_COLUMNS = (
    "id",
    "name",
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
    arguments={"filters": N_("ID n …, USER name, ROLE role, ADDR ip:port, NAME client, MAXAGE seconds, SKIPME yes")},
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


def _moment(unix: float | None) -> str | None:
    """A date and time in the server's zone, to the second."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC).astimezone().isoformat(timespec="seconds")

"""CLIENTS: who is connected."""

from __future__ import annotations

from datetime import UTC, datetime

from secure_protocol.replies import ReplyKind, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients.filtering import filter_words
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.session.filter import SessionFilter

GROUP = N_("Clients")

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
    example="user=ana idle>5m",
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


def _moment(unix: float | None) -> str | None:
    """A date and time in the server's zone, to the second."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC).astimezone().isoformat(timespec="seconds")

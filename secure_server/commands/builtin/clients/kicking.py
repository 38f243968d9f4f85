"""KICK: somebody's connection is closed."""

from __future__ import annotations

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Status
from secure_server.auth.principal import Role
from secure_server.commands.builtin.messages import session_numbers
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_

GROUP = N_("Clients")

REASON_CHARACTERS = 200
"""The longest reason an administrator may give; it is one line for the one who is kicked."""


@command(
    "KICK",
    summary=N_("Close a client's connection, with a reason."),
    role=Role.ADMIN,
    arguments={"id": N_("the number that CLIENTS shows"), "reason": N_("told to the client")},
    complete={"id": session_numbers},
    example=N_("7 back at noon"),
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

"""AUDIT: whether the audit trail can be written, and where it ends."""

from __future__ import annotations

from datetime import UTC, datetime

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_

GROUP = N_("Server")

BREAKS_SHOWN = 10
"""The latest breaks of the trail that are named; `audit verify` names all."""


@command(
    "AUDIT",
    summary=N_("Whether the audit trail can be written, and the number and hash of its last record."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
)
def audit(context: Context) -> dict[str, object]:
    """Return the trail's state; `end` is what to note down elsewhere for `audit verify --expect`."""
    trail = services(context).audit
    if trail is None:
        raise CommandError(N_("The audit trail is off: audit.trail in the configuration."))
    status = trail.status()
    failing = status.failing_since
    return {
        "state": "written" if failing is None else "failing",
        "since": None if failing is None else datetime.fromtimestamp(failing, UTC).isoformat(timespec="seconds"),
        "why": status.why or None,
        "waiting": status.waiting,
        "lost": status.lost,
        "end": str(status.end),
        "broken": ", ".join(status.broken[-BREAKS_SHOWN:]) or None,
    }

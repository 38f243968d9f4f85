"""SERVER TOP: what keeps the server busy, in one look; the admin shell's `top` shows that, and more, as it goes on."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from secure_protocol.replies import ReplyKind, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_

GROUP = N_("Server")

COLUMNS = ("kind", "name", "minute", "calls", "failed", "p50_ms", "p99_ms", "max_ms")
ROWS, MOST_ROWS = 10, 50
"""Of each kind, where nobody says otherwise, and at most: as many as the statistics show."""


@command(
    "SERVER TOP",
    audit=False,  # as SERVER STATS
    summary=N_("The busiest commands and users: calls of the last minute and since the start, and how long they took."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("Nothing was asked for yet."),
    arguments={"limit": N_("so many of each at most")},
    example="--limit 5",
)
def server_top(context: Context, *, limit: Annotated[int, Argument(minimum=1, maximum=MOST_ROWS)] = ROWS) -> Table:
    """List commands and then users, the busiest of the last minute first; times are those of the last minute."""
    shown = services(context).statistics.shown()
    rows: list[tuple[object, ...]] = [
        (
            "command", item.command, item.minute, item.calls, item.failed,
            _ms(item.minute_p50), _ms(item.minute_p99), _ms(item.minute_max),
        )
        for item in islice(shown.commands, limit)
    ]  # fmt: skip
    rows += [
        ("user", item.user or None, item.minute, item.calls, item.failed, None, None, None)
        for item in islice(shown.users, limit)
    ]
    return Table(COLUMNS, rows, context.translate(context.command.empty))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)

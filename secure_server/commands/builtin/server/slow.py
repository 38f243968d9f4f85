"""SERVER SLOW: the commands that took longest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table
from secure_protocol.token import redact
from secure_server.audit.record import ARGUMENT_CHARACTERS, Withheld
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.moments import moment
from secure_server.statistics.slowest import KEPT, Slow

GROUP = N_("Server")

COLUMNS = ("moment", "ms", "who", "address", "command", "arguments")
Limit = Annotated[int, Argument(minimum=1, maximum=KEPT)]


@command(
    "SERVER SLOW",
    summary=N_("The commands that took longest, since the start or since they were last forgotten."),
    role=Role.ADMIN,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("No command has taken long."),
    arguments={
        "limit": N_("so many at most"),
        "reset": N_("forget them once they are shown"),
    },
    example="--limit 10",
)
def server_slow(context: Context, *, limit: Limit = KEPT, reset: bool = False) -> Table:
    """List them as a table, the slowest first."""
    statistics = services(context).statistics
    found = statistics.slowest()[:limit]
    if reset:
        statistics.forget_slowest()
    return Table(COLUMNS, [_row(slow) for slow in found], context.translate(context.command.empty))


def _row(slow: Slow) -> tuple[object, ...]:
    who = slow.who.principal or None
    return (
        moment(slow.moment),
        round(slow.seconds * 1000, 1),
        who,
        slow.who.address,
        slow.command,
        _told(slow.arguments, slow.more),
    )


def _told(arguments: Sequence[bytes | Withheld] | None, more: int) -> str | None:
    """Return the arguments as they may be shown."""
    if arguments is None:
        return "(secret)"
    words = [_shown(argument) for argument in arguments]
    return " ".join([*words, f"(+{more})"] if more else words) or None


def _shown(argument: bytes | Withheld) -> str:
    if isinstance(argument, bytes):
        return redact(printable(argument, ARGUMENT_CHARACTERS))
    return "(secret)" if argument.size is None else f"({argument.size} bytes)"

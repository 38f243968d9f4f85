"""SERVER METRICS: the server in numbers, as Prometheus reads them. docs/metrics.md has their names."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import ReplyKind, Verbatim
from secure_server.auth.principal import Role
from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.builtin.services import BuiltInServices, services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_

GROUP = N_("Server")

PACKAGE, INSTALL = "prometheus_client", "pip install 'secure-command-server[metrics]'"


@command(
    "SERVER METRICS",
    audit=False,  # Prometheus asks four times a minute
    summary=N_("The server in numbers, as Prometheus reads them."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"openmetrics": N_("as OpenMetrics has them")},
    example="--openmetrics",
)
def server_metrics(context: Context, *, openmetrics: bool = False) -> Verbatim:
    """Return them, in Prometheus' text format or as OpenMetrics."""
    return Verbatim(metrics(services(context), Pieces(context), openmetrics=openmetrics))


def metrics(used: BuiltInServices, pieces: Pieces, *, openmetrics: bool) -> str:
    """Return them. On a worker.

    Raises:
        CommandError: the package that writes them is missing.
    """
    try:
        from secure_server.commands.builtin.server.families import exposition  # noqa: PLC0415 - its package may be
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != PACKAGE:
            raise
        raise CommandError(
            N_("Metrics need a package that is missing: {install}"), code=ErrorCode.UNAVAILABLE, install=INSTALL
        ) from None
    return exposition(used, pieces, openmetrics=openmetrics)

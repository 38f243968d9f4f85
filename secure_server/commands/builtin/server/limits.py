"""SERVER LIMITS: what is bounded, how much of it is used, and by which setting the bound goes."""

from __future__ import annotations

from collections.abc import Iterator

from secure_protocol.replies import ReplyKind, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.statistics import process
from secure_server.statistics.slowest import KEPT
from secure_server.statistics.statistics import MOST_ASKERS, MOST_COMMANDS

GROUP = N_("Server")

COLUMNS = ("limit", "setting", "used", "most")
Row = tuple[str, str | None, int | None, int | None]


@command(
    "SERVER LIMITS",
    summary=N_("What is bounded, how much of it is used, and which setting the bound is."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
)
def server_limits(context: Context) -> Table:
    """List the bounds as a table; those without a setting are the server's own, or the system's."""
    return Table(
        COLUMNS, [*_connections(context), *_work(context), *_memory(context), *_files(context), *_counted(context)]
    )


def _connections(context: Context) -> Iterator[Row]:
    sessions, limits = services(context).sessions, services(context).running().limits
    yield "clients", "limits.max_clients", sessions.clients, sessions.most
    yield "strangers", "limits.max_unauthenticated", sessions.strangers, sessions.most_strangers
    heaviest, per_source = sessions.heaviest_source
    yield "strangers of one source", "limits.unauthenticated_per_source", heaviest, per_source
    yield "admin sessions", "limits.max_admin_clients", sessions.on_admin_socket, limits.max_admin_clients


def _work(context: Context) -> Iterator[Row]:
    used = services(context)
    for workers, whose in zip(used.workers, ("", "admin "), strict=False):
        settings = ("threads.workers", "threads.queue", "threads.spare") if not whose else (None, "threads.queue", None)
        yield f"{whose}workers", settings[0], workers.running, workers.places
        yield f"{whose}commands waiting", settings[1], workers.waiting, workers.most_waiting
        yield f"{whose}workers beside", settings[2], workers.beside, workers.spare
    if used.jobs is not None:
        config = used.running()
        yield "jobs", "threads.jobs", used.jobs.running, config.threads.jobs
        yield "jobs waiting", "jobs.queue", used.jobs.waiting, config.jobs.queue


def _memory(context: Context) -> Iterator[Row]:
    used, reserve = services(context), context.session.terms.reserve
    yield "bytes of waiting requests", "limits.pending_total", reserve.used, reserve.total
    yield "addresses with a penalty", "penalties.table", len(used.penalties), used.running().penalties.table
    yield "lines of the log waiting", "log.queue", used.log.waiting, used.log.most_waiting
    if used.audit is not None:
        yield "records of the trail waiting", "audit.queue", used.audit.waiting, used.running().audit.queue


def _files(_context: Context) -> Iterator[Row]:
    yield "descriptors", None, process.descriptors(), process.most_descriptors()


def _counted(context: Context) -> Iterator[Row]:
    statistics = services(context).statistics
    yield "commands counted apart", None, statistics.commands_apart, MOST_COMMANDS
    yield "users counted apart", None, statistics.askers_apart, MOST_ASKERS
    yield "slow commands kept", None, len(statistics.slowest()), KEPT

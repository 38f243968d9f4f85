"""INFO: the server in numbers, in Redis' sections."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ReplyKind, Verbatim
from secure_server.auth.principal import Role
from secure_server.commands.builtin.completion import asked
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.recording.recorded import UNKNOWN
from secure_server.statistics import process
from secure_server.statistics.shown import OfInfo
from secure_server.statistics.spans import quantiles
from secure_server.version import VERSION

GROUP = N_("Server")

REDIS_VERSION = "7.4.0"
"""The Redis whose shapes we answer in, in INFO and HELLO alike; clients choose by it what they may send."""
ROLE = "master"
"""What this server is to Redis' clients."""
DEFAULT = "default"
ALL = frozenset({"all", "everything"})
MICROSECONDS = 1_000_000
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
"""Redis' own choice (`latency-tracking-info-percentiles`)."""


@command(
    "INFO",
    audit=False,
    about_session=True,
    summary=N_("The server in numbers, as Redis tells them."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"section": N_("server, clients, stats, workers, memory or replication")},
    complete={"section": lambda context, _typed: _sections(context)},
    example="clients",
)
def info(context: Context, *section: str) -> Verbatim:
    """Return sections of `key:value` lines. Clients ask it when they connect: of others only administrators hear."""
    wanted = {name.lower() for name in section} or {DEFAULT}
    parts: list[str] = []
    for name, tell in _sections(context).items():
        if wanted & {name, *ALL} or (DEFAULT in wanted and name in SECTIONS):
            lines = [f"# {name.capitalize()}", *(f"{key}:{value}" for key, value in tell(context).items())]
            parts.append("".join(f"{line}\r\n" for line in lines))
    return Verbatim("\r\n".join(parts))


def _sections(context: Context) -> Mapping[str, Callable[[Context], dict[str, object]]]:
    """Return those that whoever asks may have."""
    return SECTIONS | OF_OTHERS if context.session.role is Role.ADMIN else SECTIONS


def _server(context: Context) -> dict[str, object]:
    uptime = int(services(context).clock() - services(context).started)
    listening = [(name, address) for name, addresses in services(context).listening() for address in addresses]
    return {
        "redis_version": REDIS_VERSION,
        "redis_mode": "standalone",
        "server_name": "secure-command-server",
        "server_version": VERSION,
        "server_time_usec": time.time_ns() // 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "draining": int(services(context).draining.on),
        "tcp_port": next((_port(address) for _, address in listening if _port(address)), 0),
        **{f"listener{number}": _listener(*item) for number, item in enumerate(listening)},
    }


def _listener(name: str, address: str) -> str:
    """One address, as Redis tells of it; of a path only the file, for where the data is concerns no client."""
    address = address.removeprefix("https://").rstrip("/")
    if port := _port(address):
        return f"name={name},bind={address.rpartition(':')[0].strip('[]')},port={port}"
    return f"name={name},bind={address.rpartition('/')[2]}"


def _port(address: str) -> int:
    """The port of `host:port`; 0 for a path."""
    port = address.rpartition(":")[2]
    return int(port) if port.isdigit() else 0


def _clients(context: Context) -> dict[str, object]:
    sessions = services(context).sessions
    return {
        "connected_clients": sessions.clients,
        "maxclients": sessions.most,
        "unauthenticated_connections": sessions.strangers,
        "admin_connections": sessions.on_admin_socket,
        "blocked_clients": sum(session.busy for session in sessions),
    }


def _stats(context: Context) -> dict[str, object]:
    totals = services(context).sessions.totals()
    return {
        "total_connections_received": totals.connections,
        "total_commands_processed": totals.commands,
        "total_net_input_bytes": totals.received,
        "total_net_output_bytes": totals.sent,
        "rejected_connections": sum(services(context).sessions.given_way.values()),
    }


def _workers(context: Context) -> dict[str, object]:
    """Those of administrators with the others': what counts is whether any is stuck, or anybody waits."""
    workers = services(context).workers
    return {
        "workers": sum(item.places for item in workers),
        "running_commands": sum(item.running + item.beside for item in workers),
        "waiting_commands": sum(item.waiting for item in workers),
        "long_commands": sum(item.beside for item in workers),
        "stuck_commands": sum(item.stuck for item in workers),
        "late_completions": asked.late,
    }


def _memory(_context: Context) -> dict[str, object]:
    resident = process.resident()
    return {} if resident is None else {"used_memory_rss": resident}


def _replication(_context: Context) -> dict[str, object]:
    """There is none; but clients look here, or in the answer to HELLO, for the one that they may write to."""
    return {"role": ROLE, "connected_slaves": 0}


def _commandstats(context: Context) -> dict[str, object]:
    return {f"cmdstat_{name}": _commandstat(found) for name, found in _commands(context)}


def _commandstat(found: OfInfo) -> str:
    spent = round(found.seconds * MICROSECONDS)
    each = spent / found.calls if found.calls else 0.0
    failed = found.failures.total() - found.refused
    return (
        f"calls={found.calls},usec={spent},usec_per_call={each:.2f},"
        f"rejected_calls={found.refused},failed_calls={failed}"
    )


def _latencystats(context: Context) -> dict[str, object]:
    return {
        f"latency_percentiles_usec_{name}": ",".join(
            f"{percentile}={(took or 0.0) * MICROSECONDS:.3f}"
            for percentile, took in zip(PERCENTILES, quantiles(found.counts, [*PERCENTILES.values()]), strict=True)
        )
        for name, found in _commands(context)
        if any(found.counts)
    }


def _errorstats(context: Context) -> dict[str, object]:
    """By the codes that peers were told; what is no error of a command's has none of its own."""
    total: Counter[str] = Counter()
    for found in services(context).statistics.of_info().values():
        for code, count in found.failures.items():
            total[code if code.isupper() else str(ErrorCode.ERR)] += count
    return {f"errorstat_{code}": f"count={count}" for code, count in sorted(total.items())}


def _commands(context: Context) -> list[tuple[str, OfInfo]]:
    """Return what is counted of each command, under Redis' names, which has none for what is no command."""
    counted = services(context).statistics.of_info()
    return sorted((name.lower().replace(" ", "|"), found) for name, found in counted.items() if name != UNKNOWN)


SECTIONS: dict[str, Callable[[Context], dict[str, object]]] = {
    "server": _server,
    "clients": _clients,
    "stats": _stats,
    "workers": _workers,
    "memory": _memory,
    "replication": _replication,
}
OF_OTHERS: dict[str, Callable[[Context], dict[str, object]]] = {
    "commandstats": _commandstats,
    "errorstats": _errorstats,
    "latencystats": _latencystats,
}
"""Those are for administrators alone, and not told unless they are asked for."""

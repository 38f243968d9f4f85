"""INFO: the server in numbers, in Redis' sections."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from secure_protocol.replies import ReplyKind, Verbatim
from secure_server.commands.builtin.completion import asked
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.version import VERSION

GROUP = N_("Server")

REDIS_VERSION = "7.4.0"
"""The Redis whose shapes we answer in, in INFO and HELLO alike; clients choose by it what they may send."""
ROLE = "master"
"""What this server is to Redis' clients."""
MEMORY = Path("/proc/self/statm")
"""Where Linux tells what this process holds, in pages; elsewhere nothing is told of it."""
ALL = frozenset({"default", "all", "everything"})


@command(
    "INFO",
    audit=False,
    about_session=True,
    summary=N_("The server in numbers, as Redis tells them."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"section": N_("server, clients, stats, workers, memory or replication")},
    complete={"section": lambda _context, _typed: SECTIONS},
    example="clients",
)
def info(context: Context, *section: str) -> Verbatim:
    """Return sections of `key:value` lines. Totals alone, nothing of others: clients ask it when they connect."""
    wanted = {name.lower() for name in section}
    chosen = [name for name in SECTIONS if not wanted or wanted & {name, *ALL}]
    parts: list[str] = []
    for name in chosen:
        lines = [f"# {name.capitalize()}", *(f"{key}:{value}" for key, value in SECTIONS[name](context).items())]
        parts.append("".join(f"{line}\r\n" for line in lines))
    return Verbatim("\r\n".join(parts))


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
    try:
        pages = int(MEMORY.read_text(encoding="ascii").split()[1])
    except OSError:
        return {}
    return {"used_memory_rss": pages * os.sysconf("SC_PAGE_SIZE")} if hasattr(os, "sysconf") else {}


def _replication(_context: Context) -> dict[str, object]:
    """There is none; but clients look here, or in the answer to HELLO, for the one that they may write to."""
    return {"role": ROLE, "connected_slaves": 0}


SECTIONS: dict[str, Callable[[Context], dict[str, object]]] = {
    "server": _server,
    "clients": _clients,
    "stats": _stats,
    "workers": _workers,
    "memory": _memory,
    "replication": _replication,
}

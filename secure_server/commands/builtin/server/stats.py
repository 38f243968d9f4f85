"""SERVER STATS: how much is done, how fast, and by whom, of one moment. docs/protocol.md has the map."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

from secure_protocol.replies import ReplyKind
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.jobs.job import JobState
from secure_server.statistics import process
from secure_server.statistics.shown import Shown
from secure_server.version import VERSION

GROUP = N_("Server")

Map = dict[str, object]

DIGITS = 6
"""Of seconds: percentiles are told to a twentieth, and a microsecond is the least that is measured."""


@command(
    "SERVER STATS",
    audit=False,  # a screen that shows it asks each second
    summary=N_("How much the server does, how fast, and for whom."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
)
def server_stats(context: Context) -> Map | list[str]:
    """Return it as a map; for people as lines."""
    found = stats(context)
    return list(_lines(found)) if context.session.codec.for_people else found


def stats(context: Context) -> Map:
    """Return it as a map."""
    used = services(context)
    shown = used.statistics.shown()
    totals = shown.totals
    return {
        "version": VERSION,
        "time": time.time(),
        "uptime": round(used.clock() - used.started, DIGITS),
        "draining": used.draining.on,
        "connections": _connections(context),
        "handshakes": {"total": shown.handshakes, "failed": shown.handshakes_failed},
        "logins": {"accepted": shown.accepted, "refused": shown.refused},
        "commands": _commands(context, shown),
        "bytes": {"in": totals.received, "out": totals.sent},
        "workers": {
            "places": sum(item.places for item in used.workers),
            "running": sum(item.running for item in used.workers),
            "waiting": sum(item.waiting for item in used.workers),
            "beside": sum(item.beside for item in used.workers),
            "stuck": sum(item.stuck for item in used.workers),
        },
        "jobs": _jobs(context),
        "process": {
            "rss": process.resident(),
            "cpu": round(time.process_time(), DIGITS),
            "threads": threading.active_count(),
            "descriptors": process.descriptors(),
            "most_descriptors": process.most_descriptors(),
        },
        "history": _history(shown),
        "by_command": [_rounded(item._asdict()) for item in shown.commands],
        "by_user": [item._asdict() for item in shown.users],
        "by_transport": [item._asdict() for item in shown.transports],
    }


def _connections(context: Context) -> Map:
    sessions = services(context).sessions
    return {
        "clients": sessions.clients,
        "most_clients": sessions.most,
        "strangers": sessions.strangers,
        "most_strangers": sessions.most_strangers,
        "admin": sessions.on_admin_socket,
        "total": sessions.last_number,
        "given_way": sum(sessions.given_way.values()),
    }


def _rounded(figures: Map) -> Map:
    """Return figures with their seconds as exact as anybody reads them."""
    return {key: round(value, DIGITS) if isinstance(value, float) else value for key, value in figures.items()}


def _commands(context: Context, shown: Shown) -> Map:
    """What runs, and waits, on workers: on the loop nothing else runs while this is told."""
    workers = services(context).workers
    return {
        "total": shown.totals.commands,
        "failed": shown.totals.failed,
        "running": sum(item.running + item.beside for item in workers),
        "waiting": sum(item.waiting for item in workers),
        **_rounded(shown.took._asdict()),
    }


def _jobs(context: Context) -> Map | None:
    jobs = services(context).jobs
    if jobs is None:
        return None
    running, waiting = jobs.running, jobs.waiting
    return {str(JobState.RUNNING): running, "waiting": waiting}


def _history(shown: Shown) -> Map:
    commands, failed, connections, refused, received, sent = shown.history
    return {
        "seconds": 1,
        "commands": commands,
        "failed": failed,
        "connections": connections,
        "refused": refused,
        "in": received,
        "out": sent,
    }


def _lines(found: Map) -> Iterator[str]:
    """Return it for people: a line for each part, and for each command, principal and transport."""
    for key, value in found.items():
        if isinstance(value, list):
            for row in value:
                name, *figures = row.items()
                yield f"{key} {name[1] or '-'}: {_figures(dict(figures))}"
        elif isinstance(value, dict):
            yield f"{key}: {_figures(value)}"
        else:
            yield f"{key}: {_figure(value)}"


def _figures(found: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {_figure(value)}" for key, value in found.items())


def _figure(value: object) -> str:
    """Return a figure; of seconds as many digits as are known."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if value < 1 else f"{value:.3f}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return " ".join(f"{key} {count}" for key, count in value.items()) or "-"
    return "-" if value is None else str(value)

"""What a busy server answers to `SERVER STATS`, and to `CLIENTS`; for a `ScriptedServer` to say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, ReplyKind
from tests.secure_client.scripted_server import Peer, ScriptedServer

SECONDS = 60


def by_command(name: str, minute: int, p50: float | None = 0.00024) -> dict[str, object]:
    """Return the figures of a command."""
    times = {"p50": p50, "p99": p50 and p50 * 50, "max": p50 and p50 * 4000, "worker_seconds": (p50 or 0.0) * minute}
    return {"command": name, "calls": minute * 40, "failed": minute // 50, "minute": minute, **times}


STATS: dict[str, Any] = {
    "version": "1.4.0",
    "time": 1_700_000_000.0,
    "uptime": 273_720.0,
    "draining": False,
    "connections": {
        "clients": 812,
        "most_clients": 1024,
        "strangers": 3,
        "most_strangers": 512,
        "admin": 1,
        "total": 48_211,
        "given_way": 0,
    },
    "handshakes": {"total": 48_211, "failed": 12},
    "logins": {"accepted": 47_900, "refused": 31},
    "commands": {
        "total": 9_812_345,
        "failed": 1203,
        "running": 3,
        "waiting": 0,
        "p50": 0.00024,
        "p99": 0.0121,
        "max": 1.2,
    },
    "bytes": {"in": 812_345_678, "out": 4_812_345_678},
    "workers": {"places": 16, "running": 3, "waiting": 0, "beside": 0, "stuck": 0},
    "jobs": {"running": 2, "waiting": 1},
    "process": {"rss": 84_123_456, "cpu": 27_372.0, "threads": 23, "descriptors": 857, "most_descriptors": 1_048_576},
    "history": {
        "seconds": 1,
        "commands": [900 + 25 * (second % 13) for second in range(SECONDS)],
        "failed": [second % 20 == 0 for second in range(SECONDS)],
        "connections": [second % 4 for second in range(SECONDS)],
        "refused": [0] * SECONDS,
        "in": [52_000 + 1900 * (second % 7) for second in range(SECONDS)],
        "out": [412_000 + 9900 * (second % 17) for second in range(SECONDS)],
    },
    "by_command": [
        by_command("STATUS", 31_204),
        by_command("DISK", 12_811, 0.0041),
        by_command("RESTART", 402, 1.9),
        by_command("TAIL", 12, None),
    ],
    "by_user": [{"user": "ana", "calls": 400, "failed": 1, "minute": 40}],
    "by_transport": [{"transport": "tls", "sessions": 812, "calls": 400, "failed": 1}],
}
"""The answer."""
STATS["history"]["failed"] = [int(value) for value in STATS["history"]["failed"]]


class Busy:
    """Has a scripted server answer as a busy one does.

    Args:
        server: made to.
        chooses: `CLIENTS` knows `--sort` and `--limit`.
        shows: there is a `CLIENT SHOW`.

    Attributes:
        stats: what is answered to `SERVER STATS`; an error in its place is answered as such.
        clients: the rows of `CLIENTS`; each look adds to what they did.
        kicked: who was, and why.
        asked: the words behind each `CLIENTS`.
    """

    def __init__(self, server: ScriptedServer, *, chooses: bool = True, shows: bool = True) -> None:
        self.stats: dict[str, Any] | ErrorReply = copy.deepcopy(STATS)
        self.clients = [client(7 + number, name) for number, name in enumerate(("ana", "bob", "ci-deploy"))]
        self.kicked: list[list[str]] = []
        self.asked: list[list[str]] = []
        self._chooses = chooses
        words = ArgumentDescription("filters", optional=True, variadic=True)
        server.commands += [
            CommandDescription("SERVER STATS", "All figures of this server", reply=ReplyKind.LINES),
            CommandDescription("CLIENTS", "Who is connected", reply=ReplyKind.TABLE, arguments=(words,)),
            CommandDescription("KICK", arguments=(ArgumentDescription("id", "int"), words), idempotent=False),
        ]
        if shows:
            server.commands.append(CommandDescription("CLIENT SHOW", arguments=(ArgumentDescription("id", "int"),)))
        server.handlers |= {
            "SERVER": self._server,
            "CLIENTS": self._list,
            "CLIENT": self._show,
            "KICK": self._kick,
        }

    def _server(self, _peer: Peer, arguments: Sequence[str]) -> object:
        if arguments != ["STATS"] or isinstance(self.stats, ErrorReply):
            return self.stats if isinstance(self.stats, ErrorReply) else ErrorReply("ERR", "Unknown command.")
        self.stats["uptime"] += 1.0
        self.stats["process"]["cpu"] += 0.123
        for kept in self.stats["history"].values():
            if isinstance(kept, list):
                kept.append(kept.pop(0))
        return self.stats

    def _list(self, _peer: Peer, arguments: list[str]) -> object:
        self.asked.append(arguments)
        if "--sort" in arguments and not self._chooses:
            return ErrorReply("ERR", "Filter --sort is not known.")
        filters = arguments[: arguments.index("--sort")] if "--sort" in arguments else arguments
        if filters and not filters[0].startswith("user="):
            return ErrorReply("ERR", f"There is no field {filters[0]}: there is user.")
        for row in self.clients:
            row["commands"] += row["id"] * 100
            row["in"] += 4096
            row["out"] += 65_536
        wanted = filters[0].removeprefix("user=") if filters else None
        return [row for row in self.clients if wanted in (None, row["user"])]

    def _show(self, _peer: Peer, arguments: list[str]) -> object:
        if arguments[0] != "SHOW":
            return ErrorReply("ERR", "Unknown command.")
        row = next((row for row in self.clients if str(row["id"]) == arguments[1]), None)
        if row is None:
            return ErrorReply("ERR", f"No client has the id {arguments[1]}.")
        recent = [{"command": "STATUS web", "seconds": 0.002}, {"command": "DISK /", "seconds": 0.004}]
        return {**row, "last commands": recent, "penalties": None}

    def _kick(self, _peer: Peer, arguments: list[str]) -> object:
        self.kicked.append(arguments)
        self.clients = [row for row in self.clients if str(row["id"]) != arguments[0]]
        return f"Kicked client {arguments[0]}."


def client(number: int, user: str) -> dict[str, Any]:
    """Return a row of `CLIENTS`."""
    return {
        "id": number,
        "user": user,
        "role": "user",
        "address": f"10.0.0.{number}:40{number:03}",
        "transport": "tls",
        "tls": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "connected": "2026-11-28T00:00:00+00:00",
        "idle": number - 7,
        "commands": 1000 - number,
        "in": 40_960,
        "out": 655_360,
        "last": "STATUS",
    }

"""Memory of connections that wait, and what an admin waits for the list of them."""

from __future__ import annotations

import time

from benchmarks.contestants import EVERYBODY, OURS, Arena, Contestant
from benchmarks.figures import Quantity
from benchmarks.loads.start import load
from benchmarks.machine import resident_bytes
from benchmarks.measures.measure import Measure
from benchmarks.scale import FULL, Scale
from secure_client import Client
from secure_client.core.endpoint import Endpoint
from secure_server.reach import ADMIN_SOCKET


def _idle(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
    server, values = arena.running(contestant), {}
    with load(arena, "crowd", server) as crowd:
        crowd.ask("open 1")
        before = resident_bytes(server.pid)
        for count in scale.connections:
            crowd.ask(f"open {count}")
            values[f"idle-{count}"] = (resident_bytes(server.pid) - before) / (count - 1) / 1024
    return values


def _clients(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
    server, count = arena.running(contestant), scale.connections[-1]
    with load(arena, "crowd", server) as crowd:
        crowd.ask(f"open {count}")
        with Client(Endpoint(path=server.data / ADMIN_SOCKET), reconnect=False) as admin:
            began = time.perf_counter()
            told = admin.execute("CLIENTS")
            seconds = time.perf_counter() - began
    if not isinstance(told, list) or len(told) < count:
        raise OSError(f"CLIENTS told of fewer than {count} sessions")
    return {f"clients-{count}": seconds * 1000}


MEASURES = (
    Measure(
        "idle",
        "Memory per idle connection",
        tuple(Quantity(f"idle-{count}", f"{count:,} open", "KB") for count in FULL.connections),
        EVERYBODY,
        _idle,
        "Resident memory above that with one connection; all have authenticated.",
        rounds=1,
    ),
    Measure(
        "clients",
        "Admin `CLIENTS`",
        tuple(Quantity(f"clients-{count}", f"{count:,} sessions", "ms") for count in FULL.connections),
        (OURS,),
        _clients,
        "From the request on the admin socket to the decoded table.",
        rounds=1,
    ),
)

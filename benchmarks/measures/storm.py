"""What a connected client waits while others storm in."""

from __future__ import annotations

import json

from benchmarks.contestants import EVERYBODY, Arena, Contestant
from benchmarks.figures import Better, Quantity, quantile
from benchmarks.loads.start import load
from benchmarks.measures.measure import Measure
from benchmarks.scale import Scale

THREADS = 8
PAUSE_SECONDS = 0.001
"""Between the connected client's requests."""


def _storm(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
    server = arena.running(contestant)
    with load(arena, "crowd", server) as crowd, load(arena, "logins", server, "bearer", str(THREADS)) as storm:
        crowd.ask("open 1")
        storm.ask("go 0")  # it is there, and can
        storm.say(f"go {scale.load_seconds + 0.2}")  # begins before the client, and ends after it
        latencies = json.loads(crowd.ask(f"ping {scale.load_seconds} {PAUSE_SECONDS}"))
        done, seconds = json.loads(storm.line())
    return {
        "storm.p50": quantile(latencies, 0.50) * 1000,
        "storm.p99": quantile(latencies, 0.99) * 1000,
        "storm.rate": done / seconds,
    }


MEASURES = (
    Measure(
        "storm",
        "PING of a connected client during a storm of handshakes",
        (
            Quantity("storm.p50", "latency, median", "ms"),
            Quantity("storm.p99", "latency, 99 %", "ms"),
            Quantity("storm.rate", "logins of the storm", "1/s", Better.HIGHER),
        ),
        EVERYBODY,
        _storm,
        f"One process of {THREADS} threads connects, authenticates and leaves all the while; the client is another.",
    ),
)

"""Full TLS handshakes with authentication."""

from __future__ import annotations

import json
from contextlib import ExitStack

from benchmarks.contestants import EVERYBODY, OURS, Arena, Contestant
from benchmarks.figures import Better, Quantity
from benchmarks.loads.start import load
from benchmarks.machine import used_by
from benchmarks.measures.measure import Measure, Take
from benchmarks.scale import Scale

PROCESSES = 2
THREADS = 2
"""Of each process: while one waits for the server, the other works."""


def measured(arena: Arena, contestant: Contestant, seconds: float, kind: str) -> dict[str, float]:
    """Connect, authenticate and leave for that long.

    Returns:
        rate (a second) and cpu (µs of the server each).
    """
    server = arena.running(contestant)
    with ExitStack() as stack:
        loads = [stack.enter_context(load(arena, "logins", server, kind, str(THREADS))) for _ in range(PROCESSES)]
        for each in loads:
            each.ask("go 0")  # it is there, and can
        with used_by(server.pid) as used:
            for each in loads:
                each.say(f"go {seconds}")
            done = [json.loads(each.line()) for each in loads]
    count = sum(number for number, _ in done)
    return {"rate": sum(number / took for number, took in done), "cpu": used.cpu * 1e6 / count}


def quantities(name: str) -> tuple[Quantity, ...]:
    """Return what is measured, under that name."""
    return (
        Quantity(f"{name}.rate", "logins", "1/s", Better.HIGHER),
        Quantity(f"{name}.cpu", "server CPU a login", "µs"),
    )


def shown_as(name: str, kind: str) -> Take:
    """Return how to measure logins by `bearer` or `scram`."""

    def take(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
        return {f"{name}.{key}": value for key, value in measured(arena, contestant, scale.load_seconds, kind).items()}

    return take


MEASURES = (
    Measure(
        "logins",
        "TLS handshakes with AUTH",
        quantities("logins"),
        EVERYBODY,
        shown_as("logins", "bearer"),
        "Two processes of two threads connect, authenticate and leave; their half of the work is on the same cores, "
        "so the server's CPU tells more than the rate.",
    ),
    Measure(
        "scram",
        "TLS handshakes with SCRAM-SHA-256-PLUS",
        quantities("scram"),
        (OURS,),
        shown_as("scram", "scram"),
        "As above; the client's PBKDF2, 4096 rounds, bounds the rate.",
    ),
)

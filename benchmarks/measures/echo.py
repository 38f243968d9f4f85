"""ECHO a second, what a request costs the server, and what a client waits."""

from __future__ import annotations

from benchmarks.contestants import EVERYBODY, Arena, Contestant
from benchmarks.figures import Better, Quantity
from benchmarks.machine import used_by
from benchmarks.measures.measure import Measure, Take
from benchmarks.redis_benchmark import CLIENTS, benchmark
from benchmarks.scale import Scale

FEW = 10
"""Batches of each client in the short run: enough to be reported in milliseconds, little beside its handshakes."""


def steady(arena: Arena, contestant: Contestant, requests: int, depth: int) -> dict[str, float]:
    """Measure a short run and a long one, and take the difference: 50 TLS handshakes are in both, and go out.

    Returns:
        rate (a second), cpu (µs a request), p50 and p99 (ms; of the long run).
    """
    server = arena.running(contestant)
    few = FEW * CLIENTS * depth
    with used_by(server.pid) as of_few:
        short = benchmark(server, few, depth)
    with used_by(server.pid) as of_all:
        long = benchmark(server, requests, depth)
    seconds = requests / long.rate - few / short.rate
    count = requests - few
    return {
        "rate": count / seconds if seconds > 0 else long.rate,  # a disturbed short run: then as it was reported
        "cpu": max(0.0, of_all.cpu - of_few.cpu) * 1e6 / count,
        "p50": long.p50,
        "p99": long.p99,
    }


def quantities(name: str) -> tuple[Quantity, ...]:
    """Return what a steady load tells, under that name."""
    return (
        Quantity(f"{name}.rate", "requests", "1/s", Better.HIGHER),
        Quantity(f"{name}.cpu", "server CPU a request", "µs"),
        Quantity(f"{name}.p50", "latency, median", "ms"),
        Quantity(f"{name}.p99", "latency, 99 %", "ms"),
    )


def at_depth(name: str, depth: int) -> Take:
    """Return how to measure at a pipeline depth."""

    def take(arena: Arena, contestant: Contestant, scale: Scale) -> dict[str, float]:
        values = steady(arena, contestant, scale.requests[depth], depth)
        return {f"{name}.{key}": value for key, value in values.items()}

    return take


def _echo(depth: int) -> Measure:
    name = f"echo-{depth}"
    return Measure(
        name,
        f"ECHO, {CLIENTS} connections, pipeline depth {depth}",
        quantities(name),
        EVERYBODY,
        at_depth(name, depth),
        "redis-benchmark; a long run less a short one, so that TLS handshakes are not in the rate and CPU.",
    )


MEASURES = (_echo(1), _echo(16))

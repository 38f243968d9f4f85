"""What strangers cost by TLS and by QUIC: the CPU of handshakes that nobody ends, and what others notice of a storm.

    python benchmarks/strangers.py

A client that is connected by TLS asks for PING all the while, alone, beside a storm of logins by each transport, and
beside a flood of first datagrams that nobody follows up. The transports take turns, on one server.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":  # started as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import Child, ChildError
from benchmarks.contestants import Arena, Place, Server, ours
from benchmarks.figures import quantile, shown
from benchmarks.loads.start import load
from benchmarks.machine import describe, used_by
from secure_client import streams

TRANSPORTS = ("tls", "quic")
CONFIG = "[quic]\nenabled = true\n"
FIRST, UNFINISHED = 100, 600
"""Of so many in all, so many are remembered before others have to prove their address by a Retry."""
AT_ONCE = 8
"""Threads of a storm, in one process."""
FLOOD = 2000.0
"""First datagrams a second; more than are let in by far, and few enough for one thread to send."""
BEFORE_SECONDS, AFTER_SECONDS = 0.2, 0.2
"""A storm begins so long before the client that is measured, and ends so long after it."""
PAUSE_SECONDS = 0.001
"""Between that client's requests."""
BEGUN = ("first", "others", "whole", "answered", "retries")
STORMS = ("nobody", *TRANSPORTS, "flood")


@contextmanager
def running(place: Place) -> Iterator[tuple[Arena, Server]]:
    """A server of its own."""
    arena = Arena(place)
    try:
        yield arena, arena.running(ours("server", CONFIG))
    finally:
        arena.end()


def unfinished(place: Place, transport: str, aftermath: float) -> dict[str, float]:
    """Begin handshakes, and leave them at that.

    Args:
        place: for certificates and data.
        transport: tls or quic.
        aftermath: seconds until the server has given them up.

    Returns:
        The server's CPU µs until it was answered of each of the first and each of the others, and of each of all until
        they were given up; of a hundred, how many were answered and how many of them by a Retry.
    """
    found = {}
    with running(place) as (arena, server), load(arena, "unfinished", server) as strangers:
        strangers.ask(f"{transport} 1")  # warms up
        with used_by(server.pid) as whole:
            told = []
            for name, count in (("first", FIRST), ("others", UNFINISHED - FIRST)):
                with used_by(server.pid) as used:
                    told.append(json.loads(strangers.ask(f"{transport} {count}")))
                found[name] = used.cpu * 1e6 / count
            time.sleep(aftermath)
        strangers.ask("leave")
    found["whole"] = whole.cpu * 1e6 / UNFINISHED
    return found | {name: sum(each[name] for each in told) * 100 / UNFINISHED for name in ("answered", "retries")}


def noticed(place: Place, rounds: int, seconds: float) -> dict[str, dict[str, list[float]]]:
    """Measure what a connected client waits for its PINGs beside each storm, by turns.

    Returns:
        By storm: for each round the p50 and p99 in ms, and how many a second came.
    """
    found: dict[str, dict[str, list[float]]] = {storm: defaultdict(list) for storm in STORMS}
    with running(place) as (arena, server), ExitStack() as stack:
        client, logins, strangers = (
            stack.enter_context(load(arena, module, server)) for module in ("crowd", "transports", "unfinished")
        )
        client.ask("open 1")
        for transport in TRANSPORTS:
            logins.ask(f"storm {transport} 0 1")  # warms up
        for number in range(rounds):
            for storm in STORMS if number % 2 else STORMS[::-1]:
                latencies, rate = beside(client, logins, strangers, storm, seconds)
                for name, value in (
                    ("p50", quantile(latencies, 0.5) * 1000),
                    ("p99", quantile(latencies, 0.99) * 1000),
                    ("rate", rate),
                ):
                    found[storm][name].append(value)
    return found


def beside(client: Child, logins: Child, strangers: Child, storm: str, seconds: float) -> tuple[list[float], float]:
    """Let one storm rage; return the latencies of the client's PINGs in seconds, and how many a second came."""
    whole, load = seconds + BEFORE_SECONDS + AFTER_SECONDS, strangers if storm == "flood" else logins
    if storm == "flood":
        load.say(f"flood {FLOOD} {whole}")
    elif storm in TRANSPORTS:
        load.say(f"storm {storm} {whole} {AT_ONCE}")
    time.sleep(BEFORE_SECONDS)
    latencies = json.loads(client.ask(f"ping {seconds} {PAUSE_SECONDS}"))
    if storm not in TRANSPORTS and storm != "flood":
        return latencies, 0.0
    told = float(load.line())
    return latencies, told / whole if storm == "flood" else told


@click.command()
@click.option("--rounds", type=click.IntRange(1, 1000), default=8, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.05, 60), default=3, show_default=True, help="Of each storm.")
@click.option("--aftermath", type=click.FloatRange(0, 60), default=12, show_default=True, help="Seconds to give up in.")
def main(rounds: int, seconds: float, aftermath: float) -> None:
    """Measure handshakes that nobody ends, and a TLS client's PING beside storms."""
    console = Console()
    begun = Table(
        f"of {UNFINISHED} that nobody ends",
        f"CPU µs, first {FIRST}",
        "others",
        "all, until given up",
        "answered, %",
        "by a Retry, %",
    )
    beside = Table("beside a storm by", "PING p50 ms", "p99 ms", "p99, ratio to TLS's storm", "came a second")
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        try:
            for transport in TRANSPORTS:
                taken = unfinished(place, transport, aftermath)
                begun.add_row(transport, *(shown(taken[name]) for name in BEGUN))
            found = noticed(place, rounds, seconds)
        except ChildError as error:
            raise click.ClickException(str(error)) from None
    for storm in STORMS:
        ratio = statistics.median(
            here / tls for here, tls in zip(found[storm]["p99"], found["tls"]["p99"], strict=True)
        )
        p50, p99, rate = (statistics.median(found[storm][name]) for name in ("p50", "p99", "rate"))
        beside.add_row(storm, f"{p50:.2f}", f"{p99:.2f}", f"{ratio:.2f}", shown(rate))
    console.print(begun)
    console.print(beside)
    console.print(", ".join(describe().values()), soft_wrap=True)


if __name__ == "__main__":
    streams.run(main)

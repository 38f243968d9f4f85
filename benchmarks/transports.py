"""What a request costs the server by each transport: CPU of an ECHO.

    python benchmarks/transports.py

One server serves all; their clients take turns of a fraction of a second, so that a machine which others share disturbs
them alike, and what counts is the median of the ratios to TLS in the same round.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":  # started as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import ChildError
from benchmarks.contestants import Arena, Place, ours
from benchmarks.loads.start import load
from benchmarks.machine import used_by
from secure_client import streams

TRANSPORTS = ("tls", "websocket")
CLIENTS = 50
BATCHES = 120
"""Of each client in a turn, at depth 1: about half a second."""
CONFIG = "[web]\nenabled = true\n"


def measured(depth: int, rounds: int, place: Place) -> list[dict[str, float]]:
    """Return for each round the server's CPU a request in µs, by transport.

    Args:
        depth: requests in a batch.
        rounds: turns of each; one more is dropped, for it warms up.
        place: for certificates and data.
    """
    arena, found = Arena(place), []
    try:
        server = arena.running(ours("server", CONFIG))
        with load(arena, "transports", server) as clients:
            for transport in TRANSPORTS:
                clients.ask(f"open {transport} {CLIENTS}")
            for number in range(rounds + 1):
                taken = {}
                for transport in TRANSPORTS if number % 2 else TRANSPORTS[::-1]:
                    with used_by(server.pid) as used:
                        requests = int(clients.ask(f"echo {transport} {max(10, BATCHES * 2 // (depth + 1))} {depth}"))
                    taken[transport] = used.cpu * 1e6 / requests
                found.append(taken)
    finally:
        arena.end()
    return found[1:]


@click.command()
@click.option("--depth", "depths", multiple=True, type=click.IntRange(1, 1000), default=(1, 16), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True)
def main(depths: tuple[int, ...], rounds: int) -> None:
    """Compare the transports: the server's CPU an ECHO."""
    table = Table(
        "transport", *(f"depth {depth}, µs" for depth in depths), *(f"depth {depth}, ratio" for depth in depths)
    )
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        try:
            found = {depth: measured(depth, rounds, place) for depth in depths}
        except ChildError as error:
            raise click.ClickException(str(error)) from None
    for transport in TRANSPORTS:
        cpu = [f"{statistics.median(taken[transport] for taken in found[depth]):.2f}" for depth in depths]
        ratio = [
            f"{statistics.median(taken[transport] / taken['tls'] for taken in found[depth] if taken['tls']):.2f}"
            for depth in depths
        ]
        table.add_row(transport, *cpu, *ratio)
    Console().print(table)


if __name__ == "__main__":
    streams.run(main)

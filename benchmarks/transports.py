"""What each transport costs the server: CPU of an ECHO and of a login, and memory of a connection.

    python benchmarks/transports.py
    python benchmarks/transports.py --transport tls --transport quic

One server serves all; their clients take turns of a fraction of a second, so that a machine which others share disturbs
them alike, and what counts is the median of the ratios to TLS in the same round. Memory is that of a server of its own
for each transport and round, for Python does not give back what it has taken.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":  # started as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import Child, ChildError
from benchmarks.contestants import Arena, Contestant, Place, Server, ours
from benchmarks.figures import shown
from benchmarks.loads.start import load
from benchmarks.machine import describe, resident_bytes, used_by
from secure_client import streams

TLS = "tls"
TRANSPORTS = (TLS, "websocket", "quic")
CLIENTS = 50
REQUESTS = 240
"""Of each client in a turn at depth 1, less the deeper it is: about half a second by TLS."""
SHARE = {"quic": 8}
"""Of those requests a turn takes this part, for its clients take so much longer, being Python themselves."""
LOGINS = 40
"""In a turn."""
MEMORY_CLIENTS = 300
MEMORY_ROUNDS = 3
CONFIG = {"tls": "", "websocket": "[web]\nenabled = true\n", "quic": "[quic]\nenabled = true\n"}

Round = dict[str, float]
"""What was measured, by transport."""
Take = Callable[[Server, Child, str], float]
"""Measures one transport once, of a server and by its clients."""


def serving(transports: Sequence[str]) -> Contestant:
    """Return a server of these."""
    return ours("server", "".join(CONFIG[transport] for transport in transports))


def turns(transports: Sequence[str], rounds: int, place: Place, take: Take) -> list[Round]:
    """Measure each transport in each round, on one server; the first one in every other round is the last in the next.

    Args:
        transports: of these.
        rounds: turns of each; one more is dropped, for it warms up.
        place: for certificates and data.
        take: how.
    """
    arena, found = Arena(place), []
    try:
        server = arena.running(serving(transports))
        with load(arena, "transports", server) as clients:
            for transport in transports:
                clients.ask(f"open {transport} {CLIENTS}")
            for number in range(rounds + 1):
                order = transports if number % 2 else transports[::-1]
                found.append({transport: take(server, clients, transport) for transport in order})
    finally:
        arena.end()
    return found[1:]


def echo(depth: int) -> Take:
    """Return how to measure the server's CPU a request in µs, with so many requests in a batch."""

    def take(server: Server, clients: Child, transport: str) -> float:
        batches = max(10, REQUESTS // (depth + 1) // SHARE.get(transport, 1))
        with used_by(server.pid) as used:
            requests = int(clients.ask(f"echo {transport} {batches} {depth}"))
        return used.cpu * 1e6 / requests

    return take


def login(server: Server, clients: Child, transport: str) -> float:
    """Return the server's CPU in ms of a login: handshake, HELLO with a token, and the end."""
    with used_by(server.pid) as used:
        done = int(clients.ask(f"login {transport} {LOGINS}"))
    return used.cpu * 1e3 / done


def memory(transports: Sequence[str], rounds: int, place: Place) -> list[Round]:
    """Return the KB that the server holds for a connection which has authenticated, beside one that was there."""
    found = []
    for number in range(rounds):
        taken = {}
        for transport in transports if number % 2 else transports[::-1]:
            arena = Arena(place)
            try:
                server = arena.running(serving(transports))
                with load(arena, "transports", server) as clients:
                    clients.ask(f"open {transport} 1")
                    before = resident_bytes(server.pid)
                    clients.ask(f"open {transport} {MEMORY_CLIENTS}")
                    taken[transport] = (resident_bytes(server.pid) - before) / MEMORY_CLIENTS / 1024
            finally:
                arena.end()
        found.append(taken)
    return found


def row(name: str, rounds: Sequence[Round], transports: Sequence[str]) -> list[str]:
    """Return a row: the median of each transport, and its ratio to TLS in the same round."""
    cells = [name]
    for transport in transports:
        text = shown(statistics.median(taken[transport] for taken in rounds))
        ratios = [taken[transport] / taken[TLS] for taken in rounds if taken.get(TLS)]
        told = f" ({statistics.median(ratios):.2f}×)" if ratios and transport != TLS else ""
        cells.append(text + told)
    return cells


@click.command()
@click.option("--transport", "transports", multiple=True, type=click.Choice(TRANSPORTS), default=TRANSPORTS)
@click.option("--depth", "depths", multiple=True, type=click.IntRange(1, 1000), default=(1, 16), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True)
def main(transports: tuple[str, ...], depths: tuple[int, ...], rounds: int) -> None:
    """Compare the transports: the server's CPU an ECHO and a login, and its memory a connection."""
    table = Table("of the server", *transports)
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        try:
            for depth in depths:
                found = turns(transports, rounds, place, echo(depth))
                table.add_row(*row(f"CPU µs an ECHO, depth {depth}", found, transports))
            table.add_row(*row("CPU ms a login", turns(transports, rounds, place, login), transports))
            found = memory(transports, min(rounds, MEMORY_ROUNDS), place)
            table.add_row(*row("KB a connection", found, transports))
        except ChildError as error:
            raise click.ClickException(str(error)) from None
    console = Console()
    console.print(table)
    console.print(", ".join(describe().values()), soft_wrap=True)


if __name__ == "__main__":
    streams.run(main)

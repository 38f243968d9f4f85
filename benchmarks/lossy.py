"""How long a login takes by each transport, and a move by QUIC, until a PING is answered, over links that lose.

    python benchmarks/lossy.py
    python benchmarks/lossy.py --delay 50 --loss 0 --loss 5 --logins 400

Server and clients are in a network namespace of their own, whose packets all pass a program that holds some back and
drops others: TCP's as well as UDP's. All take turns.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":  # started as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import Child, ChildError, child, environment, python
from benchmarks.contestants import Arena, Place, ours
from benchmarks.figures import quantile
from benchmarks.link import FAR
from benchmarks.loads.start import load
from benchmarks.machine import describe
from secure_client import streams

WAYS = {
    "tls": "TLS",
    "tls-guessed": "TLS, group guessed",
    "websocket": "WebSocket",
    "quic": "QUIC",
    "moved": "QUIC, after a move",
}
"""What is measured; of a client's first message the server takes keys of one group alone, and asks for that where the
client guessed another: a turn more. Who has moved has logged in before."""
CONFIG = '[listen]\nhost = "0.0.0.0"\n[web]\nenabled = true\n[quic]\nenabled = true\n'
INSIDE = "BENCHMARK_NAMESPACE"
"""Set where this already runs in a namespace of its own."""
TURN = 20
"""Logins of one transport before it is the other's turn."""
AT_ONCE = 5
"""Of them; more would measure the clients, who are Python."""
READY_SECONDS = 10.0
DELAYS, LOSSES = (0, 50, 150), (0, 2)

Waits = dict[str, list[float]]
"""Seconds of each login, or move, by the way."""


def measured(clients: Child, link: Child, delay: float, loss: float, logins: int) -> Waits:
    """Log in so many times by each, on a link with that round-trip delay in ms and that loss in per cent."""
    link.ask("link 0 0")
    for way in WAYS:  # warms up
        clients.ask(f"time {way} {AT_ONCE} {AT_ONCE}")
    link.ask(f"link {delay} {loss}")
    waits: Waits = {way: [] for way in WAYS}
    while len(waits["tls"]) < logins:
        for way in WAYS:
            waits[way] += json.loads(clients.ask(f"time {way} {min(TURN, logins)} {AT_ONCE}"))
    return waits


def rows(delay: float, loss: float, waits: Waits) -> list[list[str]]:
    """Return a row for each way: median, 95 %, the worst and the mean in ms, and the mean in times of TLS's."""
    found = []
    for way, name in WAYS.items():
        each, mean = waits[way], statistics.fmean(waits[way])
        told = (quantile(each, 0.5), quantile(each, 0.95), max(each), mean)
        ratio = f"{mean / statistics.fmean(waits['tls']):.2f}×"
        found.append([f"{delay:g}", f"{loss:g}", name, *(f"{value * 1000:.0f}" for value in told), ratio])
    return found


def own_namespace() -> None:
    """Start this program again where the network is its own alone.

    Raises:
        ClickException: that cannot be, here.
    """
    argv = ["unshare", "--map-root-user", "--net", sys.executable, *sys.argv]
    try:
        os.execvpe(argv[0], argv, {**os.environ, INSIDE: "1"})  # noqa: S606 - the program itself, no shell
    except OSError as error:
        raise click.ClickException(f"unshare, of Linux, is needed for a network of its own: {error}") from None


@click.command()
@click.option("--delay", "delays", multiple=True, type=click.FloatRange(0, 5000), default=DELAYS, show_default=True)
@click.option("--loss", "losses", multiple=True, type=click.FloatRange(0, 50), default=LOSSES, show_default=True)
@click.option("--logins", type=click.IntRange(1, 100_000), default=200, show_default=True)
def main(delays: tuple[float, ...], losses: tuple[float, ...], logins: int) -> None:
    """Measure logins over links with each round-trip DELAY in ms, and each LOSS in per cent of packets each way."""
    if INSIDE not in os.environ:
        own_namespace()
    table = Table("delay, ms", "loss, %", "by", "median, ms", "95 %", "worst", "mean", "times TLS's")
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        arena = Arena(place)
        try:
            with child(python("-m", "benchmarks.link"), name="link", errors=place.errors, env=environment()) as link:
                link.line(READY_SECONDS)
                server = arena.running(ours("server", CONFIG))
                with load(arena, "transports", server, FAR) as clients:
                    for delay, loss in itertools.product(delays, losses):
                        for cells in rows(delay, loss, measured(clients, link, delay, loss, logins)):
                            table.add_row(*cells)
        except ChildError as error:
            raise click.ClickException(str(error)) from None
        finally:
            arena.end()
    console = Console()
    console.print(table)
    console.print(", ".join(describe().values()), soft_wrap=True)


if __name__ == "__main__":
    streams.run(main)

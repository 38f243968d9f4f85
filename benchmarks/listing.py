"""What a list of many sessions costs: the wait for its first page and for all of it, and what others notice of it.

    python benchmarks/listing.py                          10,000 sessions, real ones; about a minute
    python benchmarks/listing.py --sessions 2000          fewer, sooner
    python benchmarks/listing.py --root ../before         of another checkout

The sessions are TLS connections of another process, which have authenticated and wait; one of them sends a PING every
few milliseconds. Meanwhile an administrator, on the admin socket, lists everybody again and again: as a program does,
all at once, and as a terminal does, page by page; looks as `top` does; and watches what happens. The figure that counts
is the p99 of those PINGs, less what it is when nobody is there. All loads take turns, so that a machine which others
share disturbs them alike.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":  # started as a file, the checkout is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import ROOT, Child, ChildError
from benchmarks.contestants import Arena, Place, ours
from benchmarks.loads.start import load
from secure_client import Client, streams
from secure_client.core.endpoint import Endpoint
from secure_client.errors import ClientError
from secure_client.terminal.pages import FIRST_ROWS, FOLLOWING_ROWS
from secure_server.reach import ADMIN_SOCKET

PAUSE_SECONDS = 0.002
"""Between two PINGs."""
BOUND_MS = 5.0
"""What a list may add to the p99 of another client's PING."""
FIRST_PAGE_MS = 150.0
"""What a first page may take."""
LOOK_SECONDS = 0.5
"""Between two looks; `top` looks each other second, or half a second at the soonest."""
WATCH_SECONDS, QUIET_SECONDS = 0.5, 0.2
"""For how long events are looked at, and without any."""
NOBODY, FIRST_PAGE = "is not there", "lists a first page"
"""Rows of the table."""


def page_by_page(admin: Client, most: int | None = None) -> int:
    """List everybody as a terminal does; return how many pages there were.

    Args:
        admin: connected.
        most: pages; None all.
    """
    rows = admin.execute("CLIENTS", "--limit", str(FIRST_ROWS))
    pages, wanted = 1, FIRST_ROWS
    while isinstance(rows, list) and len(rows) == wanted and pages != most:
        wanted = FOLLOWING_ROWS
        rows = admin.execute("CLIENTS", "--limit", str(wanted), "--after", str(rows[-1]["id"]))
        pages += 1
    return pages


def look(admin: Client) -> None:
    """Ask what the screen of `top` shows, its clients too; and wait, if not as long as that does."""
    admin.execute("SERVER", "STATS")
    admin.execute("CLIENTS", "--sort", "-commands", "--limit", "50")
    time.sleep(LOOK_SECONDS)


def watch(admin: Client) -> None:
    """Be told what happens for a while, the PINGs among it; or until nothing does."""
    until = time.monotonic() + WATCH_SECONDS
    with suppress(ClientError), admin.stream("SERVER", "WATCH", timeout=QUIET_SECONDS) as events:
        for _event in events:
            if time.monotonic() >= until:
                return


def wait(task: Callable[[], object]) -> float:
    """Return the milliseconds that a task takes."""
    began = time.perf_counter()
    task()
    return (time.perf_counter() - began) * 1000


def pinged(crowd: Child, seconds: float, meanwhile: Callable[[], object] | None) -> tuple[float, float]:
    """Return p50 and p99 of a client's PING in milliseconds, while something is done again and again."""
    ended = threading.Event()

    def go_on() -> None:
        while meanwhile is not None and not ended.is_set():
            meanwhile()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        latencies = json.loads(crowd.ask(f"ping {seconds} {PAUSE_SECONDS}"))
    finally:
        ended.set()
        thread.join()
    cuts = statistics.quantiles(latencies, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def lists_of(admin: Client) -> dict[str, Callable[[], object]]:
    """Return the lists that are asked for, by what is said of them; another checkout may have no pages."""
    whole: dict[str, Callable[[], object]] = {"lists all at once": lambda: admin.execute("CLIENTS")}
    try:
        admin.execute("CLIENTS", "--limit", "1")
    except ClientError:
        return whole
    return whole | {
        "looks as top does": lambda: look(admin),
        "watches what happens": lambda: watch(admin),
        FIRST_PAGE: lambda: page_by_page(admin, 1),
        "lists page by page": lambda: page_by_page(admin),
        "lists all, sorted": lambda: admin.execute("CLIENTS", "--sort", "-idle"),
        "counts those of a filter": lambda: admin.execute("CLIENTS", "idle>1h", "--count"),
    }


def measure(root: Path, sessions: int, seconds: float, rounds: int) -> bool:
    """Measure, and print the medians of the rounds; whether they are within the bounds."""
    with tempfile.TemporaryDirectory(prefix="listing-") as name:
        arena = Arena(Place(Path(name)))
        try:
            server = arena.running(ours("secure-server", f"[limits]\nmax_clients = {sessions + 100}\n", root=root))
            with (
                load(arena, "crowd", server) as crowd,
                Client(Endpoint(path=server.data / ADMIN_SOCKET), reconnect=False) as admin,
            ):
                crowd.ask(f"open {sessions}")
                tasks: dict[str, Callable[[], object] | None] = {NOBODY: None, **lists_of(admin)}
                pings: dict[str, list[tuple[float, float]]] = {what: [] for what in tasks}
                waited: dict[str, list[float]] = {what: [] for what in tasks}
                for _ in range(rounds):
                    for what, task in tasks.items():
                        pings[what].append(pinged(crowd, seconds, task))
                        waited[what].append(wait(task) if task is not None else 0.0)
        finally:
            arena.end()
    return shown(pings, waited)


def shown(pings: dict[str, list[tuple[float, float]]], waited: dict[str, list[float]]) -> bool:
    """Print what was measured, by what an administrator did; whether it is within the bounds."""
    table, good = (
        Table("an administrator", "waits, ms", "meanwhile a PING: p50 ms", "p99 ms", "more than without"),
        True,
    )
    quiet = statistics.median(p99 for _p50, p99 in pings[NOBODY])
    for what, found in pings.items():
        p50, p99 = (statistics.median(values) for values in zip(*found, strict=True))
        waits = statistics.median(waited[what])
        table.add_row(what, f"{waits:.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{p99 - quiet:+.2f}")
        good &= p99 - quiet < BOUND_MS and not (what == FIRST_PAGE and waits > FIRST_PAGE_MS)
    Console(width=120).print(table)
    return good


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sessions", default=10_000, show_default=True, type=click.IntRange(100, 50_000), help="How many.")
@click.option("--seconds", default=1.0, show_default=True, type=click.FloatRange(0.5, 600), help="Of each load.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 1000), help="The medians of them count.")
@click.option(
    "--root", default=ROOT, type=click.Path(path_type=Path, exists=True), help="The checkout whose server it is."
)
def main(sessions: int, seconds: float, rounds: int, root: Path) -> None:
    """Measure what a list of many sessions costs; exit with 1 where it is more than it may be."""
    try:
        good = measure(root.resolve(), sessions, seconds, rounds)
    except ChildError as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    streams.run(main)

"""This checkout's server against another's, interleaved: what a change costs a request.

    git worktree add ../before HEAD~1
    python benchmarks/against.py ../before

Machines that others share change their speed from second to second, more than most changes do; and one process is up to
a tenth slower than another of the same code, by where its memory happens to lie. So the two take turns of a fraction of
a second, each turn has a process of its own, and what counts is the median of the ratios of neighbours.
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

from benchmarks.children import ROOT, ChildError
from benchmarks.contestants import Arena, Place, ours
from benchmarks.measures.echo import FEW, steady
from benchmarks.redis_benchmark import CLIENTS, lacking
from secure_client import streams

BATCHES = 240
"""Requests of each client in a turn, times the depth: about half a second at depth 1."""


PATIENT = '[timeouts]\nauthentication = "60s"\n'
"""redis-benchmark says nothing before all of its clients have shaken hands. On a busy machine the first were ended for
that; it lets go of a client that cannot write, and waits for ever for what that one was to ask."""


def compare(other: Path, depth: int, rounds: int, place: Place, batches: int = BATCHES) -> list[tuple[float, float]]:
    """Measure both by turns, each first in every other round.

    Args:
        other: a checkout.
        depth: requests that each client has under way.
        rounds: turns of each; one more is dropped, for it warms up.
        place: for certificates and data.
        batches: requests of each client in a turn, times the depth.

    Returns:
        For each round the server's CPU a request in µs: the other checkout's, and this one's.
    """
    both = (ours("there", PATIENT, root=other), ours("here", PATIENT, root=ROOT))
    found = []
    for number in range(rounds + 1):
        arena, taken = Arena(place), dict[str, float]()
        try:
            for contestant in both if number % 2 else both[::-1]:
                steady(arena, contestant, FEW * 4 * CLIENTS * depth, depth)  # warms up
                taken[contestant.name] = steady(arena, contestant, batches * CLIENTS * depth, depth)["cpu"]
        finally:
            arena.end()
        found.append((taken["there"], taken["here"]))
    return found[1:]


def ratio(rounds: list[tuple[float, float]]) -> float:
    """Return the median of what this checkout takes, times as much as the other in the same round."""
    return statistics.median(here / there for there, here in rounds if there > 0)


@click.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path))
@click.option("--depth", "depths", multiple=True, type=click.IntRange(1, 1000), default=(1, 16), show_default=True)
@click.option("--rounds", type=click.IntRange(1, 1000), default=30, show_default=True)
def main(other: Path, depths: tuple[int, ...], rounds: int) -> None:
    """Compare this checkout's server with that of the checkout OTHER: CPU a request, interleaved."""
    if not (other / "secure_server").is_dir():
        raise click.UsageError(f"{other} is no checkout of this project: it has no secure_server")
    if why := lacking():
        raise click.ClickException(why)
    table = Table("depth", "there, µs", "here, µs", "here / there", title="server CPU a request, medians")
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Path(directory))
        for depth in depths:
            try:
                found = compare(other, depth, rounds, place)
            except ChildError as error:
                raise click.ClickException(str(error)) from None
            there, here = (statistics.median(column) for column in zip(*found, strict=True))
            table.add_row(str(depth), f"{there:.2f}", f"{here:.2f}", f"{ratio(found):.3f}")
    Console().print(table)


if __name__ == "__main__":
    streams.run(main)

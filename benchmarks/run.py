"""Measure this server beside others, on this machine, in one run.

    python benchmarks/run.py                  everything, thoroughly; see README.md for how long
    python benchmarks/run.py --quick          a first impression
    python benchmarks/run.py --only echo-1 --only idle

Exits with 0 when all was measured, whatever came of it, 1 when something failed, 2 for wrong usage.
"""

from __future__ import annotations

import itertools
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, and measuring this very tree

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.contest import Outcome, Step, run, steps
from benchmarks.contestants import Place
from benchmarks.machine import PROC, describe
from benchmarks.measures import ALL
from benchmarks.measures.measure import Measure
from benchmarks.redis_benchmark import lacking
from benchmarks.report.files import write
from benchmarks.report.terminal import show
from benchmarks.scale import FULL, QUICK, Scale
from secure_client import streams

RESULTS = Path(__file__).resolve().parent / "results"
NAMES = [measure.name for measure in ALL]
TABLE_WIDTH = 120
"""Columns, where stdout is no terminal; one has its own."""


def measured(measures: list[Measure], scale: Scale) -> Outcome:
    """Measure, with a progress bar on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as directory,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        bar, done = progress.add_task("", total=sum(map(len, steps(measures, scale)))), itertools.count()

        def on_step(step: Step) -> None:
            number = f"round {step.round + 1}" if step.round >= 0 else "warm-up"
            description = f"{step.measure.name}, {number}: {step.contestant.name}"
            progress.update(bar, completed=next(done), description=description)

        return run(measures, scale, Place(Path(directory)), on_step)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Fewer rounds, requests and connections: a first impression.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=RESULTS,
    help="Where results.md, results.json and the charts go.  [default: benchmarks/results]",
)
@click.option("--only", multiple=True, type=click.Choice(NAMES), metavar="NAME", help=f"Of {', '.join(NAMES)}.")
def main(*, quick: bool, out: Path, only: tuple[str, ...]) -> None:
    """Measure this server beside redis-server, uvloop, asyncio, and a thread for each connection."""
    if not PROC.joinpath("self/statm").exists():
        raise click.ClickException("this needs Linux: what a server uses is read from /proc")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the servers, too
    click.echo("looking for redis-benchmark", err=True)
    if missing := lacking():
        raise click.ClickException(missing)
    machine = describe()
    outcome = measured([measure for measure in ALL if not only or measure.name in only], QUICK if quick else FULL)
    show(outcome, Console(width=None if sys.stdout.isatty() else TABLE_WIDTH))
    try:
        write(outcome, machine, out)
    except OSError as error:
        raise click.ClickException(f"the report cannot be written to {out}: {error.strerror}") from None
    click.echo(f"written to {out}")
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    streams.run(main)

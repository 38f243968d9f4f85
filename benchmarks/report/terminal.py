"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.contest import Outcome
from benchmarks.report.rows import HEADINGS, TARGET_HEADINGS, blocks, target_row, titles
from benchmarks.targets import verdicts


def show(outcome: Outcome, console: Console) -> None:
    """Print everything."""
    for measure in outcome.measures:
        table = Table(
            *HEADINGS, title=measure.title, title_justify="left", caption=measure.note, caption_justify="left"
        )
        for column in table.columns[1:]:
            column.justify = "right"
        for block in blocks(measure, outcome.figures):
            table.add_section()
            table.add_row(f"[bold]{block.quantity.title}[/]")
            for row in block.rows:
                table.add_row(*row)
        if table.row_count:
            console.print(table)
    table = Table(*TARGET_HEADINGS, title="Targets", title_justify="left")
    for verdict in verdicts(outcome.figures):
        table.add_row(*target_row(verdict, titles(outcome)), style="" if verdict.reached else "yellow")
    if table.row_count:
        console.print(table)
    for name, what in outcome.lacking.items():
        console.print(f"{name}: {what}", markup=False, style="yellow")
    for failure in outcome.failures:
        console.print(f"failed: {failure}", markup=False, style="red")

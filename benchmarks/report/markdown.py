"""The report as a page, with its charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.contest import Outcome
from benchmarks.report.rows import HEADINGS, TARGET_HEADINGS, blocks, target_row, titles
from benchmarks.targets import verdicts


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a `|` in a cell does not end it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def page(outcome: Outcome, machine: Mapping[str, str], charts: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        outcome: what to report.
        machine: what the figures depend on.
        charts: file names, by quantity.
    """
    parts = ["# Results\n", table(("", ""), machine.items())]
    judged = [target_row(verdict, titles(outcome)) for verdict in verdicts(outcome.figures)]
    if judged:
        parts += ["## Targets\n", table(TARGET_HEADINGS, judged)]
    for measure in outcome.measures:
        found = list(blocks(measure, outcome.figures))
        if found:
            parts += [f"## {measure.title}\n", f"{measure.note}\n"]
        for block in found:
            parts.append(table((block.quantity.title, *HEADINGS[1:]), block.rows))
            if block.quantity.name in charts:
                parts.append(f"![{measure.title}: {block.quantity.title}]({charts[block.quantity.name]})\n")
    missing = [f"- {name}: {what}\n" for name, what in outcome.lacking.items()]
    missing += [f"- {failure}\n" for failure in outcome.failures]
    if missing:
        parts += ["## Not measured\n", "".join(missing)]
    return "\n".join(parts)

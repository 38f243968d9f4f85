"""Write a report into a directory: results.md, results.json, and a chart for each quantity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contest import Outcome
from benchmarks.report.chart import bars
from benchmarks.report.markdown import page
from benchmarks.report.rows import base, titles
from benchmarks.targets import verdicts


def write(outcome: Outcome, machine: Mapping[str, str], directory: Path) -> None:
    """Write all files; those of an earlier report are replaced, and its charts are gone.

    Raises:
        OSError: it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("chart-*.svg"):
        old.unlink()
    charts = {}
    for name, title in titles(outcome).items():
        figures = outcome.figures.of(name)
        if len(figures) > 1:
            charts[name] = f"chart-{name.replace('.', '-')}.svg"
            (directory / charts[name]).write_text(bars(title, figures), encoding="utf-8")
    (directory / "results.md").write_text(page(outcome, machine, charts), encoding="utf-8")
    told = json.dumps(as_json(outcome, machine), indent=2, ensure_ascii=False)
    (directory / "results.json").write_text(told + "\n", encoding="utf-8")


def as_json(outcome: Outcome, machine: Mapping[str, str]) -> dict[str, object]:
    """Return everything, each round's values included."""
    figures = [
        {
            "quantity": figure.quantity.name,
            "contestant": figure.contestant,
            "unit": figure.quantity.unit,
            "better": figure.quantity.better.value,
            "median": figure.median,
            "least": figure.spread[0],
            "most": figure.spread[1],
            "ratio": outcome.figures.ratio(
                figure.quantity.name, figure.contestant, base(outcome.figures.of(figure.quantity.name))
            ),
            "values": figure.values,
        }
        for figure in outcome.figures
    ]
    targets = [
        {
            "quantity": verdict.target.quantity,
            "contestant": verdict.target.contestant.name,
            "peer": verdict.target.peer.name,
            "bound": verdict.target.bound.value,
            "factor": verdict.target.factor,
            "ratio": verdict.ratio,
            "reached": verdict.reached,
        }
        for verdict in verdicts(outcome.figures)
    ]
    return {
        "machine": dict(machine),
        "figures": figures,
        "targets": targets,
        "lacking": outcome.lacking,
        "failures": outcome.failures,
    }

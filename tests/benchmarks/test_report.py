"""One outcome as Markdown, JSON, SVG and on the terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console

from benchmarks.contest import Outcome
from benchmarks.report.chart import COLOURS, bars
from benchmarks.report.files import write
from benchmarks.report.markdown import table
from benchmarks.report.terminal import show

SVG = "{http://www.w3.org/2000/svg}"


def test_markdown_has_the_machine_the_targets_the_figures_and_what_is_missing(outcome: Outcome, tmp_path: Path) -> None:
    """The page names its chart, and the chart is there."""
    write(outcome, {"processor": "a | b"}, tmp_path)
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| processor | a \\| b |" in page
    assert "| secure-server | 1,000 | 900 | 3,000 | 1/s | 0.50× |" in page
    assert "| redis-server | at least 0.9× | 0.50× | missed |" in page
    assert "- uvloop: install <it> | now" in page
    assert "- echo-1, asyncio: [it] broke" in page
    assert "(chart-echo-1-rate.svg)" in page
    assert {path.name for path in tmp_path.iterdir()} == {"results.md", "results.json", "chart-echo-1-rate.svg"}


def test_json_has_each_rounds_values(outcome: Outcome, tmp_path: Path) -> None:
    """So that somebody else can compute something else."""
    write(outcome, {}, tmp_path)
    told = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    ours = next(figure for figure in told["figures"] if figure["contestant"] == "secure-server")
    assert (ours["values"], ours["median"], ours["ratio"]) == ([3000.0, 1000.0, 900.0], 1000.0, 0.5)
    assert [(target["ratio"], target["reached"]) for target in told["targets"]] == [(0.5, False)]
    assert told["failures"] == outcome.failures


def test_a_second_report_leaves_no_chart_of_the_first(outcome: Outcome, tmp_path: Path) -> None:
    """A chart of another run beside this one's figures would mislead. Files of others stay."""
    (tmp_path / "chart-old.svg").write_text("old", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    write(outcome, {}, tmp_path)
    assert not (tmp_path / "chart-old.svg").exists()
    assert (tmp_path / "notes.txt").exists()


def test_bars_are_as_long_as_their_medians(outcome: Outcome) -> None:
    """Ours half as long as the other's, in its colour; a title is text, whatever is in it."""
    drawing = ET.fromstring(bars("less < more & <b>", outcome.figures.of("echo-1.rate")))  # noqa: S314 - our own
    colours = {colour: kind for kind, colour in COLOURS.items()}
    lengths = {
        colours[rect.attrib["fill"]]: float(rect.attrib["width"])
        for rect in drawing.iter(f"{SVG}rect")
        if rect.attrib["fill"] in colours
    }
    assert lengths[True] * 2 == lengths[False]
    assert "less < more & <b>" in [text.text for text in drawing.iter(f"{SVG}text")]


def test_a_cell_cannot_end_its_cell() -> None:
    """A `|` is escaped."""
    assert table(("a", "b"), [("x|y", "")]) == "| a | b |\n| --- | --- |\n| x\\|y |  |\n"


def test_the_terminal_shows_the_same(outcome: Outcome) -> None:
    """What is lacking and what failed is not taken for markup."""
    output = io.StringIO()
    show(outcome, Console(file=output, width=160))
    told = output.getvalue()
    for part in ("1,000", "0.50×", "missed", "install <it> | now", "[it] broke"):
        assert part in told

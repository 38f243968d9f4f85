"""The program itself: wrong usage, and one measure from the command line to the report."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.run import main
from benchmarks.scale import QUICK


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    """The program changes what SIGTERM does, and is not alone here."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_wrong_usage_is_2_and_names_what_there_is() -> None:
    """Before anything is started."""
    done = CliRunner().invoke(main, ["--only", "nonsense"])
    assert done.exit_code == 2
    assert "echo-16" in done.stderr


@pytest.mark.skipif(not shutil.which("redis-benchmark"), reason="would be installed, or is missing")
def test_one_measure_ends_in_a_report(tmp_path: Path) -> None:
    """The codecs alone: no server is started."""
    done = CliRunner().invoke(main, ["--quick", "--only", "codec", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "Codecs" in done.stdout
    told = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert {figure["quantity"] for figure in told["figures"]} >= {"codec.resp-1", "codec.text-16"}
    assert len(told["figures"][0]["values"]) == QUICK.rounds

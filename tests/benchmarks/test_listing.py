"""The benchmark of long lists runs, and shows each row that it speaks of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.children import ROOT


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_all_rows_are_measured() -> None:
    """With few sessions and for a moment: what comes of it is no figure, whether it is within bounds no matter."""
    argv = [
        sys.executable,
        str(ROOT / "benchmarks" / "listing.py"),
        "--sessions",
        "100",
        "--seconds",
        "0.5",
        "--rounds",
        "1",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    rows = ("is not there", "lists all at once", "lists a first page", "lists page by page", "lists all, sorted")
    for what in (*rows, "looks as top does", "watches what happens"):
        assert what in done.stdout

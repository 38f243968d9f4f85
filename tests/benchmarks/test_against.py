"""Two checkouts by turns: the arithmetic, wrong usage, and one real round of this checkout against itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.against import compare, main, ratio
from benchmarks.children import ROOT, ChildError
from benchmarks.contestants import Place


def test_the_ratio_is_of_neighbours() -> None:
    """A machine that became twice as slow in the midst of it changes nothing."""
    assert ratio([(10.0, 11.0), (20.0, 22.0), (20.0, 22.0)]) == pytest.approx(1.1)
    assert ratio([(0.0, 5.0), (10.0, 12.0)]) == pytest.approx(1.2), "a turn too short to be seen is no turn"


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    """Before anything is started."""
    done = CliRunner().invoke(main, [str(tmp_path)])
    assert done.exit_code == 2
    assert "no secure_server" in done.stderr


@pytest.mark.long
def test_it_is_the_other_checkout_that_runs(tmp_path: Path, place: Place) -> None:
    """And not that of the directory in which somebody stands."""
    (tmp_path / "secure_server").mkdir()
    (tmp_path / "secure_server" / "__init__.py").write_text("raise SystemExit('it is I')\n", encoding="utf-8")
    with pytest.raises(ChildError, match="it is I"):
        compare(tmp_path, 1, 1, place)


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(not shutil.which("redis-benchmark"), reason="would be installed, or is missing")
def test_both_are_measured_in_each_round(place: Place) -> None:
    """CPU of a process of its own each."""
    found = compare(ROOT, 1, 1, place, batches=40)
    assert len(found) == 1
    assert all(value > 0 for pair in found for value in pair)

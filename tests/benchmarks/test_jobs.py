"""What jobs cost: the program itself, once."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.jobs import main


@pytest.mark.long
def test_it_measures_each() -> None:
    """A row each; the figures are the machine's."""
    done = CliRunner().invoke(main, ["--rounds", "2"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "attach to 1 MiB" in done.stdout
    assert "1000 kept jobs at a start" in done.stdout

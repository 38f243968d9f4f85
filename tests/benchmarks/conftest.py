"""A place for servers, made once, and figures to report."""

from __future__ import annotations

import pytest

from benchmarks.contest import Outcome
from benchmarks.contestants import OURS, REDIS, Place
from benchmarks.figures import Better, Quantity
from benchmarks.measures import ALL

RATE = Quantity("echo-1.rate", "requests", "1/s", Better.HIGHER)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Certificates, and room for servers."""
    return Place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def outcome() -> Outcome:
    """ECHO of two contestants: ours half as fast, though not in the first round. One more is lacking, one failed."""
    made = Outcome(tuple(measure for measure in ALL if measure.name == "echo-1"))
    for ours, theirs in ((3000.0, 2000.0), (1000.0, 2000.0), (900.0, 2100.0)):
        made.figures.add(RATE, OURS.name, ours)
        made.figures.add(RATE, REDIS.name, theirs)
    made.lacking["uvloop"] = "install <it> | now"
    made.failures.append("echo-1, asyncio: [it] broke")
    return made


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """These are about the benchmarks; how our programs run is measured in their own tests."""

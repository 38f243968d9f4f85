"""A desk at which a test decides about jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_server.config.jobs import Jobs as Settings
from tests.secure_server.host import Host
from tests.secure_server.jobs.desk import Desk

MakeDesk = Callable[..., Desk]
"""`make_desk(threads=1, keep=3)`: settings of `[jobs]`, and how many may run."""


@pytest.fixture
def make_desk(host: Host, tmp_path: Path) -> Iterator[MakeDesk]:
    """Make desks; all end with the test."""
    with ExitStack() as made:

        def make(threads: int = 4, **settings: object) -> Desk:
            desk = Desk(host, tmp_path, threads, Settings(**settings))  # type: ignore[arg-type] # each test's own
            made.callback(desk.close)
            return desk

        yield make


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    """One with the defaults."""
    return make_desk()

"""A host for sessions, made in as many configurations as a test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_server.config.file import load
from tests.secure_server.host import Host

MakeHost = Callable[..., Host]
"""`make_host(limits={"max_clients": 1}, …)`: tables and keys as in the configuration file."""


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[MakeHost]:
    """Make hosts with limits of their own; all end with the test."""
    with ExitStack() as running:
        yield lambda **overrides: running.enter_context(Host(tmp_path, load(None, overrides)))


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host with the defaults."""
    return make_host()

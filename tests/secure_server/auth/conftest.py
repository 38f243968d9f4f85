"""A token database of its own for each test, and a clock that moves when told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens


class Clock:
    """Unix seconds that stand still."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time, as the code under test asks for it."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time of a test."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database goes; its directory does not exist yet."""
    return tmp_path / "data" / "tokens.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteTokenStorage]:
    """An empty database, open."""
    with SQLiteTokenStorage(path) as opened:
        yield opened


@pytest.fixture
def tokens(storage: SQLiteTokenStorage, clock: Clock) -> Tokens:
    """The service on that database, at the test's time."""
    return Tokens(storage, clock)


@pytest.fixture
def elsewhere(path: Path, storage: SQLiteTokenStorage, clock: Clock) -> Iterator[Tokens]:
    """The service on another connection, as another process has it."""
    with SQLiteTokenStorage(path) as other:
        yield Tokens(other, clock)

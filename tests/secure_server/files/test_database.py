"""Databases that another process has aside for the moment of a close: they are waited for, and never made anew."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from secure_server.files import database

PATIENCE = 10.0


def blank() -> bytes:
    """Return a database in which nothing is but a table."""
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute("CREATE TABLE new (at TEXT)")
        return made.serialize()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that knows what it was."""
    path = tmp_path / "some.db"
    database.make(path, blank)
    with closing(database.connected(path, PATIENCE)) as db:
        db.execute("CREATE TABLE kept (at TEXT)")
    return path


def kept(path: Path) -> bool:
    """Whether it is the one that was there."""
    with closing(database.connected(path, PATIENCE)) as db:
        return ("kept",) in db.execute("SELECT name FROM sqlite_master").fetchall()


LOOKS: list[Callable[[Path], object]] = [
    lambda path: database.make(path, blank),
    kept,
    lambda path: database.image(path, PATIENCE),
]


@pytest.mark.parametrize("look", LOOKS, ids=["make", "connect", "copy"])
def test_one_that_is_aside_is_waited_for(
    path: Path, look: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks for it meanwhile finds the one that was there."""
    waits = threading.Event()

    def sleep(seconds: float) -> None:
        waits.set()
        time.sleep(seconds)

    monkeypatch.setattr(database, "ASIDE_SECONDS", PATIENCE)
    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    with ThreadPoolExecutor(1) as pool:
        with database.aside(path):
            looked = pool.submit(look, path)
            assert waits.wait(PATIENCE)
            assert not path.exists()
        looked.result(PATIENCE)
    assert kept(path)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("look", LOOKS, ids=["make", "connect", "copy"])
def test_one_whose_mover_was_killed_is_put_back(
    path: Path, look: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next who looks for it."""
    monkeypatch.setattr(database, "ASIDE_SECONDS", 0.01)
    killed = database.aside(path)
    killed.__enter__()
    assert not path.exists()
    look(path)
    assert kept(path)
    killed.__exit__(None, None, None)  # it was only stopped: nothing is there for it to put back
    assert kept(path)


def test_what_stands_in_its_place_stays(path: Path) -> None:
    """Nothing is written over, and nothing lost."""
    with database.aside(path):
        path.write_bytes(blank())
    assert not kept(path)
    assert len(list(path.parent.iterdir())) == 2


def test_one_that_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody has it aside."""
    with pytest.raises(FileNotFoundError):
        database.status(tmp_path / "none.db")

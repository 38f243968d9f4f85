"""The server as a whole: what it leaves behind when it cannot be made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from secure_server import server as server_module
from secure_server.auth.errors import StorageError
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.config.file import load
from secure_server.dispatch.workers import Workers
from secure_server.server import DATABASE, Server


def test_a_database_that_cannot_be_read_is_closed_again(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever starts a server from Python can mend the file and try again; no connection waits for the collector."""
    with SQLiteTokenStorage(tmp_path / DATABASE) as storage:
        Tokens(storage).create("ada", Role.USER)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("UPDATE tokens SET role = 'emperor'")
    opened: list[sqlite3.Connection] = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def remember(path: Path, **options: object) -> sqlite3.Connection:
        opened.append(connect(path, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remember)
    with pytest.raises(StorageError, match="makes no sense"):
        Server(load(None, {"certs_dir": str(certificates), "data_dir": str(tmp_path)}))
    assert len(opened) == 2
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


@pytest.mark.parametrize(("spare", "administrators"), [(0, 0), (3, 3), (64, 8)])
def test_no_more_programs_run_than_there_are_descriptors_for(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare: int, administrators: int
) -> None:
    """`limits/descriptors.py` counts the threads that stand in twice, for the workers and for the administrators'."""
    made: list[int] = []

    class Noted(Workers):
        def __init__(self, count: int, waiting: int, spare: int) -> None:
            super().__init__(count, waiting, spare)
            made.append(spare)

    monkeypatch.setattr(server_module, "Workers", Noted)
    config = {"certs_dir": str(certificates), "data_dir": str(tmp_path / "data"), "listen": {"port": 0}}
    server = Server(load(None, config | {"threads": {"spare": spare}}))
    server.start()
    server.stop()
    assert made == [spare, administrators]

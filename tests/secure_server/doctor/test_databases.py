"""What is found in the databases."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.config.file import load
from secure_server.doctor import databases
from secure_server.doctor.databases import DATABASES
from secure_server.doctor.files import Place
from secure_server.doctor.finding import examine
from secure_server.files.owner import as_itself


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A data directory in which nothing is yet."""
    return Place(load(None, {"data_dir": str(tmp_path)}), datetime.now(UTC), as_itself)


def told(place: Place) -> list[tuple[str, str]]:
    """What is found, in short."""
    return [(str(item.severity), str(item.sentence)) for item in examine(DATABASES, place)]


def test_that_there_are_no_tokens_is_noted(place: Place) -> None:
    """Looking makes no database."""
    assert told(place) == [("note", "There are no tokens, so nobody can log in.")]
    assert list(place.data.iterdir()) == []


def test_tokens_that_end_soon_are_found_unless_they_were_replaced(place: Place) -> None:
    """Whoever has another already needs no reminder; what has ended is counted."""
    day = 86400
    with SQLiteTokenStorage(place.data / "tokens.db") as storage:
        tokens = Tokens(storage)
        tokens.create("ana", Role.USER, 3 * day)
        tokens.create("bob", Role.USER, 30 * day)
        tokens.create("eve", Role.USER)
        tokens.create("ivo", Role.USER)
        tokens.rotate("ivo", 3 * day)
        assert [severity for severity, _ in told(place)] == ["warning"]
        assert told(place)[0][1].startswith("Tokens end within a week: ana (")
        assert "ivo" not in told(place)[0][1]
        tokens.revoke("ana")
        assert told(place) == [("note", "Tokens that have ended are kept: 1.")]


def test_a_damaged_database_is_found(place: Place) -> None:
    """By SQLite's own look, within bounds."""
    with closing(sqlite3.connect(place.data / "jobs.db")) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("y" * 2000,)] * 20)
        db.commit()
    path = place.data / "jobs.db"
    assert [item for item in told(place) if "jobs.db" in item[1]] == []
    data = bytearray(path.read_bytes())
    data[5000:9000] = b"\xff" * 4000
    path.write_bytes(data)
    ((severity, sentence),) = [item for item in told(place) if "jobs.db" in item[1]]
    assert severity == "error"
    assert sentence.startswith(f"{path} is damaged: ")
    path.write_bytes(b"")
    assert f"{path} is damaged: {path} is empty." in [item[1] for item in told(place)]


def test_a_look_that_takes_too_long_is_given_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says nothing: nobody knows."""
    with closing(sqlite3.connect(place.data / "jobs.db")) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [("y" * 2000,)] * 200)
        db.commit()
    monkeypatch.setattr(databases, "LOOK_SECONDS", -1.0)
    monkeypatch.setattr(databases, "STEPS", 1)
    assert [item for item in told(place) if "jobs.db" in item[1]] == []


def test_a_token_database_that_is_none_is_found(place: Place) -> None:
    """As whoever uses it says it."""
    (place.data / "tokens.db").write_bytes(b"no database" * 1000)
    assert {severity for severity, _ in told(place)} == {"error"}
    assert any("is not a token database or is damaged" in sentence for _, sentence in told(place))

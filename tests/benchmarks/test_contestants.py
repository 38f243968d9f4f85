"""Each contestant starts, answers as it should over TLS, can be loaded, and is gone afterwards."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path

import pytest

from benchmarks.children import ChildError
from benchmarks.contestants import ASYNCIO, EVERYBODY, OURS, Arena, Contestant, Place, peer, write_tokens
from benchmarks.loads.connection import Connection, LoadError
from benchmarks.loads.start import load
from secure_server.auth.sqlite.storage import SQLiteTokenStorage


@pytest.mark.parametrize("contestant", EVERYBODY, ids=lambda contestant: contestant.name)
def test_a_contestant_answers_echo_over_tls_to_those_who_authenticate(contestant: Contestant, place: Place) -> None:
    """A wrong password and a stranger's ECHO are refused; and it is gone with the block."""
    if lacking := contestant.lacking():
        pytest.skip(lacking)
    with contestant.start(place) as server:
        context = ssl.create_default_context(cafile=str(server.ca))
        with Connection(server.port, context) as connection:
            with pytest.raises(LoadError, match="NOAUTH"):
                connection.ask("ECHO", "hello")
            with pytest.raises(LoadError, match="WRONGPASS"):
                connection.authenticate("wrong")
            connection.authenticate(server.secret)
            assert connection.ask("ECHO", "hello") == "hello"
            assert connection.ask("PING") == "PONG"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_server_that_does_not_start_is_an_error_that_says_why(place: Place) -> None:
    """With the last words of the program."""
    with pytest.raises(ChildError, match=r"broken ended: .*No module named"), peer("broken", "no_such").start(place):
        pass


def test_loads_do_as_they_are_told(place: Place) -> None:
    """A crowd opens, keeps its pace and pings; logins come and go."""
    arena = Arena(place)
    try:
        server = arena.running(ASYNCIO)
        assert arena.running(ASYNCIO) is server
        with load(arena, "crowd", server) as crowd:
            assert crowd.ask("open 3") == "3"
            assert crowd.ask("open 5") == "5"
            assert 0 < int(crowd.ask("pace 1000 0.05")) <= 50
            assert all(latency > 0 for latency in json.loads(crowd.ask("ping 0.01 0")))
        with load(arena, "logins", server, "bearer", "2") as logins:
            assert json.loads(logins.ask("go 0"))[0] == 2
    finally:
        arena.end()


def test_logins_by_scram_are_mutual(place: Place) -> None:
    """Against the real server, which alone has it."""
    arena = Arena(place)
    try:
        with load(arena, "logins", arena.running(OURS), "scram", "1") as logins:
            assert json.loads(logins.ask("go 0"))[0] == 1
    finally:
        arena.end()


def test_many_tokens_are_tokens(tmp_path: Path) -> None:
    """The server reads all of them, and the one that is returned is good."""
    token = write_tokens(tmp_path / "tokens.db", 100)
    with SQLiteTokenStorage(tmp_path / "tokens.db") as storage:
        records = storage.load_all()
    assert len(records) == 100
    assert token.id in {record.id for record in records}

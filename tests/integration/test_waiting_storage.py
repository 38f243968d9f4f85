"""A login that spends its token while another program keeps the database locked."""

from __future__ import annotations

import random
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply
from secure_server.auth.principal import TokenUse
from secure_server.auth.sqlite import storage as sqlite_storage
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.program import Program
from tests.integration.running import Running, connect, eventually

AUTHENTICATION = 0.3
"""Seconds for authenticating, here."""


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Keep the write lock of the database, as another program would."""
    db = sqlite3.connect(data / DATABASE, isolation_level=None, check_same_thread=False)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
    finally:
        db.close()


def once(data: Path, name: str = "ci") -> str:
    """Make a token for one login."""
    with SQLiteTokenStorage(data / DATABASE) as storage:
        return Tokens(storage).create(name, use=TokenUse.ONCE).reveal()


def spent(data: Path, name: str = "ci") -> bool:
    """Whether it had its login."""
    with SQLiteTokenStorage(data / DATABASE) as storage:
        (record,) = storage.find(name)
    return record.spent is not None


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server that waits for a credential only shortly, and lets everybody try again."""
    return server(
        timeouts={"authentication": f"{AUTHENTICATION * 1000:.0f}ms", "drain": "1s", "linger": "500ms"},
        penalties={"exempt": ["127.0.0.0/8"]},
    )


@pytest.fixture
def token(running: Running) -> str:
    """For one login."""
    made = once(running.data)
    running.server._entrance.watch.step()
    return made


def waiting(running: Running) -> bool:
    """Whether a login waits for the storage."""
    return any(session.busy for session in running.server.sessions)


def test_a_login_outlasts_its_deadline_while_the_storage_waits(running: Running, token: str) -> None:
    """The deadline is for the peer; the disk's time is not its own."""
    with running.resp(None) as peer:
        with locked(running.data):
            peer.request("HELLO", "3", "AUTH", "ci", token)
            eventually(lambda: waiting(running))
            over = time.monotonic() + 3 * AUTHENTICATION
            eventually(lambda: time.monotonic() > over)
            assert waiting(running)
        welcome = peer.reply()
        assert isinstance(welcome, dict)
        assert welcome["user"] == "ci"
        assert peer.ask("PING") == "PONG"
    assert spent(running.data)


def vanish(peer: RespPeer) -> None:
    """End with a reset."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


@pytest.mark.parametrize("leave", [RespPeer.leave, RespPeer.close, vanish], ids=["orderly", "closed", "reset"])
def test_a_token_is_good_again_when_its_peer_left_meanwhile(
    running: Running, token: str, leave: Callable[[RespPeer], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody got in, so it lets somebody in later: once."""
    with locked(running.data):
        peer = running.resp(None)
        peer.request("AUTH", token)
        eventually(lambda: waiting(running))
        leave_quickly(peer, leave)
        eventually(lambda: not len(running.server.sessions))
    assert "was refused" not in caplog.text, "its end was noticed only when the lock had been waited for in vain"
    until_let_in(running, token)
    assert spent(running.data)
    with running.resp(None) as other:
        assert isinstance(other.ask("AUTH", token), ErrorReply)


def leave_quickly(peer: RespPeer, leave: Callable[[RespPeer], None]) -> None:
    """Leave, and wait for no answer to that."""
    peer.socket.settimeout(0.2)
    with suppress(OSError, ssl.SSLError):
        leave(peer)


def until_let_in(running: Running, token: str) -> None:
    """Try until the token is taken."""

    def let_in() -> bool:
        with running.resp(None) as peer:
            return peer.ask("AUTH", token) == "OK"

    eventually(let_in)


def test_a_token_is_good_again_when_its_session_was_closed_meanwhile(running: Running, token: str) -> None:
    """By an administrator, or by a drain."""
    with running.resp(None) as peer:
        with locked(running.data):
            peer.request("AUTH", token)
            eventually(lambda: waiting(running))
            running.server.sessions.close(lambda _: True, CloseReason.KICKED)
            peer.rest()
        until_let_in(running, token)


def test_a_lock_that_stays_refuses_the_login_and_spends_nothing(
    running: Running, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in one sentence, without a penalty, and the same connection may try again."""
    monkeypatch.setattr(sqlite_storage, "BUSY_TIMEOUT", 0.1)
    with running.resp(None) as peer:
        with locked(running.data):
            answer = peer.ask("AUTH", token)
            assert isinstance(answer, ErrorReply)
            assert answer.code == "UNAVAILABLE"
            assert "your token was not spent" in answer.text
        assert peer.ask("AUTH", token) == "OK"


def test_revocations_and_expiries_act_while_logins_wait(running: Running, token: str) -> None:
    """The watch has a connection to the database of its own, and waits for no lock."""
    other = running.new_token("other", lifetime=1.0)
    with running.text(other.reveal()) as live, running.resp(None) as peer, locked(running.data):
        peer.request("AUTH", token)
        eventually(lambda: waiting(running))
        assert "reason=expired" in live.rest()[0]
        assert waiting(running)


@pytest.mark.long
def test_no_crash_makes_a_spent_token_good_again(certificates: Path, tmp_path: Path) -> None:
    """Killed at any moment of a login, or of taking back what was spent for a peer that had left.

    Whoever saw OK has spent it; then nobody gets in with it any more.
    """
    data, chance = tmp_path / "data", random.Random(13)  # noqa: S311 - moments to kill at, not secrets
    let_in = 0
    for number in range(24):
        made = once(data, f"n{number}")
        with Program(certificates, data) as program:
            peer = RespPeer(connect(program.port, certificates / "ca.pem"))
            with locked(data):
                peer.request("AUTH", made)
                if number % 3 == 2:
                    peer.close()
            kill = threading.Timer(chance.uniform(0, 0.03), program.process.kill)
            kill.start()
            answered = False
            if number % 3 != 2:
                with suppress(EOFError, OSError):
                    answered = peer.reply() == "OK"
            kill.join()
            peer.close()
            program.process.wait(PATIENCE_SECONDS)
        let_in += answered
        assert not answered or spent(data, f"n{number}")
    assert let_in, "no login was ever quicker than the kill"
    with Program(certificates, data) as program, SQLiteTokenStorage(data / DATABASE) as storage:
        assert program.port
        states = {record.name: record.spent is not None for record in storage.load_all()}
    assert len(states) == 24

"""Bans and kicks with a way back, over real TLS: from the first word to the client that comes again."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secure_client import Client, EndedByServerError, State
from secure_client.errors import BannedError
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.limits.ban_file import BANS
from secure_server.server import DATABASE
from secure_server.starting import StartError
from tests.conftest import ServerFactory
from tests.integration.peers import TextPeer
from tests.integration.running import ELSEWHERE, Running, connect_from, eventually, logged, tcp_from
from tests.integration.test_admin_shell import admin
from tests.terminal.screen import Screen


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose history is this test's own."""
    return {"SECURE_CLIENT_HOME": str(tmp_path / "home")}


def client(running: Running, token: str = "") -> Client:
    """Our own, as the user unless told."""
    return Client(f"localhost:{running.port}", token=token or running.token(), ca=running.ca)


def chief(running: Running) -> TextPeer:
    """An administrator, by TLS."""
    return running.text(running.token(Role.ADMIN))


def test_a_kicked_client_comes_back_when_it_was_told_to(server: ServerFactory) -> None:
    """By itself, and no sooner; without a word of that it stays away, as ever."""
    running = server()
    with client(running) as user, chief(running) as boss:
        assert user.execute("PING") == "PONG"
        began = time.monotonic()
        assert boss.ask("KICK user=user --retry-after 1s --reason tea").startswith("Kicked clients: 1: ")
        eventually(lambda: user.status.state is State.WAITING)
        error = user.status.error
        assert isinstance(error, EndedByServerError)
        assert (error.reason, error.retry_after) == ("kicked", 1.0)
        assert user.execute("PING") == "PONG"
        assert time.monotonic() - began >= 1.0
        boss.ask("KICK user=user")
        eventually(lambda: user.status.state is State.STOPPED)


def test_a_ban_ends_sessions_within_a_second_and_keeps_the_user_out(server: ServerFactory) -> None:
    """On each way of showing a token, an enrolment line's too; until it is taken back, also over a restart."""
    running = server()
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        line = Tokens(storage).create("user-2", Role.USER, 600.0, None, use=TokenUse.ENROLMENT)
    running.new_token("late")
    with running.text() as text, client(running) as user, chief(running) as boss:
        user.execute("PING")
        began = time.monotonic()
        assert boss.ask('BAN ADD user=user --reason "too loud"').endswith("sessions ended: 2.")
        assert text.line() == "ERROR: CLOSED reason=banned You are banned: too loud"
        eventually(lambda: user.status.state is State.STOPPED)
        assert time.monotonic() - began < 1.0
        assert isinstance(user.status.error, BannedError)
        boss.ask("BAN ADD user=user-2")
    running.restart()
    for _ in range(2):
        with pytest.raises(BannedError, match=r"keeps you out \(You are banned: too loud\)") as caught:
            client(running).connect()  # by the mutual handshake
        assert caught.value.exit_code == 4
        with running.text(None) as stranger:
            assert stranger.ask(f"AUTH {running.token()}") == "ERROR: BANNED You are banned: too loud"
            assert stranger.rest() == []
    with running.text(None) as stranger:
        assert stranger.ask(f"AUTH {line.reveal()}") == "ERROR: BANNED You are banned."
    logged(running, "authentication .*banned ban=1 token=")
    with chief(running) as boss:
        assert boss.ask("BAN REMOVE user=user") == "Not banned any more: user=user."
    with client(running) as user:
        assert user.execute("PING") == "PONG"


def test_an_address_is_let_go_before_the_handshake(server: ServerFactory) -> None:
    """Without a place or a byte of TLS; the log says by which ban, and others come in."""
    running = server()
    with TextPeer(connect_from(ELSEWHERE, running)) as there, chief(running) as boss:
        assert there.ask("PING").startswith("ERROR: NOAUTH ")
        boss.ask(f"BAN ADD address={ELSEWHERE} --for 1h")
        assert there.line().startswith("ERROR: CLOSED reason=banned retry-after=3")
    with tcp_from(ELSEWHERE, running.port) as sock, contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""
    logged(running, f"{ELSEWHERE}.*banned.*ban=1")
    assert running.server.sessions.strangers == 0
    with running.text() as peer:
        assert peer.ask("PING") == "PONG"


def test_the_admin_socket_is_touched_by_none(server: ServerFactory) -> None:
    """Whoever banned everybody can take it back there."""
    running = server()
    with chief(running) as boss:
        assert boss.ask("BAN ADD network=0.0.0.0/0").startswith("ERROR: That would ban you, too; with --yes")
        assert boss.ask("BAN ADD network=0.0.0.0/0 --yes").startswith("Banned for good")
        assert boss.line() == "ERROR: CLOSED reason=banned You are banned."
    done = run(running, "BAN REMOVE 1", "SERVER WHY 127.0.0.1")
    assert done.stdout.splitlines() == [
        "Not banned any more: network=0.0.0.0/0.",
        "Nothing keeps 127.0.0.1 out.",
    ]


def test_a_damaged_file_keeps_the_server_from_starting(server: ServerFactory) -> None:
    """Nobody who was banned is let in without a word."""
    running = server()
    running.stop()
    (running.data / BANS).write_bytes(b'{"last": 1, "ba')
    with pytest.raises(StartError, match=r"The bans in .* cannot be used: it is damaged"):
        running._make()


def run(running: Running, *commands: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run commands on the admin socket, without a terminal."""
    words = [word for command in commands for word in ("-c", command)]
    argv = [*admin(running.data), *options, *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})


@pytest.mark.usefixtures("unmeasured")
def test_without_a_terminal_a_filter_takes_yes(server: ServerFactory) -> None:
    """A number needs none; JSON says why nothing was sent."""
    running = server()
    with running.text() as peer, running.text() as other:
        refused = run(running, "KICK user=user", options=("--json",))
        assert refused.returncode == 2
        assert "There is no terminal to answer on" in json.loads(refused.stdout)["error"]
        number = next(session.number for session in running.server.sessions if session.role is Role.USER)
        assert run(running, f"KICK {number} bye").stdout.startswith(f"Kicked client {number} ")
        assert peer.line() == "ERROR: CLOSED reason=kicked bye"
        assert run(running, "KICK user=user", options=("--yes",)).stdout.startswith("Kicked clients: 1: ")
        assert other.line().startswith("ERROR: CLOSED reason=kicked")
        nobody = run(running, "KICK user=user --yes")
        assert nobody.returncode == 1
        assert "No other client matches the filter" in nobody.stderr


def test_the_shell_shows_whom_and_kicks_those(server: ServerFactory, home: dict[str, str]) -> None:
    """Whoever came after the question stays."""
    running = server()
    with running.text() as peer, Screen(admin(running.data), home) as screen:
        screen.wait("admin>")
        screen.type("kick user=user --reason tea\r")
        screen.wait("[y/N]")
        assert any(line.split()[1:3] == ["user", "user"] for line in screen.lines)
        with running.text() as late:
            screen.type("y\r")
            screen.wait("Kicked clients: 1:")
            assert peer.line() == "ERROR: CLOSED reason=kicked tea"
            assert late.ask("PING") == "PONG"


def test_a_client_with_an_admins_token_does_the_same(
    server: ServerFactory,
    home: dict[str, str],
    tmp_path: Path,
) -> None:
    """It is all in what the command says of itself; a kicked one is told when it comes back."""
    running = server()
    argv = [sys.executable, "-m", "secure_client", f"localhost:{running.port}", "--ca", str(running.ca)]
    boss = {**home, "SECURE_CLIENT_TOKEN": running.token(Role.ADMIN)}
    user = {"SECURE_CLIENT_HOME": str(tmp_path / "theirs"), "SECURE_CLIENT_TOKEN": running.token()}
    with Screen(argv, boss) as screen, Screen(argv, user) as theirs:
        theirs.wait("secure>")
        screen.wait("secure>")
        theirs.wait("connected")
        screen.wait("connected")
        screen.type("KICK user=user --retry-after 5m\r")
        screen.wait("[y/N]")
        screen.type("y\r")
        screen.wait("Kicked clients: 1:")
        theirs.wait("Connecting again in 5 min")

"""A server that is drained and taken into use again, and one that an administrator shuts down."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from secure_client import Client
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import Program, arguments
from tests.integration.running import Running, eventually
from tests.terminal.screen import Screen

OVER = "The drain is over: everybody may come in again."


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server()


def admin(data: Path, *commands: str) -> list[str]:
    """The command line that sends commands by the admin socket, and asks nobody."""
    given = [word for command in commands for word in ("-c", command)]
    return [sys.executable, "-m", "secure_server", "admin", "--data-dir", str(data), "--yes", *given]


def test_newcomers_are_told_and_administrators_come_in(running: Running) -> None:
    """By TLS, in the middle of a drain; once it is taken back, so does everybody."""
    with running.text() as user, running.text(running.token(Role.ADMIN)) as root:
        assert root.ask("SERVER DRAIN --retry-after 9s").startswith("Draining: ")
        assert user.line().startswith("ERROR: CLOSED reason=draining retry-after=9 ")
        with running.text(None) as newcomer:
            answer = newcomer.ask(f"AUTH {running.token()}")
            assert answer.startswith("ERROR: DRAINING ")
            assert answer.endswith("retry-after=9")
            assert newcomer.line().startswith("ERROR: CLOSED reason=draining retry-after=9 ")
        with running.text(running.token(Role.ADMIN)) as another:
            assert another.ask("SERVER DRAIN --cancel") == OVER
        with running.text() as back:
            assert back.ask("PING") == "PONG"


@pytest.mark.skipif(sys.platform == "win32", reason="runs a program of POSIX")
def test_the_time_is_kept_though_nobody_looks(server: ServerFactory) -> None:
    """A command that runs on is left behind when the time is up."""
    running = server(commands={"REST": {"run": ["sleep", "600"], "timeout": "20m"}})
    with running.text(running.token(Role.ADMIN)) as root, running.text() as waits:
        waits.send(b"REST\n")
        eventually(lambda: any(session.busy for session in running.server.sessions))
        root.ask("SERVER DRAIN --within 300ms")
        assert running.server.draining.left == 1
        assert waits.line().startswith("ERROR: CLOSED reason=draining retry-after=10 ")


def test_a_bundled_client_comes_back_when_it_was_told_to(running: Running) -> None:
    """By itself, after the drain, and with what it asks for meanwhile answered then."""
    with (
        Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client,
        running.text(running.token(Role.ADMIN)) as root,
    ):
        assert client.execute("PING") == "PONG"
        began = time.monotonic()
        root.ask("SERVER DRAIN --retry-after 1s")
        eventually(lambda: running.server.sessions.clients == 1)
        root.ask("SERVER DRAIN --cancel")
        assert client.execute("PING", timeout=PATIENCE_SECONDS) == "PONG"
        assert time.monotonic() - began >= 1


def test_an_embedded_server_is_not_ended_by_a_command(running: Running) -> None:
    """Nobody would: it says so, and what there is instead."""
    with running.text(running.token(Role.ADMIN)) as root:
        assert root.ask("SERVER SHUTDOWN") == (
            "ERROR: This server runs inside another program, which alone can end it; "
            "SERVER DRAIN has its clients leave."
        )
        assert root.ask("PING") == "PONG"


@pytest.mark.usefixtures("unmeasured")
def test_a_shutdown_ends_the_process_in_order(certificates: Path, tmp_path: Path) -> None:
    """It is answered, and the exit code is 0, as by SIGTERM; the trail says who it was."""
    data = tmp_path / "data"
    with Program(certificates, data) as program:
        told = subprocess.run(admin(data, "SERVER SHUTDOWN --within 5s"), capture_output=True, text=True, timeout=60)  # noqa: PLW1510 - its exit code is the server's doing
        assert told.stdout == "The server shuts down: it drains, and then ends.\n"
        assert program.process.wait(PATIENCE_SECONDS) == 0
        assert "stopping …" in program.stderr()
        assert "Traceback" not in program.stderr()
    trail = next(data.glob("audit-*.jsonl")).read_text(encoding="utf-8")
    assert '"SERVER SHUTDOWN"' in trail
    assert '"stopped"' in trail


def test_a_shutdown_from_the_server_s_own_shell_ends_both(certificates: Path, tmp_path: Path) -> None:
    """The shell is left as by SIGTERM, after the question."""
    home = {"SECURE_CLIENT_HOME": str(tmp_path / "home")}
    with Screen([*arguments(certificates, tmp_path / "data"), "--shell"], home, columns=120) as screen:
        screen.wait("admin>")
        screen.type("server shutdown\r")
        screen.wait("Shut")
        screen.type("y\r")
        screen.wait("stopping …")
        assert screen.ended() == 0


@pytest.mark.usefixtures("unmeasured")
def test_a_server_that_drains_is_shut_down_by_a_signal_all_the_same(certificates: Path, tmp_path: Path) -> None:
    """What a drain began, the end goes on with."""
    data = tmp_path / "data"
    with Program(certificates, data) as program:
        subprocess.run(admin(data, "SERVER DRAIN --within 1h"), capture_output=True, timeout=60, check=True)
        program.terminate()
        assert program.process.wait(PATIENCE_SECONDS) == 0

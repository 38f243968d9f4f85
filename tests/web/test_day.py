"""The page's client at a real server, without a browser: what it is told over a real WebSocket."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration import job_commands, slow_commands
from tests.integration.job_commands import Steer
from tests.integration.running import Running
from tests.integration.slow_commands import Seen
from tests.web.test_javascript import modules

__all__ = ["modules"]
SECONDS = 60.0
"""For all of it, which takes about two."""


@pytest.mark.usefixtures("unmeasured")
def test_a_day(server: ServerFactory, modules: Path) -> None:
    """It signs in, streams, follows a job over a kick, comes back after a restart, and is gone when it is revoked."""
    Seen.forget()
    Steer.forget()
    running = server(web={"enabled": True})
    for commands in (slow_commands, job_commands):
        running.server.registry.load([commands])
    environment = {**os.environ, "PORT": str(running.port), "NODE_EXTRA_CA_CERTS": str(running.ca)}
    environment |= {"TOKEN": running.token(), "WRONG": Token.generate().reveal()}
    argv = ["node", "--experimental-websocket", "--no-warnings", "tests/web/day.js"]
    with subprocess.Popen(
        argv,
        cwd=modules, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as program:  # fmt: skip
        patience = threading.Timer(SECONDS, program.kill)
        patience.start()
        try:
            _told(program, "job")
            _kick(running)
            Steer.go.release()
            _go_on(program)
            _told(program, "back")
            Steer.go.release(3)
            _go_on(program)
            _told(program, "held")
            assert Seen.started.wait(SECONDS)
            _kick(running)
            Seen.released.set()
            _go_on(program)
            _told(program, "here")
            running.restart()
            _go_on(program)
            _told(program, "listening")
            with running.resp(running.token(Role.ADMIN)) as admin:
                admin.ask("BROADCAST", "Lunch.")
                admin.ask("TOKEN", "REVOKE", "user")
            _go_on(program)
            _told(program, "over")
        finally:
            patience.cancel()
            program.kill()


def _kick(running: Running) -> None:
    """Close the client's connections, and tell it when to come back."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        assert "user" in str(admin.ask("KICK", "user=user", "--retry-after", "1s"))


def _told(program: subprocess.Popen[str], word: str) -> None:
    """Wait for a word of the program; what it says instead is what is wrong with it."""
    assert program.stdout is not None
    line = program.stdout.readline()
    if line != f"{word}\n":
        pytest.fail(f"instead of {word}: {line}{program.communicate(timeout=SECONDS)[0]}")


def _go_on(program: subprocess.Popen[str]) -> None:
    """Let the program go on."""
    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()

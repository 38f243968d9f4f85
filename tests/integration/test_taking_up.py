"""What a program changed in the token database holds in the running server when the program ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_protocol.replies import ErrorReply
from secure_server.admin import live
from secure_server.auth.principal import TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_watch import TokenWatch
from secure_server.auth.tokens import Tokens
from secure_server.cli import client_certificates
from secure_server.cli.certs import certs
from secure_server.cli.token import token
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.program import Program
from tests.integration.running import Running, eventually

if sys.platform == "win32":
    pytest.skip("there are no Unix sockets here", allow_module_level=True)

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")

NEVER = 3600.0
UNCONFIRMED = "nobody confirmed"


@pytest.fixture
def running(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server that looks for changes by others only when it is told to."""
    at_once = TokenWatch.__init__
    monkeypatch.setattr(at_once, "__defaults__", (NEVER, *(at_once.__defaults__ or ())[1:]))
    return server()


def run(data: Path, *arguments: str) -> Result:
    """Run `token ARGUMENTS --data-dir DATA` in this process."""
    return CliRunner().invoke(token, [*arguments, "--data-dir", str(data)])


def lets_in(running: Running, shown: str) -> bool:
    """Whether the server takes a token now."""
    with running.resp(None) as peer:
        return not isinstance(peer.ask("AUTH", shown), ErrorReply)


def test_a_made_or_rotated_token_is_good_and_a_revoked_one_is_not_at_once(running: Running) -> None:
    """Twenty of twenty, with not a word more than without a server."""
    for number in range(20):
        made = run(running.data, "create", f"n{number}", "--quiet")
        assert (made.exit_code, made.stderr) == (0, "")
        assert lets_in(running, made.stdout.strip())
    rotated = run(running.data, "rotate", "n0", "--quiet")
    assert lets_in(running, rotated.stdout.strip())
    with running.text(rotated.stdout.strip()) as live:
        revoked = run(running.data, "revoke", "n0")
        assert (revoked.exit_code, revoked.stderr) == (0, "")
        assert "reason=revoked" in live.rest()[0]
    assert not lets_in(running, rotated.stdout.strip())


def test_a_purged_token_ends_its_session_at_once(running: Running) -> None:
    """A spent one is known to the server until its record is gone."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        made = Tokens(storage).create("once", use=TokenUse.ONCE)
    running.server._entrance.watch.step()
    with running.text(made.reveal()) as live:
        assert run(running.data, "purge").exit_code == 0
        assert "reason=revoked" in live.rest()[0]


def test_a_revoked_certificate_is_refused_at_once(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """And restored it is not: what is asked is the table by which certificates are judged."""
    monkeypatch.setattr(client_certificates, "_await_newer", lambda _since: None)
    barred = running.server._entrance.certificates._authenticator._barred
    assert barred == {}
    for command, names in (("revoke", {"alice"}), ("restore", set())):
        options = ["--data-dir", str(running.data)]
        options += ["--dir", str(running.data / "none")] if command == "revoke" else []
        done = CliRunner().invoke(certs, [command, "alice", *options])
        assert done.exit_code == 0, done.output
        assert UNCONFIRMED not in done.stderr
        assert running.server._entrance.certificates._authenticator._barred.keys() == names


def test_looking_and_failing_wait_for_nobody(running: Running) -> None:
    """What changes nothing asks nothing: the server's log has no connection of it."""
    assert run(running.data, "revoke", "nobody-of-that-name").exit_code == 1
    assert " unix" not in running.log()


def nobody_answers(data: Path) -> Program | None:
    """A socket of a server that was killed."""
    with closing(socket.socket(socket.AF_UNIX)) as left_over:
        left_over.bind(str(data / "admin.sock"))
    return None


@pytest.mark.parametrize("command", [("create", "bia", "--quiet"), ("rotate", "ada", "--quiet"), ("revoke", "ada")])
def test_a_socket_that_nobody_answers_on_costs_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The change is made, and what was to be printed is printed."""
    run(tmp_path, "create", "ada")
    nobody_answers(tmp_path)
    done = run(tmp_path, *command)
    assert done.exit_code == 0
    assert UNCONFIRMED in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stdout.splitlines()) == 1


def test_a_server_that_hangs_costs_a_second_and_a_sentence(certificates: Path, tmp_path: Path) -> None:
    """One that was stopped takes connections, and answers nothing."""
    data = tmp_path / "data"
    with Program(certificates, data) as program:
        os.kill(program.process.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            done = run(data, "create", "ada", "--quiet")
            took = time.monotonic() - began
        finally:
            os.kill(program.process.pid, signal.SIGCONT)
        assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
        assert UNCONFIRMED in done.stderr
        assert live.TAKING_UP_SECONDS / 2 < took < live.TAKING_UP_SECONDS + 5


def test_a_server_of_another_directory_confirms_nothing(running: Running, tmp_path: Path) -> None:
    """Its answer is about its own database."""
    other = tmp_path / "other"
    run(other, "create", "ada")
    (other / "admin.sock").symlink_to(running.data / "admin.sock")
    done = run(other, "create", "bia")
    assert (done.exit_code, UNCONFIRMED in done.stderr) == (0, True)


def test_a_user_whom_the_server_does_not_know_gets_a_sentence(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write the database, and not use the admin socket: the server closes without a word."""
    monkeypatch.setattr(running.server.reception, "_may_administer", lambda _uid: False)
    done = run(running.data, "create", "ada")
    assert (done.exit_code, UNCONFIRMED in done.stderr) == (0, True)
    eventually(lambda: "uid=" in running.log())


def test_a_database_that_the_server_cannot_read_is_not_taken_for_taken_up(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers how far it is, and that is not far enough."""
    monkeypatch.setattr(running.server._authenticator, "reload", list)
    done = run(running.data, "create", "ada")
    assert (done.exit_code, UNCONFIRMED in done.stderr) == (0, True)

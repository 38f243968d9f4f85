"""The audit trail of a real server: over TLS, beside other processes, killed, and with a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_protocol.replies import ErrorReply, Push
from secure_server.audit.gap import GapFile
from secure_server.audit.journal import snapshot
from secure_server.audit.record import Record, parse
from secure_server.audit.tail import trail_files
from secure_server.audit.verify import verify
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.cli import main
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import connect, eventually

if sys.platform == "win32":
    pytest.skip("signals, and limits on a running process", allow_module_level=True)


def records(data: Path) -> list[Record]:
    """The trail so far; a line that is being written is left out."""
    lines = [line for path in trail_files(data) for line in path.read_bytes().split(b"\n")[:-1]]
    return [parse(line) for line in lines]


def intact(data: Path) -> bool:
    """Whether verify finds nothing; says what it found."""
    problems = verify(snapshot(data)).problems
    assert problems == []
    return not problems


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def admin(data: Path) -> str:
    """A token of role admin in `data`."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return Tokens(storage).create("root", Role.ADMIN).reveal()


def secure_server(*arguments: str) -> str:
    """Run the program, as an operator in another terminal."""
    argv = [sys.executable, "-m", "secure_server", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_life_of_a_server_is_recorded(server: ServerFactory) -> None:
    """Start, authentications, commands, a certificate, stop; in one chain over two runs."""
    running = server()
    with running.text() as user, running.text(running.token(Role.ADMIN)) as admin:
        user.ask("ECHO not this")
        user.ask("KICK 1")
        assert admin.ask("PENALTY CLEAR all") == "Cleared: 0."
        made = admin.ask("TOKEN CREATE carol")
        running.server.reload()
    running.stop()
    found = [(record.event, record.outcome, record.who, record.command) for record in records(running.data)]
    assert found == [
        ("server", "started", "", ""),
        ("authentication", "accepted", "user", ""),
        ("authentication", "accepted", "admin", ""),
        ("command", "NOPERM", "user", "KICK"),
        ("command", "ok", "admin", "PENALTY CLEAR"),
        ("token", "created", "admin", ""),
        ("command", "ok", "admin", "TOKEN CREATE"),
        ("certificate", "unchanged", "", ""),
        ("configuration", "unchanged", "", ""),
        ("server", "stopped", "", ""),
    ]
    assert made.split("_")[2] not in trail_files(running.data)[0].read_text(encoding="utf-8")
    assert records(running.data)[0].detail["fingerprint"] == running.server.certificate.fingerprint
    assert intact(running.data)


def test_off_means_off(server: ServerFactory) -> None:
    """Nothing is written, and commands run."""
    running = server(audit={"trail": "off"})
    with running.text(running.token(Role.ADMIN)) as admin:
        assert admin.ask("PENALTY CLEAR all") == "Cleared: 0."
    running.stop()
    assert trail_files(running.data) == []


def test_a_killed_server_loses_nothing_that_it_answered(certificates: Path, data: Path, admin: str) -> None:
    """SIGKILL right after the answer, again and again; the next run goes on with the chain."""
    for run in range(2):
        program = Program(certificates, data)
        with program.process, RespPeer(connect(program.port, certificates / "ca.pem")) as peer:
            peer.hello(admin)
            for number in range(5):
                assert isinstance(peer.ask("BROADCAST", f"{run}.{number}"), int)
            program.process.send_signal(signal.SIGKILL)
            program.process.wait(PATIENCE_SECONDS)
        (data / "admin.sock").unlink(missing_ok=True)
        told = [record.arguments[0] for record in records(data) if record.command == "BROADCAST"]
        assert told == [f"{before}.{number}" for before in range(run + 1) for number in range(5)]
    assert intact(data)


def test_tokens_changed_beside_a_running_server_are_in_its_chain(certificates: Path, data: Path, admin: str) -> None:
    """`secure-server token` in other processes, while the server writes, too."""
    with Program(certificates, data) as program, RespPeer(connect(program.port, certificates / "ca.pem")) as peer:
        peer.hello(admin)
        for number in range(2):
            peer.ask("BROADCAST", str(number))
            secure_server("token", "create", f"user{number}", "--data-dir", str(data))
            peer.ask("WHOAMI")
        peer.ask("BROADCAST", "2")
    mixed = [record.event for record in records(data)]
    assert mixed.count("token") == 2
    assert mixed.count("command") == 3
    assert intact(data)
    assert "Intact." in CliRunner().invoke(main, ["audit", "verify", "--data-dir", str(data)]).output
    assert "user1" in CliRunner().invoke(main, ["audit", "show", "--data-dir", str(data)]).output


def fill(program: Program, data: Path) -> None:
    """The disk is full: no file of the server may grow beyond what the trail has now, and a few bytes."""
    if sys.platform != "linux":
        pytest.skip("Linux only")
    import resource  # noqa: PLC0415 - Linux has prlimit alone

    room = trail_files(data)[-1].stat().st_size + 10
    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


def free(program: Program) -> None:
    """There is room again."""
    if sys.platform != "linux":
        pytest.skip("Linux only")
    import resource  # noqa: PLC0415 - Linux has prlimit alone

    resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit of another process")
@pytest.mark.parametrize(("policy", "said"), [("stop", "UNAVAILABLE"), ("continue", "hi")])
def test_a_full_disk(certificates: Path, data: Path, admin: str, policy: str, said: str, tmp_path: Path) -> None:
    """Policy decides who may go on; administrators are told either way, also when it is over, and nothing is lost."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        token = Tokens(storage).create("user").reveal()
    config = tmp_path / "config.toml"
    config.write_text(f'[audit]\non_failure = "{policy}"\n', encoding="utf-8")
    ca = certificates / "ca.pem"
    with (
        Program(certificates, data, "--config", str(config)) as program,
        RespPeer(connect(program.port, ca)) as chief,
        RespPeer(connect(program.port, ca)) as user,
    ):
        chief.hello(admin)
        user.hello(token)
        while trail_files(data)[-1].stat().st_size < 20_000:  # more than any other of the server's files
            chief.ask("BROADCAST", "x" * 150, "--name", "nobody")
        fill(program, data)
        chief.request("BROADCAST", "when it was full", "--name", "nobody")
        (told,) = [item for item in (chief.reply(), chief.reply()) if isinstance(item, Push)]
        assert told.items[0] == "audit"
        assert str(told.items[1]).startswith("The audit trail cannot be written (File too large)")
        program.says("ERROR secure_server.audit: The audit trail cannot be written")
        answer = user.ask("ECHO", "hi")
        assert (answer.code if isinstance(answer, ErrorReply) else answer) == said
        assert user.ask("PING") == "PONG"
        state = chief.ask("AUDIT")
        assert isinstance(state, dict)
        assert (state["state"], state["why"]) == ("failing", "File too large")
        free(program)
        told_again = chief.reply()
        assert isinstance(told_again, Push)
        assert told_again.items[1] == "The audit trail can be written again; records lost: 0."
        assert user.ask("ECHO", "hi") == "hi"
    assert [record.arguments for record in records(data) if record.command == "BROADCAST"][-1][0] == "when it was full"
    (resumed,) = [record for record in records(data) if record.event == "trail"]
    assert (resumed.outcome, resumed.detail["lost"]) == ("resumed", 0)
    assert intact(data)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit of another process")
@pytest.mark.long
def test_what_a_server_that_was_killed_on_a_full_disk_lost_is_told(
    certificates: Path, data: Path, admin: str, tmp_path: Path
) -> None:
    """By the next one: how many records, and from when to when. And what ran when it was killed stands there."""
    config = tmp_path / "config.toml"
    config.write_text('[commands.WAIT]\nrun = ["sleep", "60"]\n', encoding="utf-8")
    with (
        Program(certificates, data, "--config", str(config)) as program,
        RespPeer(connect(program.port, certificates / "ca.pem")) as chief,
        RespPeer(connect(program.port, certificates / "ca.pem")) as waiting,
    ):
        for peer in (chief, waiting):
            peer.hello(admin)
        waiting.request("WAIT")
        eventually(lambda: [record.command for record in records(data) if record.outcome == "running"] == ["WAIT"])
        fill(program, data)
        for number in range(3):
            chief.request("BROADCAST", f"{number} {'x' * 150}", "--name", "nobody")
        while GapFile(data).read().records < 3:
            chief.ask("PING")
        program.process.send_signal(signal.SIGKILL)
        program.process.wait(PATIENCE_SECONDS)
    (data / "admin.sock").unlink(missing_ok=True)
    with Program(certificates, data):
        pass
    (lost,) = [record for record in records(data) if record.outcome == "lost"]
    assert lost.detail["count"] == 3
    assert str(lost.detail["from"]) <= str(lost.detail["to"]) <= lost.time
    assert intact(data)


def test_a_flood_of_wrong_tokens_is_counted_not_dropped(server: ServerFactory) -> None:
    """Each refusal is in the trail, as a record or in a count."""
    running = server(audit={"failures_per_second": 2}, penalties={"exempt": ["127.0.0.0/8"]})
    for _ in range(6):
        with running.text(None) as stranger:
            for _ in range(3):
                stranger.send(b"AUTH wrong\n")
            stranger.rest()

    def counted() -> int:
        refused = [record for record in records(running.data) if record.outcome == "refused"]
        return sum(int(record.detail.get("count") or 1) for record in refused)

    eventually(lambda: counted() == 18)
    assert intact(running.data)

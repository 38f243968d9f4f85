"""Commands of one's own through the whole server: Python and configuration, and a start that they prevent."""

from __future__ import annotations

import hashlib
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.commands.programs import process
from tests.conftest import ServerFactory
from tests.integration.program import ROOT, arguments, refused
from tests.integration.running import eventually

MODULE = '''
from collections.abc import Iterator
from typing import Literal

from secure_server.commands import Context, command


@command("RESTART", summary="Restart a service", role="operator", timeout=60, idempotent=False)
def restart(context: Context, service: Literal["web", "worker"], *, force: bool = False) -> Iterator[str]:
    """Restart."""
    context.progress(1, "done")
    yield f"{service} {force}"


@command("BREAK")
def break_(context: Context) -> None:
    """Fail."""
    raise RuntimeError("a secret of the server")
'''


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module of commands; each test has its own, for a process imports a name once."""
    path = tmp_path / f"commands_{abs(hash(tmp_path))}.py"
    path.write_text(MODULE)
    return path


def alive(pid: int) -> bool:
    """Whether that process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_command_in_python(server: ServerFactory, module: Path) -> None:
    """It streams, its role holds, and what it raises stays inside."""
    running = server(commands={"modules": [str(module)]})
    with running.resp(running.token(Role.OPERATOR)) as peer:
        peer.request("RESTART", "WEB", "--force")
        assert peer.reply() == Push("progress", (1.0, "done"))
        assert peer.reply() == Push("stream", ("web True",))
        assert peer.reply() == "OK"
    with running.text() as person:
        assert "NOPERM" in person.ask("RESTART web")
        assert person.ask("BREAK").startswith("ERROR: Internal error, reference ")


def test_a_file_and_a_secret_reach_their_program_alone(
    server: ServerFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a megabyte of any bytes comes through unchanged; no file of the server has the secret, or the data."""
    commands = {
        "STORE": {
            "run": ["sh", "-c", 'sha256sum; printf "%s\\n" "$KEY" | wc -c'],
            "stdin": "{body}",
            "arguments": {"body": {"file": True}, "key": {"secret": True}},
            "environment": {"KEY": "{key}"},
        }
    }
    running = server(commands=commands)
    body, key = b"\0\xff{key}\r\n" * 55_000, "correct-horse-battery"
    with running.resp(running.token()) as peer:
        for arguments_given in ((body, key), (body, key, "too many"), (body, f"{key}\n")):
            peer.request("STORE", *arguments_given)
            replies = [peer.reply()]
            while isinstance(replies[-1], Push):
                replies.append(peer.reply())
            if len(replies) > 1:
                digest = hashlib.sha256(body).hexdigest()
                assert replies == [Push("stream", (f"{digest}  -",)), Push("stream", (f"{len(key) + 1}",)), "OK"]
            assert key not in str(replies)
    running.stop()
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert hashlib.sha256(body).hexdigest().encode() in written  # the trail's
    assert key.encode() not in written
    assert body[:20] not in written
    assert key not in caplog.text


def test_cancel_ends_a_program_that_does_not_read(server: ServerFactory) -> None:
    """However much it was to be given."""
    commands = {"IDLE": {"run": ["sh", "-c", "echo $$; exec sleep 100"], "stdin": "{body}", "arguments": {"body": {}}}}
    running = server(commands=commands)
    with running.resp(running.token()) as peer:
        peer.request("IDLE", b"x" * 500_000)
        started = peer.reply()
        assert isinstance(started, Push)
        peer.request("CANCEL")
        replies = [str(peer.reply()), str(peer.reply())]
        assert any("CANCELLED" in reply for reply in replies), replies
        eventually(lambda: not alive(int(str(started.items[0]))))


def test_cancel_ends_all_that_a_command_started(server: ServerFactory) -> None:
    """Its lines come as they are written; CANCEL is heard while it is silent."""
    running = server(commands={"WAIT": {"run": ["sh", "-c", "sleep 100 & echo $!; wait"]}})
    with running.text() as person:
        person.send(b"WAIT\n")
        child = int(person.line())
        assert person.ask("CANCEL").startswith("ERROR: CANCELLED")
        assert person.line() == "."
        eventually(lambda: not alive(child))


@pytest.mark.parametrize(
    ("script", "reset"), [("wait", True), ("while :; do echo; sleep 0.02; done", False)], ids=["reset", "closed"]
)
def test_a_lost_peer_ends_all_that_a_command_started(server: ServerFactory, script: str, *, reset: bool) -> None:
    """At once when the connection is reset; where the peer merely closed, with the next line that nobody takes."""
    running = server(commands={"WAIT": {"run": ["sh", "-c", f"sleep 100 & echo $!; {script}"]}})
    person = running.text()
    person.send(b"WAIT\n")
    child = int(person.line())
    assert alive(child)
    if reset:
        person.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    person.close()
    eventually(lambda: not alive(child))


def test_stopping_the_server_ends_the_programs(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that does not listen to SIGTERM."""
    script = "trap '' TERM; sleep 100 & echo $!; while :; do sleep 100; done"
    monkeypatch.setattr(process, "TERM_SECONDS", 0.2)
    running = server(commands={"DEAF": {"run": ["sh", "-c", script]}}, timeouts={"drain": "0s"})
    with running.text() as person:
        person.send(b"DEAF\n")
        child = int(person.line())
        running.stop()
    eventually(lambda: not alive(child))


@pytest.mark.parametrize(
    ("options", "config", "sentence"),
    [
        (["--commands", "not_there"], "", "The module not_there cannot be found; install it, or give the path of"),
        (["--commands", "BROKEN"], "", "cannot be imported: ZeroDivisionError: division by zero"),
        ([], "[commands.ECHO]\nrun = ['echo']", "commands.ECHO: the command ECHO is defined twice; give one of them"),
        ([], "[commands.X]\nrun = ['echo', '{a}']", "commands.X.run: {a} is not declared; add arguments.a."),
        ([], "[commands]\nmodules = ['not_there']", "The module not_there cannot be found"),
    ],
)  # fmt: skip
def test_a_mistake_stops_the_start(
    certificates: Path, tmp_path: Path, options: list[str], config: str, sentence: str
) -> None:
    """Exit code 2 and one line, no traceback."""
    broken, file = tmp_path / "broken_commands.py", tmp_path / "server.toml"
    broken.write_text("1 / 0")
    file.write_text(config)
    places = ["--port", "0", "--certs-dir", str(certificates), "--data-dir", str(tmp_path / "data")]
    options = [str(broken) if word == "BROKEN" else word for word in options]
    line = refused(*places, "--config", str(file), *options)
    assert line.startswith("secure-server: ")
    assert sentence in line


def test_the_option_adds_to_the_configuration(certificates: Path, tmp_path: Path, module: Path) -> None:
    """Both the file's modules and those of the command line are loaded: a command of both is defined twice."""
    again = tmp_path / "again.py"
    again.write_text(MODULE)
    file = tmp_path / "server.toml"
    file.write_text(f"[commands]\nmodules = ['{module}']\n")
    command = [*arguments(certificates, tmp_path / "data"), "--config", str(file), "--commands", str(again)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"The module {again} cannot be used: the command RESTART is defined twice" in done.stderr

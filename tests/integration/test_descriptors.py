"""Programs that have few descriptors, or are started with 0, 1 or 2 closed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.audit.journal import snapshot
from secure_server.audit.record import parse
from secure_server.audit.tail import trail_files
from secure_server.audit.verify import verify
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.limits.descriptors import PROGRAM
from secure_server.server import DATABASE
from tests.integration.peers import PATIENCE_SECONDS, TextPeer
from tests.integration.program import ROOT, Program, arguments
from tests.integration.running import connect, eventually

if sys.platform == "win32":
    pytest.skip("reads what descriptors are in /proc", allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),  # which also opens files before the first line of the program
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what descriptors are in /proc"),
]

CONFIG = """
[timeouts]
handshake = "500ms"
authentication = "500ms"

[commands.WHERE]
run = ["readlink", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]
"""


def without(closed: str, argv: list[str]) -> list[str]:
    """The command line that starts a program with these descriptors closed."""
    shut = {"0": "<&-", "1": ">&-", "2": "2>&-"}
    return ["/bin/sh", "-c", f'exec "$@" {" ".join(shut[one] for one in closed)}', "sh", *argv]


def reached(admin: Path) -> bool:
    """Whether a server listens on this socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(admin)) == 0


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_a_server_has_the_null_device_for_what_is_closed(certificates: Path, tmp_path: Path, closed: str) -> None:
    """No log, database or socket becomes stdin, stdout or stderr, and what it starts has all three."""
    config, admin = tmp_path / "server.toml", tmp_path / "data" / "admin.sock"
    config.write_text(CONFIG, encoding="utf-8")
    argv = [*arguments(certificates, tmp_path / "data"), "--config", str(config)]
    with subprocess.Popen(
        without(closed, argv), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            eventually(lambda: process.poll() is not None or reached(admin))
            assert process.poll() is None
            assert [str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in range(3)] == [os.devnull] * 3
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE_SECONDS)
                sock.connect(str(admin))
                peer = TextPeer(sock)
                peer.send(b"WHERE\n")
                stdin, stdout, stderr, *end = peer.lines()
                assert (stdin, stdout.partition(":")[0], stderr.partition(":")[0]) == (os.devnull, "pipe", "pipe")
                assert end == []
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("closed", ["0", "1", "01"])
def test_a_client_goes_on_without_them(tmp_path: Path, closed: str) -> None:
    """It says what it has to say, where somebody reads that, and its exit code stays what it is."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        target = f"127.0.0.1:{gone.getsockname()[1]}"
    own = {"SECURE_CLIENT_HOME": str(tmp_path), "SECURE_CLIENT_TOKEN": Token.generate().reveal()}
    done = subprocess.run(
        without(closed, [sys.executable, "-m", "secure_client", target]), env=os.environ | own,
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert (done.returncode, target in done.stderr) == (3, True), done.stderr


def admin_peer(data: Path) -> TextPeer:
    """Connect to the admin socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(data / "admin.sock"))  # before it has a timeout: then it would not wait where many come at once
    return TextPeer(sock)


def entered(port: int, certificates: Path, token: str) -> bool:
    """Whether a login succeeds; whoever did leaves again."""
    peer = logged_in(port, certificates, token)
    if peer is not None:
        peer.close()
    return peer is not None


def logged_in(port: int, certificates: Path, token: str) -> TextPeer | None:
    """Log in; None where there is no place."""
    try:
        peer = TextPeer(connect(port, certificates / "ca.pem"))
    except OSError:
        return None
    try:
        if peer.ask(f"AUTH {token}") == "OK":
            return peer
    except (OSError, EOFError):
        pass
    peer.close()
    return None


def test_a_flood_takes_no_descriptor_of_the_servers_own(certificates: Path, tmp_path: Path) -> None:
    """With 200 in all, places are fewer and one line says so; whatever strangers and clients take, the rest works."""
    config, data = tmp_path / "server.toml", tmp_path / "data"
    config.write_text(CONFIG, encoding="utf-8")
    with Program(certificates, data, "--config", str(config), before="ulimit -n 200") as program, ExitStack() as opened:
        program.says("only 200 files may be open, so limits.max_clients is ")
        most = int(program.stderr().partition("limits.max_clients is ")[2].split()[0])
        with SQLiteTokenStorage(data / DATABASE) as storage:
            token = Tokens(storage).create("ada", Role.USER).reveal()
        clients: list[TextPeer] = []
        while len(clients) < most:
            peer = logged_in(program.port, certificates, token)
            if peer is not None:
                clients.append(opened.enter_context(peer))
        flood = [opened.enter_context(socket.create_connection(("127.0.0.1", program.port))) for _ in range(400)]
        admins = [opened.enter_context(admin_peer(data)) for _ in range(40)]
        admin = admins[-1]
        for _ in range(3):  # programs are started, and what was asked for is forced to the trail
            admin.send(b"WHERE\n")
            assert admin.lines()[0] == os.devnull
        assert admin.ask("KICK 999999").startswith("ERROR")
        assert admin.ask("TOKEN CREATE bob").startswith("scs_")
        assert admin.ask("AUDIT") == "state: written"
        clients[0].send(b"WHERE\n")
        assert clients[0].lines()[0] == os.devnull
        assert clients.pop().ask("EXIT")  # there is a place for a client again, and strangers go by and by
        with SQLiteTokenStorage(data / DATABASE) as storage:
            fresh = Tokens(storage).create("eve", Role.USER).reveal()
        eventually(lambda: entered(program.port, certificates, fresh))
        used = len(list(Path(f"/proc/{program.process.pid}/fd").iterdir()))
        assert used < 200 - PROGRAM
        assert len(flood) == 400
        assert "no file descriptor is left" not in program.stderr()
    assert verify(snapshot(data)).problems == []
    lines = [line for path in trail_files(data) for line in path.read_bytes().splitlines()]
    assert {"ada", "eve"} <= {parse(line).who for line in lines}
    assert {"WHERE", "KICK", "TOKEN CREATE"} <= {parse(line).command for line in lines}

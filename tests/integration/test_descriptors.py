"""Programs that are started with some of the descriptors 0, 1 and 2 closed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from secure_protocol.token import Token
from tests.integration.peers import PATIENCE_SECONDS, TextPeer
from tests.integration.program import ROOT, arguments
from tests.integration.running import eventually

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),  # which also opens files before the first line of the program
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what descriptors are in /proc"),
]

CONFIG = """
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

"""`secure-server top`: the running server of a data directory, or one that is reached over TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.admin import ADMIN_SOCKET
from tests.secure_client.busy_server import Busy
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.screen import Screen

if sys.platform == "win32":
    pytest.skip("the admin socket is a Unix socket", allow_module_level=True)

PROGRAM = [sys.executable, "-m", "secure_server"]


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    environment = {**os.environ, "SECURE_CLIENT_HOME": str(home), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.usefixtures("unmeasured")
def test_one_frame_of_the_running_server(tmp_path: Path) -> None:
    """Plain text, or the map as one JSON value; the same with `admin -c`."""
    with ScriptedServer(None, path=tmp_path / ADMIN_SOCKET) as server:
        Busy(server)
        done = run(tmp_path, "top", "--data-dir", str(tmp_path), "--once")
        assert (done.returncode, done.stderr) == (0, "")
        assert "STATUS" in done.stdout
        assert "ci-deploy" in done.stdout
        for arguments in (["top", "--once", "--json"], ["admin", "-c", "top --once --json"]):
            done = run(tmp_path, *arguments, "--data-dir", str(tmp_path))
            assert json.loads(done.stdout)["version"] == "1.4.0"


@pytest.mark.usefixtures("unmeasured")
def test_a_server_elsewhere(tmp_path: Path) -> None:
    """By a profile that the client has saved, over TLS."""
    (tmp_path / "ca").mkdir()
    authority, token = Authority(tmp_path / "ca"), Token.generate()
    with ScriptedServer(authority.issue("server"), token=token) as server:
        Busy(server)
        profile = {"endpoint": server.address, "ca": str(authority.ca), "token": token.reveal()}
        (tmp_path / "profiles.json").write_text(json.dumps({"lab": profile}), encoding="utf-8")
        (tmp_path / "profiles.json").chmod(0o600)
        done = run(tmp_path, "top", "-p", "lab", "--once")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"ana@{server.address}  1.4.0")


@pytest.mark.usefixtures("unmeasured")
def test_bad_input_is_told(tmp_path: Path) -> None:
    """With exit code 2; without a server, with how to start one, and 3."""
    for words, sentence in (
        (["--json"], "--json goes with --once."),
        (["--interval", "5d"], "from 0.5s to 60s, such as 2s; not 5d."),
        (["--data-dir", str(tmp_path)], "start one with `secure-server run`"),
    ):
        done = run(tmp_path, "top", *words)
        assert sentence in done.stderr
        assert done.returncode == (3 if "--data-dir" in words else 2)


def test_it_goes_on_when_the_server_is_back(tmp_path: Path) -> None:
    """On the whole screen; what becomes of the connection is told there, and nothing is written over it."""
    with ScriptedServer(None, path=tmp_path / ADMIN_SOCKET) as server:
        Busy(server)
        program = [*PROGRAM, "top", "--data-dir", str(tmp_path), "--interval", "500ms"]
        with Screen(program, {"SECURE_CLIENT_HOME": str(tmp_path)}, columns=120) as screen:
            screen.wait(lambda: screen.lines[0].endswith("every 0.5 s"))
            screen.wait(lambda: screen.toolbar.startswith(" q quit"))
            server.stop()
            screen.wait(lambda: "connection lost, reconnecting" in screen.lines[0])
            (tmp_path / ADMIN_SOCKET).unlink()
            server.start()
            screen.wait(lambda: screen.lines[0].endswith("every 0.5 s"))
            assert len(screen.lines) == 24
            assert "Reconnecting" not in screen.raw.decode()
            screen.type("q")
            assert screen.ended() == 0
            assert "\n".join(screen.lines).strip() == ""

"""Handlers that fork: what their children hold, and what becomes of those that come back."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.answer import CHILD_EXIT
from tests.integration.peers import RespPeer
from tests.integration.program import Program
from tests.integration.running import connect, eventually

if sys.platform == "win32":
    pytest.skip("there is no fork here", allow_module_level=True)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.usefixtures("unmeasured"),
]

MODULE = '''
import multiprocessing
import os
import sys
import time

from secure_server.commands import Context, command


@command("LEAVE")
def leave(_context: Context) -> int:
    """Leave a child behind."""
    pid = os.fork()
    if not pid:
        time.sleep(60)
        os._exit(0)
    return pid


@command("PROCESS")
def process(_context: Context) -> int:
    """Leave one behind as the standard library makes them."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
    child.start()
    return child.pid


@command("BACK")
def back(_context: Context, how: str) -> object:
    """Have a child come back, and tell its exit code."""
    pid = os.fork()
    if not pid:
        if how == "exit":
            sys.exit(0)
        return "what nobody is to be answered"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
'''


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def token(data: Path) -> str:
    """A token in it."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return Tokens(storage).create("user").reveal()


@pytest.fixture
def options(tmp_path: Path) -> tuple[str, str]:
    """What adds the commands."""
    (tmp_path / "forks.py").write_text(MODULE, encoding="utf-8")
    return "--commands", str(tmp_path / "forks.py")


@contextlib.contextmanager
def left(peer: RespPeer, command: str) -> Iterator[int]:
    """Have a handler leave a child behind; it is killed at the end."""
    pid = peer.ask(command)
    assert isinstance(pid, int), pid
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def held(pid: int) -> list[str]:
    """Return the sockets and pollers that a process holds."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return sorted(name for name in found if name.startswith("socket:") or "eventpoll" in name)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_handlers_child_holds_none_of_the_servers_sockets(
    certificates: Path, data: Path, token: str, options: tuple[str, str]
) -> None:
    """Neither listeners nor peers, nor what the loops wake each other with."""
    ca = certificates / "ca.pem"
    with Program(certificates, data, *options) as program, RespPeer(connect(program.port, ca)) as peer:
        peer.hello(token)
        assert len(held(program.process.pid)) > 4
        with left(peer, "LEAVE") as forked, left(peer, "PROCESS") as started:
            eventually(lambda: held(forked) == held(started) == [])
            assert peer.ask("PING") == "PONG"


@pytest.mark.long
def test_a_child_that_lives_on_is_in_nobodys_way(
    certificates: Path, data: Path, token: str, options: tuple[str, str]
) -> None:
    """When the server has stopped, its peers see the end, and another one takes its port and its data directory."""
    ca = certificates / "ca.pem"
    with Program(certificates, data, *options) as program, RespPeer(connect(program.port, ca)) as peer:
        peer.hello(token)
        with left(peer, "LEAVE") as pid:
            program.stop()
            peer.rest()
            with Program(certificates, data, *options, "--port", str(program.port)) as again:
                assert again.port == program.port
                with RespPeer(connect(again.port, ca)) as other:
                    other.hello(token)
                    assert other.ask("PING") == "PONG"
            os.kill(pid, 0)  # it lived all the while


def test_a_child_that_comes_back_is_ended(certificates: Path, data: Path, token: str, options: tuple[str, str]) -> None:
    """It answers nothing and records nothing, which is its parent's to do."""
    ca = certificates / "ca.pem"
    with Program(certificates, data, *options) as program, RespPeer(connect(program.port, ca)) as peer:
        peer.hello(token)
        assert peer.ask("BACK", "return") == peer.ask("BACK", "exit") == CHILD_EXIT
        assert peer.ask("PING") == "PONG"
    assert (data / "server_log.txt").read_text(encoding="utf-8").count("name=BACK") == 2

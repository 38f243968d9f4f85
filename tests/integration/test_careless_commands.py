"""Commands that change what the whole process has: its directory, its streams, its logging, its signals."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.programs.process import ExitLostError, Process
from tests.integration.peers import RespPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import connect, eventually

if sys.platform == "win32":
    pytest.skip("programs and signals are POSIX's", allow_module_level=True)

MODULE = '''
import logging
import logging.config
import os
import signal

from secure_server.commands import Context, command


signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)


@command("AWAY")
def away(_context: Context) -> str:
    """Go to another directory."""
    os.chdir("/")
    return os.getcwd()


@command("BREAK")
def break_(_context: Context) -> None:
    """Fail."""
    raise RuntimeError("what only the log may tell")


@command("CLOSE")
def close(_context: Context) -> None:
    """Close the standard streams, as daemons do."""
    for descriptor in (0, 1, 2):
        os.close(descriptor)


@command("SAY")
def say(_context: Context) -> None:
    """Write to them."""
    for descriptor in (1, 2):
        os.write(descriptor, b"not for peers")


@command("LOGGING")
def logging_(_context: Context, how: str) -> str:
    """Do with logging what programs of their own do."""
    if how == "configured":
        logging.config.dictConfig({"version": 1, "root": {"level": "CRITICAL", "handlers": []}})
    elif how == "basic":
        logging.basicConfig(force=True, level="CRITICAL", handlers=[logging.NullHandler()])
    else:
        logging.shutdown()
    return how
'''


class Careless:
    """A server that was started in its own directory, with relative paths, and a module of its own.

    Args:
        certificates: are copied.
        directory: where it is started; has `certs`, `data` and the module then.
        before: what the shell does first.
    """

    def __init__(self, certificates: Path, directory: Path, before: str = "true") -> None:
        shutil.copytree(certificates, directory / "certs")
        (directory / "careless.py").write_text(MODULE, encoding="utf-8")
        (directory / "server.toml").write_text(
            "[commands]\nmodules = ['careless.py']\n"
            "[commands.HERE]\nrun = ['pwd']\n[commands.THREE]\nrun = ['sh', '-c', 'exit 3']\n"
        )
        self.data = directory / "data"
        self.data.mkdir(mode=0o700)
        with SQLiteTokenStorage(self.data / "tokens.db") as storage:
            self.token = Tokens(storage).create("user").reveal()
        self.ca = directory / "certs" / "ca.pem"
        paths = ("--certs-dir", "certs", "--data-dir", "data", "--config", "server.toml")
        self.program = Program(
            Path("certs"),
            directory / "data",
            *paths,
            before=f"PYTHONPATH='{ROOT}'; export PYTHONPATH; cd '{directory}'; {before}",
        )

    def peer(self) -> RespPeer:
        """A client that has logged in."""
        peer = RespPeer(connect(self.program.port, self.ca))
        peer.hello(self.token, 2)
        return peer

    def log(self) -> str:
        """Its log so far."""
        path = self.data / "server_log.txt"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def careless(certificates: Path, tmp_path: Path, unmeasured: None) -> Iterator[Careless]:
    """One, for whatever a test does to it."""
    del unmeasured
    made = Careless(certificates, tmp_path / "home")
    with made.program:
        yield made


def test_a_handler_that_changes_the_directory_is_in_nobodys_way(careless: Careless) -> None:
    """Newcomers log in, programs run where they did, the log and the admin socket are made anew in their place."""
    with careless.peer() as peer:
        assert peer.ask("AWAY") == "/"
        for name in ("server_log.txt", "admin.sock"):
            (careless.data / name).unlink()
    eventually((careless.data / "admin.sock").exists)
    with careless.peer() as peer:
        assert peer.ask("HERE") == [str(careless.data.parent)]
        peer.ask("PING")
    eventually(lambda: "HERE" in careless.log())
    eventually(lambda: "HERE" in "".join(path.read_text() for path in careless.data.glob("audit-*.jsonl")))


def test_a_handler_that_configures_logging_leaves_us_our_log(careless: Careless) -> None:
    """The reference that a peer is given is in it, with the traceback."""
    with careless.peer() as peer:
        for how in ("configured", "basic", "shut"):
            assert peer.ask("LOGGING", how) == how
            answer = peer.ask("BREAK")
            assert isinstance(answer, ErrorReply)
            reference = answer.text.rstrip(".").rpartition(" ")[2]
            eventually(lambda: f"internal error {reference} in BREAK" in careless.log())  # noqa: B023 - asked at once
            assert "what only the log may tell" in careless.log()


def test_a_handler_that_closes_the_standard_streams_has_nobody_written_to(careless: Careless) -> None:
    """No newcomer's socket has their number, neither for what commands print nor for the server's own lines."""
    with careless.peer() as peer:
        peer.ask("CLOSE")
        with contextlib.ExitStack() as others:
            came = [others.enter_context(careless.peer()) for _ in range(4)]
            for other in came:
                other.ask("BREAK")
                assert other.ask("SAY") is None
            assert [other.ask("PING") for other in (peer, *came)] == ["PONG"] * 5
    eventually(lambda: careless.program.stderr().count("internal error") == 4)


def test_a_module_that_changes_the_signals_does_so_for_nobody(careless: Careless) -> None:
    """SIGTERM drains, and an exit code is known, though it ignored its children's ends."""
    with careless.peer() as peer:
        answer = peer.ask("THREE")
        assert isinstance(answer, ErrorReply)
        assert answer.text == "THREE ended with exit code 3."
    careless.program.stop()
    assert careless.program.process.returncode == 0


def test_a_program_whose_exit_code_another_command_took_says_so(tmp_path: Path) -> None:
    """It is no internal error, and not on record as what it was not."""
    with Process(["sh", "-c", "exit 3"], directory=tmp_path, environment={"PATH": os.defpath}) as process:
        assert list(process.lines()) == []
        assert os.waitpid(process._popen.pid, 0)[1]
        with pytest.raises(ExitLostError):
            process.wait()
    assert process.exit_code is None

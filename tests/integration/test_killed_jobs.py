"""Servers that are killed at any moment: what was told of their jobs is so, and nothing of them runs on unseen."""

from __future__ import annotations

import json
import os
import random
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.server import DATABASE
from tests.integration import job_commands
from tests.integration.job_commands import Steer
from tests.integration.job_peers import news, pushed
from tests.integration.killed_jobs import MARK
from tests.integration.peers import RespPeer
from tests.integration.program import ROOT, refused
from tests.integration.running import Running, connect, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

START_SECONDS = 120.0
"""A start may take, which ends what the last server left, on a machine with other tests to run."""
MOST_SECONDS = 0.6
"""When a server is killed at the latest: from before it listens to well after jobs have begun and ended."""

TICKS = "echo tick; while :; do sleep 0.05; done"

FORKS = """
import json, os, signal, sys
import secure_server.__main__, secure_server.cli.run, secure_server.server
child = 0
for line in sys.stdin:
    words = json.loads(line)
    if words == ["kill"]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    else:
        child = os.fork()
        if child == 0:
            out = os.open(words.pop(0), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.argv = words
            sys.stdout = open(1, "w", closefd=False, buffering=1)
            sys.stderr = open(2, "w", closefd=False, buffering=1)
            try:
                secure_server.__main__.main()
            finally:
                sys.stdout.flush(); sys.stderr.flush()
                os._exit(1)
    print(json.dumps(child), flush=True)
"""


class Forks:
    """Servers, each a fork of one interpreter that has loaded all, and so starts in a moment."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def say(self, *words: str) -> int:
        """Have one started, or killed; returns its number when that is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def programs(tmp_path: Path) -> list[int]:
    """The programs of this test's jobs that run."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if MARK.encode() in words and str(tmp_path).encode() in words:
                    found.append(int(path.name))
    return found


def serves(out: Path) -> None:
    """Wait until a server says that it listens."""
    with suppress(TimeoutError):
        eventually(lambda: "listening on" in out.read_text(), START_SECONDS)
    assert "listening on" in out.read_text()


def asked(peer: RespPeer, *words: str) -> object:
    """The reply, without what a new server tells of the jobs that are lost, to whose they were."""
    peer.request(*words)
    return pushed(peer)[1]


class Watched:
    """What was told of a job, by one server after the other."""

    def __init__(self) -> None:
        self.parts: dict[int, list[str]] = {}
        self.ends: dict[int, object] = {}
        self.keys: dict[str, tuple[int, tuple[str, ...]]] = {}

    def listen(self, peer: RespPeer, key: str, words: tuple[str, ...]) -> None:
        """Take in all that came until the server was killed."""
        number, parts = 0, list[str]()
        with suppress(OSError, EOFError, ssl.SSLError):
            while True:
                reply = peer.reply()
                if not isinstance(reply, Push):
                    if number:
                        self.ends[number] = reply
                    return
                if reply.kind == "job":
                    assert isinstance(reply.items[0], int)
                    number = reply.items[0]
                    assert number not in self.parts or parts is self.parts[number], "numbers are used once"
                    self.keys[key] = number, words
                    self.parts[number] = parts
                elif reply.kind == "stream":
                    parts.append(str(reply.items[0]))

    def holds(self, peer: RespPeer) -> None:
        """Compare with what a new server says."""
        listed: Any = asked(peer, "JOBS", "--limit", "200")
        states = {row["job"]: row["state"] for row in listed}
        assert not {"running", "queued"} & set(states.values()), states
        for number, parts in self.parts.items():
            assert number in states, "it was told, so it was on disk"
            assert self.output(peer, number, len(parts)) == parts
        for number, reply in self.ends.items():
            assert states[number] == ("failed" if isinstance(reply, ErrorReply) else "done")
            assert asked(peer, "JOB", "WAIT", str(number)) == reply
        for key, (number, words) in self.keys.items():
            peer.request("JOB", "START", "--key", key, *words)
            assert news(peer) == Push("job", (number, states[number], 0)), "started once"
            while isinstance(peer.reply(), Push):
                pass

    @staticmethod
    def output(peer: RespPeer, number: int, most: int) -> list[str]:
        """The first parts of a job."""
        found = list[str]()
        while len(found) < most:
            piece: Any = asked(peer, "JOB", "OUTPUT", str(number), str(len(found)))
            assert piece["dropped"] == 0
            if not piece["parts"]:
                break
            found += piece["parts"]
        return found[:most]


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    """What starts servers; of a test that failed no program is left either."""
    with Forks() as found:
        yield found
    if sys.platform == "win32":
        return
    for pid in programs(tmp_path):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("rounds", [2, pytest.param(200, marks=pytest.mark.long)])
def test_what_was_told_of_jobs_holds_whenever_the_server_is_killed(
    rounds: int, forks: Forks, certificates: Path, tmp_path: Path, unmeasured: None
) -> None:
    """Nothing is "running" that does not run, numbers are used once, told parts and ends stay, no program is left."""
    del unmeasured
    chance = random.Random(11)  # noqa: S311 - no secret, and much the same moments each time
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / DATABASE) as storage:
        token = Tokens(storage).create("ada", Role.ADMIN).reveal()
    config = tmp_path / "server.toml"
    module = ROOT / "tests/integration/killed_jobs.py"
    config.write_text(
        f'language = "en"\ncerts_dir = "{certificates}"\ndata_dir = "{data}"\n'
        f'[listen]\nport = 0\n[commands]\nmodules = ["{module}"]\n'
        f"[commands.DECLARED]\njob = true\nrun = {json.dumps(['/bin/sh', '-c', TICKS, 'sh', MARK, str(tmp_path)])}\n"
    )
    watched, told = Watched(), [0, 0, 0]
    for turn in range(rounds):
        out.write_text("")
        forks.say(str(out), "secure-server", "run", "--config", str(config))
        deadline = time.monotonic() + chance.uniform(0.0, MOST_SECONDS)
        if turn % 8 == 7:  # while it starts
            time.sleep(max(0.0, deadline - time.monotonic()) / 2)
            forks.say("kill")
            continue
        serves(out)
        assert not programs(tmp_path), "those of the last one were ended"
        port = int(out.read_text().partition("listening on 127.0.0.1:")[2].split()[0])
        with RespPeer(connect(port, certificates / "ca.pem")) as peer:
            peer.hello(token)
            watched.holds(peer)
        starts = [
            ("COUNTS",), ("WAITS-FOR-LOCK",), ("WAITS-FOR-LOCK",), ("SHORT", f"{turn}"), ("DECLARED",),
            ("RUNS-PROGRAM", str(tmp_path)),
        ]  # fmt: skip
        peers = {}
        for index, words in enumerate(starts):
            peers[f"{turn}-{index}"] = peer = RespPeer(connect(port, certificates / "ca.pem"))
            peer.hello(token)
            peer.request("JOB", "START", "--key", f"{turn}-{index}", *words)
        time.sleep(chance.uniform(0.0, MOST_SECONDS))
        forks.say("kill")
        for (key, peer), words in zip(peers.items(), starts, strict=True):
            watched.listen(peer, key, words)
            peer.close()
        told = [
            told[0] + len(watched.parts),
            told[1] + len(watched.ends),
            told[2] + sum(map(len, watched.parts.values())),
        ]
        watched.parts = dict(list(watched.parts.items())[-12:])
        watched.ends = dict(list(watched.ends.items())[-12:])
        watched.keys = dict(list(watched.keys.items())[-12:])
    out.write_text("")
    forks.say(str(out), "secure-server", "run", "--config", str(config))
    serves(out)
    assert not programs(tmp_path)
    assert all(told), "some were killed when jobs ran, and when they had ended"
    forks.say("kill")


def test_a_second_server_harms_no_job_of_the_first(certificates: Path, tmp_path: Path) -> None:
    """It does not start, and so finds nothing lost."""
    Steer.forget()
    with Running(certificates, tmp_path / "data-first", {}) as running:
        running.server.registry.load([job_commands])
        with running.resp() as peer:
            peer.request("STEPS", "1")
            Steer.begun()
            told = refused("--certs-dir", str(certificates), "--data-dir", str(running.data), "--port", "0")
            assert "another server" in told.lower() or "runs" in told
            Steer.go.release()
            while isinstance(reply := peer.reply(), Push):
                pass
            assert reply == "the result"

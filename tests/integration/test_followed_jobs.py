"""A job is followed through lines that break and servers that end: no part is lost, none comes twice."""

from __future__ import annotations

import random
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from secure_client import Client, CommandFailed, Job, JobLostError
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.command import ATTRIBUTE, command
from secure_server.commands.context import Context
from secure_server.server import DATABASE
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import Program
from tests.integration.running import Running
from tests.terminal.fault_proxy import FaultProxy

if sys.platform == "win32":
    pytest.skip("its programs are a POSIX shell's", allow_module_level=True)

PARTS = 3000


def value(number: int) -> object:
    """A part of each kind, from nothing to more than one read of the connection brings."""
    return [
        f"line {number}",
        {"number": number, "of": ["\x00\udcff", None, 1.5]},
        number,
        "x" * (number % 7 * 1000),
    ][number % 4]


@command("COUNT", summary="Give parts.", job=True)
def count(context: Context) -> Generator[object, None, dict[str, int]]:
    """Give all parts, a few at a time, so that lines break in the middle of it."""
    for number in range(PARTS):
        yield value(number)
        if number % 100 == 99:
            context.cancelled.wait(0.01)
    return {"parts": PARTS}


@command("FOREVER", summary="Go on until it is told to stop.", job=True)
def forever(context: Context) -> Iterator[str]:
    """Wait."""
    yield "begun"
    context.cancelled.wait(PATIENCE_SECONDS)


@pytest.fixture
def running(certificates: Path, tmp_path: Path) -> Iterator[Running]:
    """A server that has it."""
    server = Running(certificates, tmp_path / "data", {})
    for handler in (count, forever):
        for found in getattr(handler, ATTRIBUTE):
            server.server.registry.add(found)
    with server:
        yield server


def rounds(chance: random.Random, running: Running) -> None:
    """Follow one job over many connections, and compare each part."""
    with (
        FaultProxy(running.port) as proxy,
        Client(f"localhost:{proxy.port}", token=running.token(), ca=running.ca) as client,
    ):
        job = client.start("COUNT")
        due = 0
        for expected, part in enumerate(job):
            assert (part.number, part.value) == (expected, value(expected))
            if expected >= due:
                proxy.cut()
                due = expected + chance.randrange(1, PARTS // 5)
        assert job.next == PARTS
        assert job.result() == {"parts": PARTS}
        assert len(running.server._jobs.all) == job.number, "none was started twice"


def test_no_part_is_lost_or_doubled_over_broken_lines(running: Running) -> None:
    """Whatever the parts are, and wherever the line breaks."""
    rounds(random.Random(1), running)  # noqa: S311 - no secret, and the same places each time


@pytest.mark.long
def test_no_part_is_lost_or_doubled_over_many_broken_lines(running: Running) -> None:
    """Likewise, again and again."""
    for seed in range(30):
        rounds(random.Random(seed), running)  # noqa: S311 - as above


def test_a_job_that_the_server_ends_is_told_so(running: Running) -> None:
    """A server that is stopped in order has its jobs end, and says so."""
    with Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client:
        job = client.start("FOREVER")
        assert next(iter(job)).value == "begun"
        running.stop()
        with pytest.raises(CommandFailed, match="stopped while the job ran") as caught:
            job.result(PATIENCE_SECONDS)
        assert caught.value.code == "CANCELLED"


ENDLESS = """\
[commands.LOG]
run = ["/bin/sh", "-c", "i=0; while :; do echo part $i; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.01; done"]
job = true
timeout = "5m"
"""


class Killed:
    """A server that is killed and started again in the middle of a job.

    Args:
        certificates: the certificate directory.
        directory: for its data and its configuration.
    """

    def __init__(self, certificates: Path, directory: Path) -> None:
        self.data = directory / "data"
        self.data.mkdir(mode=0o700)
        with SQLiteTokenStorage(self.data / DATABASE) as storage:
            self.token: Token = Tokens(storage).create("ana", Role.USER)
        self._configuration = directory / "server.toml"
        self._configuration.write_text(ENDLESS, encoding="utf-8")
        self._certificates = certificates
        self.program = self._started(0)

    def _started(self, port: int) -> Program:
        more = ("--config", str(self._configuration), "--port", str(port))
        return Program(self._certificates, self.data, *more)

    def again(self) -> None:
        """Kill it as nothing else does, and start it again at once."""
        with self.program.process as process:
            process.kill()
        self.program = self._started(self.program.port)


@pytest.fixture
def killed(certificates: Path, tmp_path: Path, unmeasured: None) -> Iterator[Killed]:
    """The server."""
    server = Killed(certificates, tmp_path)
    yield server
    server.program.stop()


def follow(job: Job, proxy: FaultProxy, cuts: list[int], killed: Killed) -> None:
    """Take the parts of an endless job, cut the line at some of them, and kill the server at the last."""
    for expected, part in enumerate(job):
        assert (part.number, part.value) == (expected, f"part {expected}")
        if expected in cuts:
            proxy.cut()
        if expected == cuts[-1]:
            killed.again()


def kill_rounds(killed: Killed, certificates: Path, chance: random.Random, times: int) -> None:
    """Follow jobs over broken lines until the server is killed, and compare every part with what was kept."""
    with FaultProxy(killed.program.port) as proxy:
        for _ in range(times):
            # A new one each time: one whose connections all break comes back more and more slowly.
            with Client(f"localhost:{proxy.port}", token=killed.token, ca=certificates / "ca.pem") as client:
                job = client.start("LOG")
                cuts = sorted(chance.sample(range(2000), 4))
                with pytest.raises(JobLostError, match="how far it came nobody knows"):
                    follow(job, proxy, cuts, killed)
                assert job.next > cuts[-1]
                kept = client.execute("JOB", "SHOW", job.number)
                assert isinstance(kept, dict)
                assert (kept["state"], kept["next"]) == ("lost", job.next)


def test_all_parts_of_a_job_that_was_lost_are_told(killed: Killed, certificates: Path) -> None:
    """The line breaks again and again, then the server is killed: what it kept is told, then that it is lost."""
    kill_rounds(killed, certificates, random.Random(3), 1)  # noqa: S311 - no secret, and the same places each time


@pytest.mark.long
def test_all_parts_of_many_lost_jobs_are_told(killed: Killed, certificates: Path) -> None:
    """Likewise, with one server after the other."""
    kill_rounds(killed, certificates, random.Random(4), 25)  # noqa: S311 - as above

"""What peers send that is no request costs the server time, too: however much of it comes, nobody else waits for it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import ssl
import statistics
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.net.tls_wire import MOST_WASTED_BYTES
from tests.conftest import ServerFactory
from tests.integration.key_update_flood import RECORD_BYTES, TOKEN_VARIABLE, Connection, OpenSsl, UnusableError
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import connect, eventually

SLOWEST_SECONDS = 0.1
"""The longest that anybody's PING may take, whatever four attackers send; a server without bounds takes seconds."""
HUNG_SECONDS = 1.0
"""The longest on a machine however busy: a server may also keep others waiting without computing."""
STRANGERS = 2
SESSIONS = 2
ROUNDS = 3
"""The best one counts: what else the machine does is not the server's fault, and passes."""
FLOOD_SECONDS = 3.5
STRANGER_SECONDS = "3s"
"""Until a stranger is ended for not authenticating: before the flood is over, so that attackers are replaced in it."""
INTERVAL_SECONDS = 0.001
"""Between an answer and the next PING; without it the pings would be a load themselves."""
LEAST_PINGS = 100
LEAST_KEY_UPDATES = 20_000

HANDSHAKE_BYTES = 100_000
"""What a handshake may take from a peer. An honest one has two kilobytes, with a client certificate a few more."""


@dataclass(frozen=True)
class Ping:
    """How long one took.

    Attributes:
        seconds: until the answer.
        server_seconds: what the server computed meanwhile, all its threads together.
    """

    seconds: float
    server_seconds: float

    @property
    def delay(self) -> float:
        """How long the server let it wait: without the time in which the machine did not let the server run.

        Other tests run beside this one and take the processors as well, from a server that is idle hardly, from one
        under attack their full share. Where the server has a processor to itself, this is `seconds`.
        """
        return min(self.seconds, self.server_seconds)


@dataclass(frozen=True)
class Round:
    """What an honest client saw, and what was done to the server meanwhile.

    Attributes:
        pings: from the start of the attackers' program to its end.
        flood: what that said that it did.
    """

    pings: list[Ping]
    flood: dict[str, int]

    @property
    def good(self) -> bool:
        """Whether nobody waited, although there was an attack, and somebody to notice it."""
        return (
            max(ping.delay for ping in self.pings) < SLOWEST_SECONDS
            and max(ping.seconds for ping in self.pings) < HUNG_SECONDS
            and len(self.pings) >= LEAST_PINGS
            and self.flood["key_updates"] >= LEAST_KEY_UPDATES
            and self.flood["connections"] >= STRANGERS + SESSIONS
            and self.flood["logins"] >= SESSIONS
            and self.flood["ended"] >= STRANGERS
        )

    def __str__(self) -> str:
        worst = max(self.pings, key=lambda ping: ping.delay)
        slowest = max(ping.seconds for ping in self.pings)
        median = statistics.median(ping.seconds for ping in self.pings)
        return (
            f"worst PING {worst.seconds * 1000:.1f} ms, in which the server computed {worst.server_seconds * 1000:.1f} "
            f"ms; slowest {slowest * 1000:.1f} ms, median {median * 1000:.2f} ms of {len(self.pings)}; {self.flood}"
        )


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A user's, in the data directory of the server to come."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return Tokens(storage).create("user").reveal()


@pytest.fixture
def program(certificates: Path, tmp_path: Path, token: str, unmeasured: None) -> Iterator[Program]:
    """A server in a process of its own, so that it and whoever measures do not wait for one interpreter."""
    config = tmp_path / "config.toml"
    config.write_text(f'[timeouts]\nauthentication = "{STRANGER_SECONDS}"\n', encoding="utf-8")
    with Program(certificates, tmp_path / "data", "--config", str(config)) as started:
        yield started


def pings(peer: RespPeer, server: int, go_on: Callable[[], bool]) -> list[Ping]:
    """Send one PING after the other to the process `server`."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    clock = ~server << 3 | 2  # the processor time of another process, see clock_getcpuclockid(3)
    found = []
    while go_on():
        began, computed = time.monotonic(), time.clock_gettime(clock)
        assert peer.ask("PING") == "PONG"
        found.append(Ping(time.monotonic() - began, time.clock_gettime(clock) - computed))
        time.sleep(INTERVAL_SECONDS)
    return found


@contextlib.contextmanager
def flooding(port: int, token: str, kind: str) -> Iterator[subprocess.Popen[str]]:
    """Strangers and sessions that send KeyUpdates; they end by themselves, or on leaving the `with`."""
    options = {"port": port, "strangers": STRANGERS, "sessions": SESSIONS, "kind": kind, "seconds": FLOOD_SECONDS}
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.integration.key_update_flood"),
            *(f"--{name}={value}" for name, value in options.items()),
        ],
        cwd=ROOT,
        env=os.environ | {TOKEN_VARIABLE: token},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def attack(peer: RespPeer, program: Program, token: str, kind: str) -> Round:
    """Have `peer` ping beside a flood."""
    with flooding(program.port, token, kind) as flood:
        found = pings(peer, program.process.pid, lambda: flood.poll() is None)
        said, _ = flood.communicate()
    assert flood.returncode == 0
    return Round(found, json.loads(said))


@pytest.mark.skipif(sys.platform != "linux", reason="finds OpenSSL by /proc, forks, and reads a process's clock")
@pytest.mark.long
@pytest.mark.parametrize("kind", ["unrequested", "requested"])
def test_a_flood_of_key_updates_delays_nobody(certificates: Path, program: Program, token: str, kind: str) -> None:
    """OpenSSL takes in KeyUpdates for as long as they come, so the server bounds how much it is given in a turn."""
    openssl()
    with RespPeer(connect(program.port, certificates / "ca.pem")) as peer:
        peer.socket.settimeout(3 * PATIENCE_SECONDS)  # so that of a server that froze, one learns for how long
        peer.hello(token)
        rounds: list[Round] = []
        while len(rounds) < ROUNDS and not any(one.good for one in rounds):
            rounds.append(attack(peer, program, token, kind))
        assert any(one.good for one in rounds), "\n".join([f"{kind}:", *map(str, rounds)])


def openssl() -> OpenSsl:
    """Return the OpenSSL that Python has loaded."""
    try:
        return OpenSsl()
    except UnusableError as error:
        pytest.skip(f"no OpenSSL that ctypes could call: {error}")


@pytest.mark.skipif(sys.platform != "linux", reason="finds OpenSSL by /proc")
@pytest.mark.parametrize("role", [None, Role.USER])
def test_key_updates_without_end_end_the_connection(server: ServerFactory, role: Role | None) -> None:
    """A stranger's and a session's alike: nobody needs more of them than fit the longest record."""
    running, library = server(), openssl()
    token = None if role is None else running.token(role)
    with Connection(library, library.client_context(), running.port, Counter()) as attacker:
        attacker.establish(token)
        with contextlib.suppress(ConnectionError):  # it may be over before all was sent
            attacker.send(attacker.key_updates(itertools.repeat(0), 2 * MOST_WASTED_BYTES // RECORD_BYTES))
        eventually(lambda: " disconnected " in running.log())
    assert " reason=protocol-error" in running.log()


@pytest.mark.skipif(sys.platform != "linux", reason="finds OpenSSL by /proc")
def test_key_updates_among_data_are_no_matter(server: ServerFactory) -> None:
    """Who renews its keys again and again, and asks something in between, stays."""
    running, library = server(), openssl()
    with Connection(library, library.client_context(), running.port, Counter()) as client:
        client.establish(running.token())
        for number in range(5):
            client.send(client.key_updates(itertools.repeat(number % 2), MOST_WASTED_BYTES // RECORD_BYTES // 2))
            text = "x" * 500
            assert client.ask(f"PING {text}\n".encode()) == f"{text}\n".encode()


def hello_without_end(fragment: int, length: int) -> bytes:
    """Return `length` bytes or some more of a ClientHello that says that it is longer.

    OpenSSL reads a ClientHello of up to 131,396 bytes before it looks at any, in records of any size: fragments of one
    byte make that 788 KB.
    """
    message = b"\x01" + (131_000).to_bytes(3, "big") + bytes(131_000)
    records = bytearray()
    for start in range(0, len(message) - fragment, fragment):
        part = message[start : start + fragment]
        records += struct.pack("!BHH", 22, 0x0301, len(part)) + part
        if len(records) >= length:
            return bytes(records)
    raise AssertionError("it ended")


@pytest.mark.parametrize("fragment", [1, 100, 16384])
def test_a_handshake_without_end_has_failed(server: ServerFactory, fragment: int) -> None:
    """Who sends more than a handshake can need is refused then, and not at the deadline."""
    running = server(timeouts={"handshake": "2s"})
    with running.tcp() as sock:
        sent = hello_without_end(fragment, HANDSHAKE_BYTES + 10_000)
        with contextlib.suppress(ConnectionError):  # it may be over before all was sent
            sock.sendall(sent)
        eventually(lambda: " refused " in running.log())
    (reason,) = re.findall(r" refused .*reason=(\S+)", running.log())
    assert reason == "handshake-failed", f"after {len(sent)} bytes"


def test_a_long_handshake_that_ends_is_none_of_those(server: ServerFactory) -> None:
    """Half of what is allowed, and complete: an honest peer with much to say comes in."""
    running = server()
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols([f"{number:0255}" for number in range(HANDSHAKE_BYTES // 2 // 256)])
    with RespPeer(context.wrap_socket(running.tcp(), server_hostname="localhost")) as peer:
        peer.hello(running.token())
        assert peer.ask("PING") == "PONG"

"""A stranger's place: whoever floods the server with connections loses its own, and everybody else gets in."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.limits.newcomers import Shortage
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer, TextPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import (
    ELSEWHERE,
    Running,
    client_context,
    connect,
    connect_from,
    eventually,
    logged,
    tcp_from,
)
from tests.integration.silent_flood import KINDS

FLOODERS = [f"127.0.1.{number}" for number in range(1, 6)]
LIMITS = {"max_unauthenticated": 20, "unauthenticated_per_source": 10}
SOURCES = 20
LOGINS = 20
GOOD = 19
"""95 of 100; on a busy machine a login takes half a second beside such a flood, so there are no hundred here."""
LEAST_GIVEN_WAY = 100
"""Connections of the flood that are to end meanwhile, or there was none."""
FEW_PLACES = """
[limits]
max_unauthenticated = 200
unauthenticated_per_source = 120
[timeouts]
handshake = "60s"
authentication = "60s"
"""
"""So that all are taken on a machine however busy: a thousand handshakes take a while, and nobody leaves by himself."""


@contextlib.contextmanager
def silence(running: Running, places: int = LIMITS["max_unauthenticated"]) -> Iterator[deque[socket.socket]]:
    """Silent connections from five addresses take all places that are left: so many."""
    held: deque[socket.socket] = deque()
    with contextlib.ExitStack() as stack:
        for number in range(places):
            held.append(stack.enter_context(tcp_from(FLOODERS[number % len(FLOODERS)], running.port)))
        eventually(lambda: running.server.sessions.strangers == LIMITS["max_unauthenticated"])
        yield held
        while held:
            held.pop().close()


def test_whoever_comes_from_elsewhere_gets_in(server: ServerFactory) -> None:
    """For each the oldest silent connection goes, one only, and it is on record."""
    running = server(limits=LIMITS)
    with silence(running) as held:
        for flooder in FLOODERS:
            with TextPeer(connect_from(ELSEWHERE, running)) as peer:
                assert peer.ask(f"AUTH {running.token()}") == "OK"
            with held.popleft() as oldest:
                assert oldest.recv(1) == b""
            held.append(tcp_from(flooder, running.port))
        assert running.server.sessions.strangers <= LIMITS["max_unauthenticated"]
        logged(running, r"refused .* address=127\.0\.1\.1:\d+ reason=too-many unauthenticated-connections")


def test_whoever_is_slow_keeps_its_place_while_others_flood(server: ServerFactory) -> None:
    """In its handshake and after it, although it came long before those that flood."""
    running = server(limits=LIMITS)
    with (
        tcp_from(ELSEWHERE, running.port) as slow,
        TextPeer(connect_from(ELSEWHERE, running)) as stranger,
        silence(running, LIMITS["max_unauthenticated"] - 2) as held,
    ):
        for number in range(50):
            held.append(tcp_from(FLOODERS[number % len(FLOODERS)], running.port))
        eventually(lambda: running.server.sessions.given_way == {Shortage.ALL: 50})
        assert stranger.ask(f"AUTH {running.token()}") == "OK"
        with TextPeer(client_context(running.ca).wrap_socket(slow, server_hostname="localhost")) as peer:
            assert peer.ask(f"AUTH {running.token()}") == "OK"


def test_an_address_that_floods_leaves_room_for_others_and_for_its_own_next(server: ServerFactory) -> None:
    """Its share is all it has, and whoever comes from there, an administrator say, is not shut out by what is there."""
    running = server(limits=LIMITS)
    held = [tcp_from(ELSEWHERE, running.port) for _ in range(15)]
    try:
        logged(running, "refused .* reason=too-many connections-from-one-source")
        eventually(lambda: running.server.sessions.strangers == 10)
        with TextPeer(connect_from(ELSEWHERE, running)) as same, running.text() as other:
            assert same.ask(f"AUTH {running.token()}") == "OK"
            assert other.ask("PING") == "PONG"
    finally:
        for sock in held:
            sock.close()


def test_sessions_that_reset_shut_nobody_out(server: ServerFactory) -> None:
    """Each is a stranger like any other: beyond their share the oldest end, and are told if they still speak RESP3."""
    running = server(limits=LIMITS)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(running.resp()) for _ in range(25)]
        for session in sessions:
            assert session.ask("RESET") == "RESET"
        for session in sessions[:15]:
            assert session.rest() == []  # RESET leads back to RESP2
        eventually(lambda: running.server.sessions.strangers == 10)
        with TextPeer(connect_from(ELSEWHERE, running)) as newcomer:
            assert newcomer.ask(f"AUTH {running.token()}") == "OK"
        assert sessions[-1].ask("AUTH", running.token()) == "OK"


@pytest.fixture
def token(tmp_path: Path) -> str:
    """A user's, in the data directory of the server to come."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return Tokens(storage).create("user").reveal()


@contextlib.contextmanager
def flooding(port: int, kind: str) -> Iterator[Callable[[], dict[str, int]]]:
    """Twenty addresses that flood; yields what ends that, and returns what they did."""
    options = {"port": port, "kind": kind, "sources": SOURCES}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.silent_flood", *(f"--{key}={options[key]}" for key in options)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "all places are taken\n"
        yield lambda: json.loads(flood.communicate("")[0])


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs the addresses 127.0.1.1 and up")
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_addresses_that_flood_shut_nobody_out(
    certificates: Path, tmp_path: Path, token: str, unmeasured: None, kind: str
) -> None:
    """Logins from elsewhere get in at their first try while the flood goes on."""
    tries, failures, given_way = 0, list[Exception](), 0
    config = tmp_path / "config.toml"
    config.write_text(FEW_PLACES, encoding="utf-8")
    with (
        Program(certificates, tmp_path / "data", "--config", str(config)) as program,
        flooding(program.port, kind) as end,
    ):
        while tries < LOGINS or given_way < LEAST_GIVEN_WAY:
            tries += 1
            try:
                with RespPeer(connect(program.port, certificates / "ca.pem")) as peer:
                    peer.hello(token)
                    found = re.search(r"rejected_connections:(\d+)", str(peer.ask("INFO", "stats")))
                    given_way = int(found[1]) if found else 0
            except (OSError, EOFError, AssertionError) as error:
                failures.append(error)
        assert end()["ended"]
    assert (tries - len(failures)) / tries >= GOOD / LOGINS, failures

"""What a closed connection over QUIC leaves behind: nothing, without waiting for the collector of cycles."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.quic import listener
from secure_server.quic.library import Connection
from secure_server.quic.line import Line
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.quic_peers import come
from tests.integration.quic_socket import ALPN, QuicSocket
from tests.integration.running import Running, eventually
from tests.integration.slow_commands import Seen

FEW, MANY = 40, 200
"""Connections that come and go, at least."""


class Noted:
    """What was made, by the way in which it is to end."""

    def __init__(self) -> None:
        self.way = ""
        self._made: list[tuple[str, weakref.ref[object]]] = []

    def note(self, made: object) -> None:
        """One was made."""
        self._made.append((f"{type(made).__name__}, {self.way}", weakref.ref(made)))

    @property
    def count(self) -> int:
        """How many were made."""
        return len(self._made)

    @property
    def alive(self) -> Counter[str]:
        """Those that are still there."""
        return Counter(made for made, reference in self._made if reference() is not None)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Noted]:
    """Note each connection of the server, while nothing is collected."""
    notes = Noted()

    def line(*arguments: object) -> Line:
        made = Line(*arguments)  # type: ignore[arg-type] # handed on
        notes.note(made)
        return made

    def connection(*arguments: object) -> Connection:
        made = Connection(*arguments)  # type: ignore[arg-type] # handed on
        notes.note(made)
        return made

    monkeypatch.setattr(listener, "Line", line)
    monkeypatch.setattr(listener, "Connection", connection)
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged, with its traceback
    gc.collect()
    gc.disable()
    yield notes
    gc.enable()
    logging.disable(logging.NOTSET)


def exits(server: Running) -> None:
    """In order."""
    with come(server) as peer:
        peer.ask("EXIT")
        peer.rest()
        peer.quic.end()


def leaves(server: Running) -> None:
    """With the connection's end alone."""
    with come(server) as peer:
        assert peer.ask("PING") == "PONG"


def moves(server: Running) -> None:
    """Several times before it goes."""
    with come(server) as peer:
        for _ in range(3):
            peer.quic.move()
            assert peer.ask("PING") == "PONG"


def is_kicked(server: Running) -> None:
    """By an administrator, who goes then."""
    with come(server) as peer, server.resp(server.token(Role.ADMIN)) as admin:
        admin.ask("KICK", str(peer.number()))
        peer.rest()
        peer.quic.end()


def is_kicked_while_a_command_runs(server: Running) -> None:
    """Whose handler ends later, and is heard by nobody."""
    Seen.forget()
    with come(server) as peer, server.resp(server.token(Role.ADMIN)) as admin:
        number = peer.number()
        peer.request("HOLD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        admin.ask("KICK", str(number))
        peer.rest()
        Seen.released.set()


def goes_while_a_stream_waits_for_it(server: Running) -> None:
    """With more to read than it reads."""
    Seen.forget()
    with come(server) as peer:
        peer.request("FLOOD")
        peer.reply()
    assert Seen.closed.wait(PATIENCE_SECONDS)


def breaks_the_rules(server: Running) -> None:
    """Of QUIC, and is closed for it."""
    with come(server) as peer:
        peer.quic.frames(bytes([0x21, 0, 0]))
        peer.quic.end()


def never_opens_the_stream(server: Running) -> None:
    """And goes again."""
    QuicSocket(server.quic_port, server.ca).close()


def shows_a_wrong_token(server: Running) -> None:
    """Until it is closed for that."""
    with come(server, token=None) as peer:
        for _ in range(3):
            peer.request("AUTH", Token.generate().reveal())
        peer.rest()


def does_not_trust(server: Running) -> None:
    """Breaks the handshake off."""
    with pytest.raises(ConnectionRefusedError):
        QuicSocket(server.quic_port, server.ca, "elsewhere.example")


def begins_and_goes(server: Running) -> None:
    """Sends its first datagram alone."""
    quic = QuicConnection(
        configuration=QuicConfiguration(alpn_protocols=[ALPN], server_name="localhost", cafile=str(server.ca))
    )
    quic.connect(("127.0.0.1", server.quic_port), now=time.monotonic())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data, address in quic.datagrams_to_send(now=time.monotonic()):
            sock.sendto(data, address)


def is_silent_in_the_middle(server: Running) -> None:
    """Of a stream, for good."""
    Seen.forget()
    with come(server) as peer:
        peer.request("FLOOD")
        peer.reply()
        peer.quic.vanish()
    assert Seen.closed.wait(PATIENCE_SECONDS)


WAYS: tuple[Callable[[Running], None], ...] = (
    exits,
    leaves,
    moves,
    is_kicked,
    is_kicked_while_a_command_runs,
    goes_while_a_stream_waits_for_it,
    breaks_the_rules,
    never_opens_the_stream,
    shows_a_wrong_token,
    does_not_trust,
    begins_and_goes,
    is_silent_in_the_middle,
)


@pytest.mark.parametrize("connections", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_a_closed_connection_leaves_nothing_behind(server: ServerFactory, noted: Noted, connections: int) -> None:
    """Whatever ended it, the library's connection and ours go with it, not with the collector."""
    running = server(
        quic={"enabled": True},
        threads={"workers": 2},
        timeouts={"handshake": "1s", "write": "500ms"},
        penalties={"exempt": ["127.0.0.0/8"]},
    )
    running.server.registry.load([slow_commands])
    while noted.count < 2 * connections:
        for way in WAYS:
            noted.way = way.__name__
            way(running)
    with contextlib.suppress(TimeoutError):
        eventually(lambda: not noted.alive)
    assert not noted.alive

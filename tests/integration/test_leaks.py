"""What a closed connection leaves behind: nothing, without waiting for the collector of cycles."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import ssl
import struct
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from secure_protocol.resp_requests import encode_request
from secure_protocol.token import Token
from secure_server.admission import reception
from secure_server.auth.principal import Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.net import handshake
from secure_server.net.tls_wire import TlsWire
from secure_server.session.call import Later
from secure_server.session.session import Session
from secure_server.web import listener
from secure_server.web.exchange import Exchange
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.peers import PATIENCE_SECONDS, Peer, RespPeer, TextPeer
from tests.integration.running import Running, eventually
from tests.integration.slow_commands import Seen
from tests.integration.web_peer import BINARY, WebPeer, browser_context, frame, head

FEW, MANY = 40, 200
"""Connections that come and go, at least."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes close send a reset."""


@command("FAIL", inline=True, audit=False)
def fail(_context: Context) -> str:
    """Fail on the loop."""
    raise ZeroDivisionError


@command("LATER", inline=True, audit=False)
def later(_context: Context, *, failing: bool = False) -> Later[None]:
    """Answer when a worker has done its part, as a login does that uses its token up."""

    def work() -> None:
        Seen.started.set()
        assert Seen.released.wait(PATIENCE_SECONDS)
        if failing:
            raise ZeroDivisionError

    return Later(work, lambda _: "done", lambda: None)


class NotedSession(Session):
    """A session that can be referred to weakly."""

    __slots__ = ("__weakref__",)


class NotedExchange(Exchange):
    """An HTTP connection, likewise."""

    __slots__ = ("__weakref__",)


class Noted:
    """What was made, by the way in which it is to end."""

    def __init__(self) -> None:
        self.way = ""
        self._made: list[tuple[str, weakref.ref[object]]] = []

    def note(self, kind: str, made: object) -> None:
        """One was made."""
        self._made.append((f"{kind}, {self.way}", weakref.ref(made)))

    def count(self, kind: str) -> int:
        """How many of a kind were made."""
        return sum(made.startswith(kind) for made, _ in self._made)

    @property
    def alive(self) -> Counter[str]:
        """Those that are still there."""
        return Counter(made for made, reference in self._made if reference() is not None)


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Noted]:
    """Note each SSL object of the server and each session, while nothing is collected."""
    notes = Noted()

    def wire(sock: socket.socket, context: ssl.SSLContext) -> TlsWire:
        made = TlsWire(sock, context)
        notes.note("TLS", made.tls)
        return made

    def session(*arguments: object) -> Session:
        made = NotedSession(*arguments)  # type: ignore[arg-type] # handed on
        notes.note("session", made)
        return made

    def http(*arguments: object) -> Exchange:
        made = NotedExchange(*arguments)  # type: ignore[arg-type] # handed on
        notes.note("HTTP", made)
        return made

    monkeypatch.setattr(handshake, "TlsWire", wire)
    monkeypatch.setattr(listener, "Exchange", http)
    monkeypatch.setattr(reception, "Session", session)
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged, with its traceback
    gc.collect()
    gc.disable()
    yield notes
    gc.enable()
    logging.disable(logging.NOTSET)


def exits(server: Running) -> None:
    """In order, as a person leaves, who has used what there is."""
    with server.text() as peer:
        assert peer.ask("ECHO x") == "ECHO: x"
        assert peer.ask("NOTIFY on") == "OK"
        peer.ask("EXIT")
        peer.rest()
        peer.leave()


def leaves(server: Running) -> None:
    """With close_notify, a program that used commands that the gate cleared."""
    with server.resp() as peer:
        assert [peer.ask("ECHO", "x") for _ in range(3)] == ["x", "x", "x"]
        peer.leave()


def vanishes(server: Running) -> None:
    """Without close_notify."""
    with server.resp() as peer:
        assert peer.ask("PING") == "PONG"


def resets(server: Running) -> None:
    """As from a program that was killed."""
    with server.resp() as peer:
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def is_kicked(server: Running) -> None:
    """By an administrator, who goes then."""
    with server.resp() as peer, server.resp(server.token(Role.ADMIN)) as admin:
        admin.ask("KICK", str(peer.ask("CLIENT", "ID")))
        peer.rest()


def speaks_no_tls(server: Running) -> None:
    """Bytes that are no handshake."""
    with Peer(server.tcp()) as peer:
        peer.send(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while peer.receive():
                pass


def says_nothing(server: Running) -> None:
    """Goes before the handshake."""
    server.tcp().close()


def does_not_trust(server: Running) -> None:
    """Breaks the handshake off."""
    with server.tcp() as sock, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


def speaks_what_nobody_knows(server: Running) -> None:
    """Behind the handshake, by ALPN."""
    context = ssl.create_default_context(cafile=str(server.ca))
    context.set_alpn_protocols(["h2"])
    with server.tcp() as sock, contextlib.suppress(OSError), context.wrap_socket(sock, server_hostname="localhost"):
        pass


def browser(server: Running) -> WebPeer:
    """Connect as a browser does."""
    return WebPeer(server.port, browser_context(server.ca))


def loads_the_page(server: Running) -> None:
    """And closes the connection."""
    with browser(server) as peer:
        peer.send(head("GET / HTTP/1.1", "Host: localhost"))
        assert peer.answered().status == 200


def leaves_a_page_unread(server: Running) -> None:
    """With more of them to send."""
    with browser(server) as peer:
        peer.send(head("GET / HTTP/1.1", "Host: localhost") * 50)


def breaks_http(server: Running) -> None:
    """And is closed for it."""
    with browser(server) as peer:
        peer.send(b"\r\n\r\n")
        peer.rest()


def leaves_the_page(server: Running) -> None:
    """With a session, in order."""
    with browser(server) as peer:
        peer.upgrade()
        peer.send(frame(BINARY, encode_request([b"QUIT"])))
        assert peer.closed().code == 1000


def breaks_web_socket(server: Running) -> None:
    """And is closed for it."""
    with browser(server) as peer:
        peer.upgrade()
        peer.send(frame(BINARY, b"x", masked=False))
        assert peer.closed().code == 1002


def shows_a_wrong_token(server: Running) -> None:
    """Until it is closed for that."""
    with TextPeer(server.tls()) as peer:
        for _ in range(3):
            peer.send(f"AUTH {Token.generate().reveal()}\n".encode())
        peer.rest()


def breaks_the_protocol(server: Running) -> None:
    """And is closed for it."""
    with RespPeer(server.tls()) as peer:
        peer.send(b"*1\r\n!\r\n")
        peer.rest()


def goes_while_a_command_runs(server: Running) -> None:
    """Its handler hears of it."""
    Seen.forget()
    with server.resp() as peer:
        peer.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
    assert Seen.cancelled.wait(PATIENCE_SECONDS)


def is_kicked_while_a_command_runs(server: Running) -> None:
    """Whose handler ends later, and is heard by nobody."""
    Seen.forget()
    with server.resp() as peer, server.resp(server.token(Role.ADMIN)) as admin:
        number = str(peer.ask("CLIENT", "ID"))
        peer.request("HOLD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        admin.ask("KICK", number)
        peer.rest()
        Seen.released.set()


def goes_while_a_stream_waits_for_it(server: Running) -> None:
    """With more to read than it reads."""
    Seen.forget()
    with server.resp() as peer:
        peer.request("FLOOD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        peer.reply()
    assert Seen.closed.wait(PATIENCE_SECONDS)


def asks_for_what_fails(server: Running) -> None:
    """Bugs, whose tracebacks have seen the session, on each way that a command takes, and one that takes too long."""
    Seen.forget()
    Seen.released.set()
    with server.resp() as peer:
        for _ in range(2):  # the second time the gate need not look at it again
            assert "Internal error" in str(peer.ask("FAIL"))
        for request in ("COUNT 1 bug", "LATER --failing", "NOTHING", "WAIT", "PING"):
            peer.request(*request.split())
        while peer.reply() != "PONG":
            pass


def goes_while_its_answer_takes_a_disk(server: Running) -> None:
    """And whether that works or fails, nobody hears."""
    for request in ("LATER", "LATER --failing"):
        Seen.forget()
        with server.resp() as peer:
            peer.request(*request.split())
            assert Seen.started.wait(PATIENCE_SECONDS)
            peer.leave()
        eventually(lambda: not len(server.server.sessions))
        Seen.released.set()


WAYS: tuple[Callable[[Running], None], ...] = (
    exits,
    leaves,
    vanishes,
    resets,
    is_kicked,
    speaks_no_tls,
    says_nothing,
    does_not_trust,
    speaks_what_nobody_knows,
    loads_the_page,
    leaves_a_page_unread,
    breaks_http,
    leaves_the_page,
    breaks_web_socket,
    shows_a_wrong_token,
    breaks_the_protocol,
    goes_while_a_command_runs,
    is_kicked_while_a_command_runs,
    goes_while_a_stream_waits_for_it,
    goes_while_its_answer_takes_a_disk,
    asks_for_what_fails,
)


@pytest.mark.parametrize("connections", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_a_closed_connection_leaves_nothing_behind(server: ServerFactory, noted: Noted, connections: int) -> None:
    """Whatever ended it, its OpenSSL object and its session go with it, not with the collector."""
    running = server(web={"enabled": True}, threads={"workers": 2}, penalties={"exempt": ["127.0.0.0/8"]})
    running.server.registry.load([slow_commands, sys.modules[__name__]])
    while noted.count("TLS") < connections:
        for way in WAYS:
            noted.way = way.__name__
            way(running)
    with contextlib.suppress(TimeoutError):
        eventually(lambda: not noted.alive)
    assert not noted.alive
    assert noted.count("session") > connections / 2

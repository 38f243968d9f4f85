"""The transports that a scenario is run over, and a server that is reached by all of them."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.integration.memory_transport import MemoryListener
from tests.integration.peers import RespPeer, TextPeer
from tests.integration.running import Running
from tests.integration.web_socket import WebSocket

HAVE_QUIC = importlib.util.find_spec("aioquic") is not None
"""Whether its extra is installed; nothing else here needs it."""


class Reachable(Running):
    """A server with one more transport than it has by itself; see `Running` for the arguments."""

    def __init__(self, certificates: Path, data: Path, overrides: dict[str, object]) -> None:
        more: dict[str, object] = {"web": {"enabled": True}}
        if HAVE_QUIC:
            more["quic"] = {"enabled": True}
        super().__init__(certificates, data, {**more, **overrides})
        self.memory = MemoryListener(self.server.reception, self.server.config.timeouts)
        self.server.listeners.append(self.memory)


@dataclass(frozen=True)
class Transport:
    """One way to a server.

    Attributes:
        name: as lists and the log have it.
        connect: returns a socket, or what can be used as one.
        proves: it says itself who comes by it, so that there is no token to show.
    """

    name: str
    connect: Callable[[Reachable], socket.socket]
    proves: bool = False

    def text(self, server: Reachable) -> TextPeer:
        """Come in as a person typing lines."""
        peer = TextPeer(self.connect(server))
        if not self.proves:
            assert peer.ask(f"AUTH {server.token()}") == "OK"
        return peer

    def resp(self, server: Reachable, token: str = "") -> RespPeer:
        """Come in as a program that can be told what it did not ask for, as the user or with `token`."""
        peer = RespPeer(self.connect(server))
        if self.proves:
            assert isinstance(peer.ask("HELLO", "3"), dict)
        else:
            peer.hello(token or server.token())
        return peer


def _unix(server: Reachable) -> socket.socket:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(str(server.data / "admin.sock"))
    return sock


TLS = Transport("tls", lambda server: server.tls())
UNIX = Transport("unix", _unix, proves=True)


def _web(server: Reachable) -> socket.socket:
    context = ssl.create_default_context(cafile=str(server.ca))
    context.set_alpn_protocols(["http/1.1"])
    raw = server.tcp()
    web = WebSocket(context.wrap_socket(raw, server_hostname="localhost"), f"https://localhost:{server.port}")
    return cast("socket.socket", web)


WEB = Transport("websocket", _web)
MEMORY = Transport("memory", lambda server: cast("socket.socket", server.memory.connect()))


def _quic(server: Reachable) -> socket.socket:
    from tests.integration.quic_socket import QuicSocket  # noqa: PLC0415 - its package may be missing

    return cast("socket.socket", QuicSocket(server.quic_port, server.ca))


QUIC = Transport("quic", _quic)


def over(*transports: Transport) -> pytest.MarkDecorator:
    """Run a scenario over each of them."""
    without_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
    without_quic = pytest.mark.skipif(not HAVE_QUIC, reason="needs aioquic, which the extra `quic` has")
    marks = {UNIX.name: [without_unix], QUIC.name: [without_quic]}
    return pytest.mark.parametrize(
        "transport", [pytest.param(item, id=item.name, marks=marks.get(item.name, [])) for item in transports]
    )


over_all = over(TLS, UNIX, MEMORY, WEB, QUIC)
over_those_with_strangers = over(TLS, MEMORY, WEB, QUIC)
"""Not over the admin socket: whoever may open it is an administrator already, so there is no token to show, to refuse
or to revoke, and it is never idle, for its shell stays open all day."""

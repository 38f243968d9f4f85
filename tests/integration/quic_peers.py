"""Programs that come over QUIC, perhaps by way of a proxy."""

from __future__ import annotations

import socket
from typing import cast

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from secure_protocol.replies import Push
from tests.integration.peers import RespPeer
from tests.integration.quic_socket import QuicSocket
from tests.integration.running import Running


class QuicPeer(RespPeer):
    """A program speaking RESP over QUIC.

    Args:
        quic: connected.

    Attributes:
        quic: the same.
    """

    def __init__(self, quic: QuicSocket) -> None:
        super().__init__(cast("socket.socket", quic))
        self.quic = quic

    def number(self) -> int:
        """Return the number of its session."""
        return int(str(self.ask("CLIENT", "ID")))


def come(running: Running, port: int = 0, token: str | None = "", *, source: str = "127.0.0.1") -> QuicPeer:
    """Come in as a program: as the user, with `token`, or with None as a stranger.

    Args:
        running: the server.
        port: of a proxy before it.
        token: which.
        source: the address to come from; a test is skipped where this machine has no such address.
    """
    try:
        peer = QuicPeer(QuicSocket(port or running.quic_port, running.ca, source=source))
    except ConnectionRefusedError:
        raise
    except OSError as error:
        if source == "127.0.0.1":
            raise
        pytest.skip(f"this system has no {source}: {error}")
    if token is not None:
        peer.hello(token or running.token())
    return peer


def streamed(peer: RespPeer, count: int) -> None:
    """Have a command stream so many lines, and hold that each comes once, in its place; see `slow_commands`."""
    peer.request("COUNT", str(count), "value")
    all_streamed(peer, count)


def all_streamed(peer: RespPeer, count: int) -> None:
    """Hold that so many lines come that were asked for, each once, in its place."""
    lines: list[object] = []
    while isinstance(reply := peer.reply(), Push):
        if reply.kind == "stream":
            lines += reply.items
    assert reply == "the end"
    assert lines == [f".line {number + 1}" for number in range(count)]

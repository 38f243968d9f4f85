"""Frames as a wire: when their peer is suspect, and what is sent of the session's bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from websockets.frames import Frame, Opcode

from secure_server.net.wire import PlainWire
from secure_server.session.session import Session
from secure_server.session.state import State
from secure_server.web.web_wire import FRAME_BYTES, MANY, WebWire


@pytest.fixture
def ends() -> Iterator[tuple[WebWire, socket.socket]]:
    """A wire of somebody who is in, and the other end."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    theirs.settimeout(10.0)
    session = cast("Session", SimpleNamespace(state=State.AUTHENTICATED, close_reason=None))
    with ours, theirs:
        yield WebWire(PlainWire(ours), b"", lambda: session), theirs


def frame(data: bytes) -> bytes:
    """Return a frame as a page sends it."""
    return Frame(Opcode.BINARY, data).serialize(mask=True)


def test_many_frames_in_a_turn_make_suspect(ends: tuple[WebWire, socket.socket]) -> None:
    """Until there are fewer; a long one that comes in pieces does not."""
    wire, peer = ends
    peer.sendall(frame(b"x") * (MANY + 1))
    assert wire.read() == b"x" * (MANY + 1)
    assert wire.suspect
    peer.sendall(frame(b"x") * MANY)
    assert wire.read() == b"x" * MANY
    assert not wire.suspect
    long = frame(b"y" * 30_000)
    peer.sendall(long)
    assert wire.read() is None
    assert not wire.suspect
    assert wire.read() == b"y" * 30_000


def test_what_the_socket_took_is_told_of_the_sessions_bytes(ends: tuple[WebWire, socket.socket]) -> None:
    """The rest stays in front until it went, whatever frames make of it; the peer gets all of it, once."""
    (wire, peer), output = ends, bytearray(b"z" * (5 * FRAME_BYTES))
    expected, got = len(output), b""
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    while output or wire.unsent:
        del output[: wire.write(output)]
        got += peer.recv(65536)
    while len(got) < expected + 5 * 10:
        got += peer.recv(65536)
    assert got.count(b"z") == expected

"""TLS beside its socket: the short way below `ssl.SSLSocket` and the public one do the same."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from secure_server.net.tls import server_context
from secure_server.net.tls_socket import TlsSocket, stream_of
from tests.secure_server.host import PATIENCE


class Public:
    """A context as a later Python may have it: without the private method."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.wrap_socket = context.wrap_socket


@pytest.fixture(params=["private", "public"])
def ends(certificates: Path, request: pytest.FixtureRequest) -> Iterator[tuple[TlsSocket, ssl.SSLSocket]]:
    """The server's end, non-blocking, and the client's; TLS is established."""
    server = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3")
    client = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    private = request.param == "private"
    with contextlib.ExitStack() as stack:
        ours, theirs = map(stack.enter_context, socket.socketpair())
        theirs.settimeout(PATIENCE)
        sock = TlsSocket(ours, server if private else cast("ssl.SSLContext", Public(server)))
        stack.enter_context(sock.raw)
        assert isinstance(sock.tls, ssl.SSLSocket) is not private
        thread = threading.Thread(target=sock.tls.do_handshake)
        thread.start()
        peer = stack.enter_context(client.wrap_socket(theirs, server_hostname="localhost", suppress_ragged_eofs=False))
        thread.join()
        sock.raw.settimeout(0)
        yield sock, peer


def test_records_are_read_and_written(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    """Bytes, nothing there yet, and the orderly end."""
    ours, theirs = ends
    stream = stream_of(ours)
    with pytest.raises(ssl.SSLWantReadError):
        stream.read(10)
    theirs.sendall(b"hello")
    assert stream.read(16384) == b"hello"
    assert stream.write(bytearray(b"world")) == 5
    assert theirs.recv(10) == b"world"
    with contextlib.suppress(ssl.SSLWantReadError):
        theirs.settimeout(0)
        theirs.unwrap()
    assert stream.read(10) == b""


def test_what_was_agreed_on_is_told(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    """Version, cipher, no ALPN, and no certificate of the client's."""
    tls, theirs = ends[0].tls, ends[1]
    assert (tls.version(), tls.cipher()) == (theirs.version(), theirs.cipher())
    assert tls.selected_alpn_protocol() is None
    assert tls.getpeercert(True) is None  # noqa: FBT003 - as the code calls it


def test_the_end_says_close_notify_and_leaves_the_socket_open(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    """The peer reads an orderly end; what it sends afterwards can still be read and dropped."""
    ours, theirs = ends
    with ours.end() as plain:
        assert theirs.recv(10) == b""
        assert not plain.getblocking()
        plain.shutdown(socket.SHUT_WR)
        theirs.sendall(b"too late")
        assert plain.recv(100)


def test_the_end_of_what_never_began_is_no_error(certificates: Path) -> None:
    """The peer said nothing yet."""
    server = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3")
    left, right = socket.socketpair()
    with right:
        left.settimeout(0)
        TlsSocket(left, server).end().close()
        assert right.recv(10) == b""


def test_what_is_no_tls_is_read_and_written_as_it_is() -> None:
    """The admin socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = stream_of(ours)
        assert stream.write(b"hello") == 5
        assert theirs.recv(10) == b"hello"
        theirs.sendall(b"world")
        assert stream.read(10) == b"world"

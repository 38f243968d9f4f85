"""HTTP and WebSocket on the port that everybody uses, over real TLS."""

from __future__ import annotations

import gzip
import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from secure_protocol.resp_requests import encode_request
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running, eventually


@pytest.fixture
def served(server: ServerFactory) -> Running:
    """A server that serves browsers."""
    return server(web={"enabled": True})


def asked(
    running: Running, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Make one request, on a connection of its own."""
    connection = http.client.HTTPSConnection("localhost", running.port, context=offering(running, "http/1.1"))
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def offering(running: Running, *protocols: str) -> ssl.SSLContext:
    """Return a careful client's context that names protocols."""
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols(list(protocols))
    return context


@contextmanager
def opened(running: Running) -> Iterator[ClientConnection]:
    """Open a session as a page does."""
    with connect(
        f"wss://localhost:{running.port}/v1/session",
        ssl=offering(running, "http/1.1"),
        subprotocols=[Subprotocol("secure-command.1")],
        origin=Origin(f"https://localhost:{running.port}"),
        compression=None,
    ) as page:
        yield page


def taken(page: ClientConnection) -> bytes:
    """Return what a frame holds."""
    data = page.recv(PATIENCE_SECONDS)
    assert isinstance(data, bytes)
    return data


def words(*parts: str) -> bytes:
    """Encode a request."""
    return encode_request([part.encode() for part in parts])


def test_the_page_is_served_with_its_headers(served: Running) -> None:
    """Nothing from elsewhere, nothing inline, in nobody's frame."""
    status, headers, body = asked(served, "/")
    assert status == 200
    assert b"<!doctype html>" in body
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not any(name.startswith(("access-control", "set-cookie")) for name in headers)
    again = asked(served, "/", headers={"If-None-Match": headers["etag"]})
    assert (again[0], again[2]) == (304, b"")
    assert asked(served, "/", "HEAD")[::2] == (200, b"")


def test_a_session_runs_over_web_socket(served: Running) -> None:
    """RESP3 in binary frames, whatever their bounds; the peers are told apart by transport."""
    with opened(served) as page:
        hello = words("HELLO", "3", "AUTH", "user", served.token())
        page.send(hello[:7])
        page.send(hello[7:])
        assert taken(page).startswith(b"%")
        page.send(words("ECHO", "hello") + words("PING"))
        assert taken(page) == b"$5\r\nhello\r\n+PONG\r\n"
        long = words("ECHO", "x" * 200_000)
        for start in range(0, len(long), 60_000):
            page.send(long[start : start + 60_000])
        answer = b""
        while len(answer) < 200_011:
            answer += taken(page)
        assert answer == b"$200000\r\n" + b"x" * 200_000 + b"\r\n"
        assert [found.peer.transport for found in served.server.sessions] == ["websocket"]
        page.send(words("QUIT"))
        assert taken(page) == b"+OK\r\n"
        with pytest.raises(ConnectionClosed) as closed:
            taken(page)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "goodbye")


def test_a_page_load_leaves_nobody_behind(served: Running) -> None:
    """No session, no stranger, no penalty."""
    for _ in range(5):
        assert asked(served, "/")[0] == 200
    eventually(lambda: served.server.sessions.strangers == 0)
    assert not list(served.server.sessions)


def test_without_it_nobody_who_speaks_http_is_served(server: ServerFactory) -> None:
    """As before."""
    running = server()
    with pytest.raises((OSError, http.client.HTTPException)):
        asked(running, "/")


def test_a_stranger_is_held_to_small_frames(served: Running) -> None:
    """There may be many strangers, and a frame is held until it is whole; whoever is in may send longer ones."""
    with opened(served) as page:
        page.send(b"*2\r\n$4\r\nAUTH\r\n$9000\r\n" + b"x" * 9000)
        with pytest.raises(ConnectionClosed) as closed:
            taken(page)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_the_files_are_packed_for_who_takes_that(served: Running) -> None:
    """A third as long on the way."""
    whole = asked(served, "/style.css")
    packed = asked(served, "/style.css", headers={"Accept-Encoding": "br, gzip"})
    assert packed[1]["content-encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == whole[2]
    assert "content-encoding" not in whole[1]
    assert whole[1]["vary"] == packed[1]["vary"] == "Accept-Encoding"


def test_a_host_is_a_name_and_a_port_and_nothing_else(served: Running) -> None:
    """What stands in the page's policy comes from there."""
    policy = asked(served, "/", headers={"Host": "localhost"})[1]["content-security-policy"]
    for port in (":5000; script-src *", ":5000 https:", ":x", ",evil", ":"):
        status, headers, _ = asked(served, "/", headers={"Host": f"localhost{port}"})
        assert status == 421, port
        assert headers["content-security-policy"] == policy.replace(" wss://localhost", ""), port
    assert asked(served, "/", headers={"Host": "LocalHost:1"})[0] == 200

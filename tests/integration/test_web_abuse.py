"""What is no HTTP and no WebSocket of ours: it costs its own connection, with a status or a close code; no memory."""

from __future__ import annotations

import itertools
import mmap
import select
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.web import exchange
from tests.conftest import ServerFactory
from tests.integration.bystander import bystander
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import Program
from tests.integration.running import Running
from tests.integration.web_peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    WebPeer,
    browser_context,
    frame,
    head,
    mask,
)

PAGE = "GET / HTTP/1.1"
HOST = "Host: localhost"
BEHIND = head("GET /behind HTTP/1.1", HOST)
"""What would be answered, if it were taken for a request of its own."""
WORD = encode_request([b"PING"])

HEADS: dict[str, tuple[bytes, int]] = {
    # Whose name it is, see also the two tests below
    "no Host": (head(PAGE), 400),
    "two Hosts": (head(PAGE, HOST, HOST), 400),
    "an empty Host": (head(PAGE, "Host: "), 421),
    "two names in one Host": (head(PAGE, "Host: elsewhere.example, localhost"), 421),
    "a Host behind a name": (head(PAGE, "Host: localhost@elsewhere.example"), 421),
    "a Host that ours begins": (head(PAGE, "Host: localhost.elsewhere.example"), 421),
    "a Host that a proxy would forward": (head(PAGE, "Host: elsewhere.example", "X-Forwarded-Host: localhost"), 421),
    # Methods and versions
    "POST": (head("POST / HTTP/1.1", HOST), 405),
    "TRACE": (head("TRACE / HTTP/1.1", HOST), 405),
    "CONNECT": (head("CONNECT / HTTP/1.1", HOST), 405),
    "OPTIONS": (head("OPTIONS / HTTP/1.1", HOST), 405),
    "a method in small letters": (head("get / HTTP/1.1", HOST), 405),
    "a method that there is not": (head("BREW / HTTP/1.1", HOST), 405),
    "a place to send to that proxies take": (head("CONNECT localhost:443 HTTP/1.1", HOST), 400),
    "HTTP/0.9": (head("GET / HTTP/0.9", HOST), 505),
    "HTTP/2.0": (head("GET / HTTP/2.0", HOST), 505),
    "HTTP/2's greeting": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no version": (head("GET /", HOST), 400),
    "a version in small letters": (head("GET / http/1.1", HOST), 400),
    # Where a request ends
    "length and chunks": (head(PAGE, HOST, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "chunks in HTTP/1.0": (head("GET / HTTP/1.0", HOST, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "two lengths": (head(PAGE, HOST, "Content-Length: 5", "Content-Length: 6") + b"12345", 400),
    "a negative length": (head(PAGE, HOST, "Content-Length: -1"), 400),
    "a length with a sign": (head(PAGE, HOST, "Content-Length: +5") + b"12345", 400),
    "a length in hex": (head(PAGE, HOST, "Content-Length: 0x5") + b"12345", 400),
    "a length before a blank": (head(PAGE, HOST, "Content-Length : 5") + b"12345", 400),
    "an unknown coding": (head(PAGE, HOST, "Transfer-Encoding: xchunked"), 501),
    "two codings": (head(PAGE, HOST, "Transfer-Encoding: gzip, chunked"), 501),
    "a chunk without a size": (head("POST / HTTP/1.1", HOST, "Transfer-Encoding: chunked") + b"zz\r\n", 400),
    "a request as a body": (head("POST / HTTP/1.1", HOST, f"Content-Length: {len(BEHIND)}"), 405),
    # Characters
    "a NUL": (head(PAGE, HOST, "X: a\0b"), 400),
    "a lonely carriage return": (head(PAGE, HOST, "X: a\rHost: elsewhere.example"), 400),
    "a blank in the path": (head("GET / x HTTP/1.1", HOST), 400),
    "a path that is not ASCII": (head("GET /\xe9 HTTP/1.1", HOST), 400),
    "TLS within TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "nothing": (b"\r\n\r\n", 400),
    "RESP": (encode_request([b"AUTH", b"x"]) + b"\r\n\r\n", 400),
    "text": (b"AUTH x\r\n\r\n", 400),
    # Sizes
    "a head without end": (head(PAGE, HOST, f"X: {'x' * 40_000}")[:-4], 431),
    "many lines": (head(PAGE, HOST, *["X: x"] * 10_000)[:-4], 431),
    "a path without end": (b"GET /" + b"x" * 40_000, 431),
    # Paths
    "a whole address": (head("GET http://elsewhere.example/ HTTP/1.1", HOST), 400),
    "no path": (head("GET * HTTP/1.1", HOST), 400),
    "a query alone": (head("GET ?x HTTP/1.1", HOST), 400),
}
"""What ends its connection, and the status it is answered with."""

PATHS = (
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2fetc/passwd",
    "/%252e%252e/etc/passwd",
    "/..\\..\\index.html",
    "//index.html",
    "/./index.html",
    "/wire/../index.html",
    "/index.html/",
    "/index.html%00.js",
    "/INDEX.HTML",
    "/static/index.html",
    "/__init__.py",
    "/wire",
    "/wire/",
    "/v1/session/",
    "/v1/session/../../index.html",
)
"""None of these is a file of ours, whatever it would be to others."""

UPGRADES: dict[str, tuple[dict[str, str | None], int]] = {
    "no upgrade": ({"Upgrade": None}, 426),
    "another upgrade": ({"Upgrade": "h2c"}, 426),
    "a connection that stays": ({"Connection": "keep-alive"}, 426),
    "an old version": ({"Sec_WebSocket_Version": "8"}, 426),
    "no version": ({"Sec_WebSocket_Version": None}, 400),
    "no key": ({"Sec_WebSocket_Key": None}, 400),
    "a short key": ({"Sec_WebSocket_Key": "AAAA"}, 400),
    "no protocol": ({"Sec_WebSocket_Protocol": None}, 400),
    "another protocol": ({"Sec_WebSocket_Protocol": "graphql-ws"}, 400),
    "a body": ({"Content_Length": "4"}, 400),
    "a body in chunks": ({"Transfer_Encoding": "chunked"}, 400),
}
"""Headers that differ from those of a browser, and the status."""

FRAMES: dict[str, tuple[bytes, int]] = {
    "unmasked": (frame(BINARY, WORD, masked=False), 1002),
    "no frame": (WORD, 1002),
    "HTTP": (head(PAGE, HOST), 1002),
    "text": (frame(TEXT, b"PING\n"), 1003),
    "a bit that is reserved": (frame(BINARY, WORD, reserved=4), 1002),
    "a kind that is reserved": (frame(3, WORD), 1002),
    "a control that is reserved": (frame(11), 1002),
    "too long": (frame(BINARY, b"x" * (64 * 1024 + 1)), 1009),
    "a length of a terabyte": (struct.pack("!BBQ", 0x82, 0xFF, 1 << 40) + MASK, 1009),
    "a negative length": (struct.pack("!BBQ", 0x82, 0xFF, 1 << 63) + MASK, 1009),
    "the rest of nothing": (frame(CONTINUATION, WORD), 1002),
    "two messages at once": (frame(BINARY, WORD, last=False) + frame(BINARY, WORD), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a ping in pieces": (frame(PING, last=False), 1002),
    "a close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close with a code that is none": (frame(CLOSE, struct.pack("!H", 999)), 1002),
    "a close with a code that is not sent": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "a close that is not UTF-8": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "pings": (frame(PING, b"x" * 125) * 2000, 1002),
    "pongs": (frame(PONG, b"x" * 125) * 2000, 1002),
    "frames of nothing": (frame(BINARY) * 20_000, 1002),
    "pieces of nothing": (frame(BINARY, last=False) + frame(CONTINUATION, last=False) * 20_000, 1002),
    "what is no RESP": (frame(BINARY, b"*-10\r\n"), 1002),
    "what is no RESP, in pieces": (
        b"".join(frame(CONTINUATION if at else BINARY, b"*-10\r\n"[at : at + 1], last=False) for at in range(6)),
        1002,
    ),
}
"""What ends a WebSocket, and the code of the close frame."""

BYTES = 1_000_000
"""By how much an abuse may make the server grow, however often it is repeated."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with a client that pings throughout and must notice nothing."""
    started = server(web={"enabled": True})
    with bystander(started):
        yield started


def peer_of(running: Running) -> WebPeer:
    """Connect as a browser does."""
    return WebPeer(running.port, browser_context(running.ca))


def upgraded(peer: WebPeer) -> WebPeer:
    """Become a WebSocket."""
    peer.upgrade()
    return peer


def signed_in(peer: WebPeer, token: str) -> WebPeer:
    """Become a WebSocket of a client."""
    peer.upgrade()
    peer.send(frame(BINARY, encode_request([b"HELLO", b"3", b"AUTH", b"default", token.encode()])))
    opcode, answer = peer.frame()
    assert (opcode, answer[:1]) == (BINARY, b"%")
    return peer


def test_no_head_goes_further_than_its_connection(running: Running) -> None:
    """A status, an orderly end, and what stands behind it is not answered."""
    for name, (sent, status) in HEADS.items():
        with peer_of(running) as peer:
            peer.send(sent + BEHIND)
            answered = peer.answered()
            assert answered.status == status, f"{name}: {answered}"
            assert answered.headers["connection"] == "close", name
            assert "default-src 'none'" in answered.headers["content-security-policy"], name
            assert peer.over(), name


def test_no_path_leads_anywhere_else(running: Running) -> None:
    """Files are found by their whole names, as they were sent."""
    with peer_of(running) as peer:
        for path in PATHS:
            peer.send(head(f"GET {path} HTTP/1.1", HOST))
            answered = peer.answered()
            assert (answered.status, answered.body) == (404, b"Not Found\n"), path


def test_no_other_name_is_answered(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """A page whose name was pointed at us is refused before anything else, and the log says so."""
    for request in (head(PAGE, "Host: rebound.example:5000"), b""):
        with peer_of(running) as peer:
            peer.send(request or peer.upgrading(Host="rebound.example", Origin="https://rebound.example"))
            assert peer.answered().status == 421
            assert peer.over()
    assert "the Host 'rebound.example:5000' is not in the certificate; web.origins would allow it" in caplog.text


@pytest.mark.parametrize("certificate", [False, True])
def test_no_other_page_gets_a_session(
    server: ServerFactory, pki: Path, caplog: pytest.LogCaptureFixture, *, certificate: bool
) -> None:
    """Not with a client certificate either, which a browser shows whatever page asks; the log names the setting."""
    running = server(
        certs_dir=str(pki),
        tls={"client_certificates": "optional"},
        certificates={"alice": {"role": "admin"}},
        web={"enabled": True, "origins": ["https://ops.example.org"]},
    )
    context = browser_context(pki / "ca.pem")
    if certificate:
        context.load_cert_chain(pki / "client-alice.pem", pki / "client-alice-key.pem")
    host = f"localhost:{running.port}"
    foreign = (
        "https://elsewhere.example",
        "null",
        "",
        f"http://{host}",
        "https://localhost",
        "https://localhost:1",
        f"https://{host}.elsewhere.example",
        f"https://{host}/",
        f"https://elsewhere.example@{host}",
        f"https://{host}\r\nOrigin: https://elsewhere.example",
        "http://ops.example.org",
        "https://ops.example.org.elsewhere.example",
    )
    for origin in foreign:
        with WebPeer(running.port, context) as peer:
            peer.send(peer.upgrading(Origin=origin) + frame(BINARY, WORD))
            assert peer.answered().status == 403, origin
            assert peer.over()
    assert "https://elsewhere.example" in caplog.text
    assert "web.origins" in caplog.text
    assert not list(running.server.sessions)
    for origin in (f"https://{host}", "https://ops.example.org"):
        with WebPeer(running.port, context) as peer:
            peer.send(peer.upgrading(Origin=origin))
            assert peer.answered().status == 101, origin


def test_no_upgrade_but_ours(running: Running) -> None:
    """A status, and an orderly end."""
    for name, (changed, status) in UPGRADES.items():
        with peer_of(running) as peer:
            peer.send(peer.upgrading(**changed) + WORD)
            answered = peer.answered()
            assert answered.status == status, f"{name}: {answered}"
            assert peer.over(), name
    for method, version, status in (("POST", "1.1", 405), ("GET", "1.0", 505)):
        with peer_of(running) as peer:
            peer.send(
                peer.upgrading().replace(b"GET", method.encode()).replace(b"HTTP/1.1", f"HTTP/{version}".encode())
            )
            assert peer.answered().status == status
            assert peer.over()


@pytest.mark.parametrize("who", ["stranger", "client"])
def test_no_frame_goes_further_than_its_connection(running: Running, who: str) -> None:
    """A close code, an orderly end, and nothing behind it is run."""
    for name, (sent, code) in FRAMES.items():
        with peer_of(running) as peer:
            if who == "client":
                signed_in(peer, running.token())
            else:
                peer.upgrade()
            peer.send(sent + frame(BINARY, encode_request([b"WHOAMI"])))
            closed = peer.closed()
            assert closed.code == code, f"{name}: {closed}"
    assert "name=WHOAMI" not in running.log()


def test_what_is_odd_and_right_is_taken(running: Running) -> None:
    """Fragments of one byte, controls between them, a length in more bytes than it takes, an empty close."""
    with signed_in(peer_of(running), running.token()) as peer:
        pieces = [
            frame(CONTINUATION if at else BINARY, WORD[at : at + 1], last=at == len(WORD) - 1) + frame(PING, b"x")
            for at in range(len(WORD))
        ]
        peer.send(b"".join(pieces))
        answers = [peer.frame() for _ in range(len(WORD) + 1)]
        assert answers.count((PONG, b"x")) == len(WORD)
        assert (BINARY, b"+PONG\r\n") in answers
        peer.send(struct.pack("!BBH", 0x82, 0xFE, len(WORD)) + MASK + mask(WORD))
        assert peer.frame() == (BINARY, b"+PONG\r\n")
        peer.send(frame(CLOSE))
        assert peer.frame() == (CLOSE, b"")
        assert peer.over()


def test_a_slow_head_is_told_so(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it drips: the deadline is for all of it. Who asks for nothing is told nothing."""
    monkeypatch.setattr(exchange, "SECONDS", 0.3)
    running = server(web={"enabled": True})
    with peer_of(running) as silent:
        assert silent.over()
    with peer_of(running) as peer:
        drip = itertools.chain(head(PAGE, HOST)[:-2], itertools.repeat(b"x"[0]))
        while not select.select([peer.socket], [], [], 0.01)[0]:
            peer.send(bytes([next(drip)]))
        assert peer.answered().status == 408
        assert peer.over()
    with peer_of(running) as peer:
        peer.send(head(PAGE, HOST))
        assert peer.answered().status == 200
        assert peer.over()


@pytest.mark.parametrize("request_", [head(PAGE, HOST, "Connection: close"), head("GET / HTTP/1.0", HOST)])
def test_who_wants_one_answer_is_kept_no_longer(
    server: ServerFactory, monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    """Not until a deadline: whoever reads to the end waits for it."""
    monkeypatch.setattr(exchange, "SECONDS", 2 * PATIENCE_SECONDS)
    with peer_of(server(web={"enabled": True})) as peer:
        peer.send(request_)
        answered = peer.answered()
        assert (answered.status, answered.headers["connection"]) == (200, "close")
        assert peer.over()


def test_no_session_is_compressed(running: Running) -> None:
    """Whatever a browser offers: what is secret and what is not stand beside each other in answers."""
    with peer_of(running) as peer:
        peer.send(peer.upgrading(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        answered = peer.answered()
        assert answered.status == 101
        assert "sec-websocket-extensions" not in answered.headers


def test_who_stays_silent_in_a_web_socket_is_ended(server: ServerFactory) -> None:
    """As any stranger, and is told why by the code of the close frame; pings are nothing to say."""
    running = server(web={"enabled": True}, timeouts={"authentication": "500ms"})
    with peer_of(running) as peer:
        peer.upgrade()
        while not select.select([peer.socket], [], [], 0.05)[0]:
            peer.send(frame(PONG, b"here"))
        assert tuple(peer.closed()) == (4001, "auth-timeout")


def test_a_connection_has_so_many_requests(running: Running) -> None:
    """The last says so, and what was sent behind it is not answered."""
    with peer_of(running) as peer:
        peer.send(head("HEAD / HTTP/1.1", HOST) * (exchange.MOST_REQUESTS + 50))
        heads = peer.rest().decode().split("HTTP/1.1 200 OK\r\n")[1:]
        assert len(heads) == exchange.MOST_REQUESTS
        assert ["Connection: close" in one for one in heads] == [False] * (exchange.MOST_REQUESTS - 1) + [True]


# Memory, of a server that is a process of its own


def unread(peer: WebPeer, piece: bytes) -> None:
    """Send without reading, until the server takes no more, or has ended the connection, or has had 16 MB."""
    peer.socket.setblocking(False)  # noqa: FBT003 - the standard library's
    sent = 0
    while sent < 16_000_000 and select.select([], [peer.socket], [], 0.3)[1]:
        try:
            sent += peer.socket.send(piece)
        except (BlockingIOError, OSError):
            if select.select([peer.socket], [], [], 0)[0]:
                break
    peer.socket.settimeout(PATIENCE_SECONDS)


ABUSES: dict[str, Callable[[WebPeer, str], None]] = {
    "heads without end": lambda peer, _: unread(peer, b"GET / HTTP/1.1\r\nX: " + b"x" * 60_000),
    "requests whose answers nobody reads": lambda peer, _: unread(peer, head(PAGE, HOST) * 100),
    "bodies": lambda peer, _: unread(peer, head("POST / HTTP/1.1", HOST, "Content-Length: 99999999") + b"x" * 60_000),
    "a stranger's body": lambda peer, _: unread(
        peer, head("POST /v1/run/ECHO HTTP/1.1", HOST, "Content-Length: 99999999") + b" " * 60_000
    ),
    "a client's body": lambda peer, token: unread(
        peer,
        head("POST /v1/run/ECHO HTTP/1.1", HOST, f"Authorization: Bearer {token}", "Content-Length: 99999999")
        + b" " * 60_000,
    ),
    "a client's body in chunks": lambda peer, token: unread(
        peer,
        head("POST /v1/run/ECHO HTTP/1.1", HOST, f"Authorization: Bearer {token}", "Transfer-Encoding: chunked")
        + b"1\r\n[\r\n" * 10_000,
    ),
    "a stranger's pings": lambda peer, _: unread(upgraded(peer), frame(PING, b"x" * 125) * 100),
    "a client's pings": lambda peer, token: unread(signed_in(peer, token), frame(PING, b"x" * 125) * 100),
    "pings between requests": lambda peer, token: unread(
        signed_in(peer, token), (frame(PING, b"x" * 125) + frame(BINARY, WORD)) * 100
    ),
    "a client's requests": lambda peer, token: unread(
        signed_in(peer, token), frame(BINARY, encode_request([b"ECHO", b"x" * 10_000]) * 5)
    ),
    "fragments without end": lambda peer, token: unread(
        signed_in(peer, token), frame(BINARY, b"*", last=False) + frame(CONTINUATION, b"0", last=False) * 1000
    ),
    "a frame that is never whole": lambda peer, token: unread(
        signed_in(peer, token), frame(BINARY, b"x" * 65_536)[:-1]
    ),
}


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_abuse_fills_the_memory(certificates: Path, tmp_path: Path, unmeasured: None) -> None:
    """What one makes the server hold is bounded, and given back: it does not add up."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        token = Tokens(storage).create("user", Role.USER).reveal()
    (tmp_path / "server.toml").write_text("[web]\nenabled = true\n", encoding="utf-8")
    with Program(certificates, data, "--config", str(tmp_path / "server.toml")) as program:
        context = browser_context(certificates / "ca.pem")

        def resident() -> int:
            pages = int(Path(f"/proc/{program.process.pid}/statm").read_text(encoding="utf-8").split()[1])
            return pages * mmap.PAGESIZE

        def once(abuse: Callable[[WebPeer, str], None]) -> int:
            with WebPeer(program.port, context) as peer:
                abuse(peer, token)
                return resident()

        grown: dict[str, int] = {}
        for name, abuse in ABUSES.items():
            for _ in range(2):
                once(abuse)  # what is made when it is first used, and room that one takes and gives back
            before = resident()
            grown[name] = max(once(abuse) for _ in range(5)) - before
        assert max(grown.values()) < BYTES, grown

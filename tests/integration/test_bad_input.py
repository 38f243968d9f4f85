"""What strangers and clumsy programs send: each is told what was wrong, the log has it, and nobody else notices."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from secure_protocol.token import Token
from tests.conftest import ServerFactory
from tests.integration.bystander import bystander
from tests.integration.peers import PATIENCE_SECONDS, Peer, TextPeer
from tests.integration.running import Running, eventually, logged

HALF_OPEN = 1000
"""Connections that one stranger opens and leaves alone; more than one address gets places by default."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with a client that pings throughout and must notice nothing."""
    started = server(timeouts={"authentication": "500ms", "handshake": "1s", "write": "500ms"})
    with bystander(started):
        yield started


def told(peer: Peer) -> bytes:
    """Return all that the server says until its orderly end."""
    data = b""
    while part := peer.receive():
        data += part
    return data


@pytest.mark.parametrize(
    ("sent", "detail"),
    [(b"\x00\xff garbage\r\n" * 9, "WRONG_VERSION_NUMBER"), (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP_REQUEST")],
    ids=["garbage", "HTTP"],
)
def test_bytes_that_are_no_tls_end_the_connection(running: Running, sent: bytes, detail: str) -> None:
    """Without TLS there is an orderly end, no reset, and a line in the log."""
    with Peer(running.tcp()) as peer:
        peer.send(sent)
        assert b"HTTP" not in told(peer)
    logged(running, rf"refused .* reason=handshake-failed {detail}")


def test_old_tls_is_refused(running: Running) -> None:
    """A peer that speaks TLS 1.2 at most learns from the alert that its version is the trouble."""
    context = ssl.create_default_context(cafile=str(running.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with running.tcp() as sock, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        context.wrap_socket(sock, server_hostname="localhost")
    logged(running, "refused .* reason=handshake-failed UNSUPPORTED_PROTOCOL")


def test_a_client_refuses_a_server_of_another_name(running: Running) -> None:
    """The certificate is good for this machine's names alone; whoever expected another sends nothing."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        running.tls("server.example.org")
    logged(running, "refused .* reason=handshake-failed .*ALERT_BAD_CERTIFICATE")


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_browser_is_sent_away_behind_the_handshake(running: Running, protocol: str) -> None:
    """A peer that offers HTTP in its ALPN gets an orderly end before it says anything."""
    context = ssl.create_default_context(cafile=str(running.ca))
    context.set_alpn_protocols([protocol])
    with Peer(context.wrap_socket(running.tcp(), server_hostname="localhost", suppress_ragged_eofs=False)) as peer:
        assert told(peer) == b""
    logged(running, "refused .* reason=handshake-failed ALPN")


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"ERROR: This is not an HTTP server.\n"),
        (b"Host: localhost\r\n", b"ERROR: This is not an HTTP server.\n"),
        (b"x" * 5000, b"ERROR: The line is longer than 4096 bytes.\n"),
        (b"*-2\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1000000000\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*9\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n$999999999999\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$5000\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n:4\r\n", b"-ERR Protocol error: expected '$', got something else\r\n"),
        (b"*" + b"1" * 99, b"-ERR Protocol error: too big count string\r\n"),
    ],
)
def test_a_stranger_that_breaks_the_protocol_is_told_and_left(running: Running, sent: bytes, answer: bytes) -> None:
    """One clear error, then an orderly end; no header is believed, so nothing is allocated for it."""
    with Peer(running.tls()) as peer:
        peer.send(sent)
        assert told(peer) == answer
    logged(running, "disconnected .* reason=protocol-error")


@pytest.mark.parametrize(
    ("first", "more", "answer"),
    [
        (b"", b"x" * 16384, b"ERROR: The line is longer than 65536 bytes.\n"),
        (b"*2\r\n$4\r\nECHO\r\n$9\r\n", b"x" * 16384, b"-ERR Protocol error: the argument is longer"),
        (b"*1024\r\n", b"$524288\r\n" + b"x" * 524288 + b"\r\n", b"-ERR The request is longer than 1048576 bytes."),
    ],
    ids=["line", "argument", "request"],
)
def test_a_request_that_never_ends_is_ended(running: Running, first: bytes, more: bytes, answer: bytes) -> None:
    """A client with a token has larger limits, and limits all the same."""
    peer: Peer = running.text() if not first else running.resp()
    with peer:
        peer.send(first)
        with contextlib.suppress(ssl.SSLEOFError):  # it may have been ended in the midst of them
            for _ in range(5):
                peer.send(more)
        assert told(peer).startswith(answer)
    logged(running, "disconnected .* reason=protocol-error")


def test_small_mistakes_cost_a_client_nothing_but_the_line(running: Running) -> None:
    """A control character, bytes that are no UTF-8, a word too many and an open quote are told; the session goes on."""
    with running.text() as peer:
        for sent, answer in [
            (b"ECHO a\x00b\n", "ERROR: The line holds a control character (byte 7)."),
            (b"ECHO \xff\n", "ERROR: The line is not valid UTF-8 (byte 6)."),
            (b"ECHO" + b" x" * 1024 + b"\n", "ERROR: More than 1024 arguments."),
            (b'ECHO "x\n', "ERROR: Unbalanced quotes in the line."),
            (b"PING a b\n", "ERROR: "),
            (b"FROBNICATE\n", "ERROR: Unknown command."),
        ]:
            peer.send(sent)
            assert peer.line().startswith(answer)
        assert peer.ask("PING") == "PONG"
    logged(running, r"command .* name=\? outcome=ERR")
    logged(running, r"command .* name=\? outcome=malformed")


def test_a_stranger_learns_nothing_before_auth(running: Running) -> None:
    """Every command, whether there is one of that name or not, gets the same answer."""
    with running.text(token=None) as peer:
        for line in ["ECHO x", "CLIENTS", "FROBNICATE", "CLIENT KILL x"]:
            assert peer.ask(line) == "ERROR: NOAUTH Authentication required: AUTH <token>."
        assert peer.ask("EXIT") == "Goodbye."
        assert peer.rest() == []
    logged(running, "name=ECHO outcome=NOAUTH")


def test_nobody_becomes_somebody_else_on_the_same_connection(running: Running) -> None:
    """A second AUTH is refused, whatever it presents, and the session stays what it was."""
    with running.text() as peer:
        assert peer.ask(f"AUTH {running.token()}").startswith("ERROR: Already authenticated as user;")
        assert peer.ask("WHOAMI") == "user (user)"


def test_refused_tokens_are_explained_as_far_as_is_safe(running: Running) -> None:
    """Cut and mistyped tokens are told by their checksum, a foreign one is only refused; the third ends it."""
    good = running.token()
    mistyped = good[:20] + ("a" if good[20] != "a" else "b") + good[21:]
    foreign = Token.generate()
    with TextPeer(running.tls()) as peer:
        assert "incomplete" in peer.ask(f"AUTH {good[:-4]}")
        assert "checksum" in peer.ask(f"AUTH {mistyped}")
        assert peer.ask(f"AUTH {foreign.reveal()}") == "ERROR: WRONGPASS The token was refused."
        assert peer.rest() == []
    logged(running, f"outcome=refused unknown token={foreign.id}")
    logged(running, "disconnected .* reason=auth-failed")
    for secret in (good, mistyped, foreign.reveal()):
        assert secret.split("_")[2] not in running.log()


def test_a_silent_strangers_time_is_up(running: Running) -> None:
    """Behind the handshake a clock of its own runs until AUTH; nobody knows how to tell who never spoke."""
    with Peer(running.tls()) as peer:
        assert told(peer) == b""
    logged(running, "disconnected .* reason=auth-timeout")


def test_a_line_that_trickles_in_does_not_prolong_the_time(running: Running) -> None:
    """Byte after byte (slowloris) is no AUTH."""
    with TextPeer(running.tls()) as peer:
        peer.socket.settimeout(0.02)
        answer = ""
        for _ in range(int(PATIENCE_SECONDS / 0.02)):
            with contextlib.suppress(TimeoutError):
                peer.send(b"A")
                answer = peer.line()
            if answer:
                break
        assert answer == "ERROR: CLOSED reason=auth-timeout Authentication took too long."


def test_a_thousand_half_open_connections_leave_room_to_breathe(running: Running) -> None:
    """They cost a timer each, end by themselves, and those over the address's share are turned away at once."""
    opened: list[socket.socket] = []
    try:
        opened += [running.tcp() for _ in range(HALF_OPEN)]
        logged(running, "refused .* reason=too-many connections-from-one-source")
        assert told(Peer(opened[-1])) == b""
        eventually(lambda: running.server.sessions.strangers == 0)
        logged(running, "refused .* reason=handshake-timeout")
    finally:
        for sock in opened:
            sock.close()
    with running.resp() as newcomer:
        assert newcomer.ask("PING") == "PONG"

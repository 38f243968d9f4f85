"""Whoever sends datagrams, in whose name: strangers cost little, nobody else notices, nobody is flooded by us."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from aioquic._buffer import Buffer
from aioquic.quic import retry
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicPacketType, pull_quic_header

from secure_server.quic import listener
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.bystander import bystander
from tests.integration.datagram_proxy import DatagramProxy
from tests.integration.program import Program
from tests.integration.quic_peers import all_streamed, come, streamed
from tests.integration.quic_socket import ALPN, QuicSocket, bound
from tests.integration.running import Running, eventually

UNFINISHED = 600
INITIAL_BYTES = 1200
BYTES = 2_000_000
"""By how much they may make the server grow, however often: a hundred handshakes hold four times as much."""
AMPLIFICATION = 3
"""RFC 9000 section 8: times as much as came may go to an address that has proved nothing."""
UNKNOWN_VERSION = 0x1A2A3A4A
LARGEST = 65_507
"""What a datagram holds over IPv4."""
LINES = 10_000
SECONDS = 0.3
"""Long enough for an answer that there should not be, and for the library to send again what is not acknowledged."""


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server that does not wait long for handshakes."""
    return server(quic={"enabled": True}, timeouts={"handshake": "2s", "authentication": "2s"})


@pytest.fixture
def sender(running: Running) -> Iterator[socket.socket]:
    """A socket that sends to it."""
    with bound("127.0.0.1") as sock:
        sock.connect(("127.0.0.1", running.quic_port))
        yield sock


def client(running: Running) -> QuicConnection:
    """Return a client's end that has begun, and whose datagrams the test carries."""
    quic = QuicConnection(
        configuration=QuicConfiguration(alpn_protocols=[ALPN], server_name="localhost", cafile=str(running.ca))
    )
    quic.connect(("127.0.0.1", running.quic_port), now=time.monotonic())
    return quic


def first(quic: QuicConnection) -> bytes:
    """Return the one datagram that it has to send."""
    ((data, _),) = quic.datagrams_to_send(now=time.monotonic())
    return data


def answers(sock: socket.socket, seconds: float = SECONDS) -> list[bytes]:
    """Return what comes until nothing has come for so long."""
    sock.settimeout(seconds)
    found: list[bytes] = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(sock.recv(LARGEST))
    return found


def kinds(datagrams: list[bytes]) -> list[QuicPacketType]:
    """Return what each begins with."""
    return [pull_quic_header(Buffer(data=data), host_cid_length=8).packet_type for data in datagrams]


def strangers(running: Running) -> int:
    """Return how many have a place."""
    return running.server.sessions.strangers


def nothing_stays(running: Running) -> None:
    """Wait until the listener knows nobody, and hold that nothing went wrong in it."""
    quic = running.server._reach.quic
    assert quic is not None
    eventually(lambda: not quic._known and not quic._lines and not quic._shaking and not quic._lingering)
    assert not strangers(running)


def quiet(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Hold that nothing was logged but what happens every day."""
    assert [record.getMessage() for record in caplog.records if record.name.startswith("secure_server")] == []
    assert "internal-error" not in running.log()


def test_unfinished_handshakes(server: ServerFactory, caplog: pytest.LogCaptureFixture) -> None:
    """A hundred are remembered, for as long as a handshake may take; the others are to prove their address first."""
    running = server(quic={"enabled": True}, timeouts={"handshake": "5s"})
    beginnings = [first(client(running)) for _ in range(UNFINISHED)]
    came: list[bytes] = []
    with bystander(running), bound("127.0.0.1") as sender:
        sender.connect(("127.0.0.1", running.quic_port))
        for number, beginning in enumerate(beginnings):
            sender.send(beginning)
            if number % 20 == 19:
                came += answers(sender, 0.01)
            assert strangers(running) <= listener.RETRY_FROM + 1
        came += answers(sender)
        with come(running) as peer:  # who means it gets in meanwhile
            assert peer.quic.quic._retry_count == 1
            assert peer.ask("PING") == "PONG"
    retries = kinds(came).count(QuicPacketType.RETRY)
    assert UNFINISHED * 0.6 < retries <= UNFINISHED - listener.RETRY_FROM
    assert sum(map(len, came)) <= AMPLIFICATION * UNFINISHED * INITIAL_BYTES
    nothing_stays(running)
    quiet(running, caplog)


def retried(quic: QuicConnection, sock: socket.socket) -> bytes:
    """Begin, and return what a client sends that was answered by a Retry."""
    sock.send(first(quic))
    sock.settimeout(30)
    (kind,) = kinds([answer := sock.recv(LARGEST)])
    assert kind is QuicPacketType.RETRY
    quic.receive_datagram(answer, ("127.0.0.1", sock.getpeername()[1]), now=time.monotonic())
    return first(quic)


def test_a_retry_is_good_for_who_was_sent_it(
    running: Running, sender: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not from another port, and not changed; sent again and again it is the same connection."""
    monkeypatch.setattr(listener, "RETRY_FROM", 0)
    quic = client(running)
    good = retried(quic, sender)
    token = quic._peer_token
    for number in range(0, len(token), 7):
        other = client(running)
        retried(other, sender)
        other._peer_token = token[:number] + bytes([token[number] ^ 1]) + token[number + 1 :]
        other._loss.reschedule_data(now=time.monotonic())
        for data, _ in other.datagrams_to_send(now=time.monotonic()):
            sender.send(data)
    with bound("127.0.0.1") as elsewhere:
        elsewhere.connect(sender.getpeername())
        elsewhere.send(good)
        assert answers(elsewhere) == []
    assert answers(sender, 0.05) == []
    assert not strangers(running)
    for _ in range(50):
        sender.send(good)
    assert kinds(answers(sender, 0.05))[0] is QuicPacketType.INITIAL
    assert strangers(running) == 1
    nothing_stays(running)
    quiet(running, caplog)


def test_a_retry_is_good_for_a_while(running: Running, sender: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty seconds: a token that somebody kept is nothing to come back with."""
    assert retry.TOKEN_LIFETIME == 30.0
    monkeypatch.setattr(listener, "RETRY_FROM", 0)
    monkeypatch.setattr(retry, "TOKEN_LIFETIME", 0.05)
    late = retried(client(running), sender)
    time.sleep(0.1)
    sender.send(late)
    assert answers(sender) == []
    assert not strangers(running)


@pytest.mark.parametrize("times", [1, 3])
def test_nobody_is_flooded_in_whose_name_a_handshake_began(running: Running, sender: socket.socket, times: int) -> None:
    """At most three times what came goes to an address that proved nothing, with all that is sent again."""
    data = first(client(running))
    for _ in range(times):
        sender.send(data)
    came = answers(sender, 2.5)  # the handshake's deadline
    assert INITIAL_BYTES < sum(map(len, came)) <= AMPLIFICATION * times * len(data)
    nothing_stays(running)


def silence(proxy: DatagramProxy) -> None:
    """Wait until nothing has gone either way for a while: the last acknowledgements have come."""
    before = -1
    while before != (before := proxy.up.datagrams + proxy.down.datagrams):
        time.sleep(SECONDS)


def test_nobody_is_flooded_to_whom_a_session_seems_to_move(running: Running) -> None:
    """Where nothing that the server sends arrives, it may be another's address: three times what came, at most.

    What was to go there is not lost: it comes once the address has answered.
    """
    running.server.registry.load([slow_commands])
    with DatagramProxy(running.quic_port) as proxy, come(running, proxy.port) as peer:
        number = peer.number()
        streamed(peer, LINES)  # the network is known to carry much
        silence(proxy)
        proxy.swallow(up=False, down=True)
        proxy.rebind()
        before = proxy.up.octets
        peer.request("COUNT", str(LINES), "value")
        eventually(lambda: proxy.down.swallowed > 1)
        deadline = time.monotonic() + 1.0  # what is not acknowledged is sent again meanwhile
        while time.monotonic() < deadline:
            flooded = proxy.down.swallowed_octets
            assert flooded <= AMPLIFICATION * (proxy.up.octets - before)
            time.sleep(0.01)
        proxy.clear()
        all_streamed(peer, LINES)
        assert peer.number() == number


def heads(chance: random.Random, running: Running) -> Iterator[bytes]:
    """Return beginnings of datagrams, some of which lead somewhere."""
    for size in (0, 1, 4, 8, 20, 21, 255):
        connection_id = chance.randbytes(size)
        for version in (0, 1, 0x6B3343CF, UNKNOWN_VERSION, 0xFFFFFFFF):
            for bits in (0x80, 0xC0, 0xD0, 0xE0, 0xF0, 0xFF):
                yield struct.pack("!BIB", bits, version, size) + connection_id + bytes([size]) + connection_id
    for bits in (0x00, 0x40, 0x7F):
        yield bytes([bits]) + chance.randbytes(8)
    yield first(client(running))[: chance.randrange(1200)]


def test_garbage(running: Running, sender: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """Of each length, with beginnings that look like something: no state, no word in the log, no more than came."""
    chance = random.Random(18)  # noqa: S311 - the same garbage each time
    sent = 0
    came: list[bytes] = []
    with bystander(running), come(running) as peer:
        for head in heads(chance, running):
            for size in (0, 1, 7, 50, 1199, 1200, 1252, 2048, 2049, 9000):
                data = head + chance.randbytes(size)
                sender.send(data)
                sent += len(data)
            came += answers(sender, 0.0005)
        sender.send(b"")
        sender.send(chance.randbytes(LARGEST))
        came += answers(sender)
        assert sum(map(len, came)) < sent
        assert peer.ask("PING") == "PONG"
    nothing_stays(running)
    quiet(running, caplog)


def test_broken_beginnings(running: Running, sender: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """One byte of a client's first datagram is another, or its end is missing, or something stands behind it."""
    chance = random.Random(19)  # noqa: S311 - as above
    with bystander(running):
        for number in range(300):
            data = bytearray(first(client(running)))
            if number % 3 == 0:
                data[chance.randrange(60)] ^= 1 << chance.randrange(8)
            elif number % 3 == 1:
                del data[chance.randrange(len(data)) :]
            else:
                data += chance.randbytes(chance.randrange(500))
            sender.send(data)
            if number % 20 == 0:
                answers(sender, 0.01)
    nothing_stays(running)
    quiet(running, caplog)


def test_versions(running: Running, sender: socket.socket) -> None:
    """One that is not spoken is answered by those that are, shortly; in short datagrams, or by those, not at all."""
    question = bytearray(first(client(running)))
    question[1:5] = UNKNOWN_VERSION.to_bytes(4, "big")
    sender.send(question)
    (answer,) = answers(sender)
    assert len(answer) < 100
    header = pull_quic_header(Buffer(data=answer), host_cid_length=8)
    assert header.packet_type is QuicPacketType.VERSION_NEGOTIATION
    assert header.supported_versions == [0x1, 0x6B3343CF]
    asked = pull_quic_header(Buffer(data=bytes(question)), host_cid_length=8)
    assert (header.destination_cid, header.source_cid) == (asked.source_cid, asked.destination_cid)
    for silent in (question[:1199], question[:30], answer, answer + bytes(1200), bytes([0x80]) + bytes(1300)):
        sender.send(silent)
    assert answers(sender) == []
    assert not strangers(running)


def test_what_looks_like_the_end_of_a_connection(running: Running, sender: socket.socket) -> None:
    """Stateless resets of others, and datagrams for connections that there are not: answered by less, and none ends."""
    with bystander(running), come(running) as peer:
        ours = peer.quic.quic._peer_cid.cid
        sizes = (17, 21, 22, 40, 43, 100, 1200)
        for size in sizes:
            for _ in range(20):
                for connection_id in (ours, os.urandom(8)):
                    data = (bytes([0x40]) + connection_id + os.urandom(LARGEST))[:size]
                    peer.quic.say(data)
                    sender.send(data)
        expected = [min(size - 1, 42) for size in sizes if size > 21 for _ in range(20)]
        assert sorted(map(len, answers(sender))) == expected  # one for each that is nobody's
        assert peer.ask("PING") == "PONG"


def test_who_vanishes_in_a_handshake(running: Running) -> None:
    """After the server's first answer, or after the whole of it: no place is kept for longer than the deadlines."""
    half = QuicSocket(running.quic_port, running.ca)
    half.vanish()
    with bound("127.0.0.1") as sock:
        sock.connect(("127.0.0.1", running.quic_port))
        sock.send(first(client(running)))
        eventually(lambda: strangers(running) == 2)
    eventually(lambda: not strangers(running))


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_strangers_do_not_fill_the_memory(certificates: Path, tmp_path: Path, unmeasured: None) -> None:
    """Handshakes that are begun by the hundred, again and again: what they hold is given back, and does not add up."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (tmp_path / "server.toml").write_text('[quic]\nenabled = true\n[timeouts]\nhandshake = "1s"\n', encoding="utf-8")
    chance = random.Random(20)  # noqa: S311 - the same garbage each time
    with Program(certificates, data, "--config", str(tmp_path / "server.toml")) as program, bound("127.0.0.1") as sock:
        sock.connect(("127.0.0.1", program.port))

        def resident() -> int:
            pages = int(Path(f"/proc/{program.process.pid}/statm").read_text(encoding="utf-8").split()[1])
            return pages * mmap.PAGESIZE

        def once() -> int:
            for number in range(UNFINISHED):
                quic = QuicConnection(configuration=QuicConfiguration(alpn_protocols=[ALPN], server_name="localhost"))
                quic.connect(("127.0.0.1", program.port), now=time.monotonic())
                sock.send(first(quic))
                sock.send(bytes([0xC0, 0, 0, 0, 1, 8]) + chance.randbytes(chance.randrange(1400)))
                if number % 20 == 19:
                    answers(sock, 0.001)
            answers(sock, 1.5)  # the deadline of the last ones
            return resident()

        once()
        before = once()
        grown = max(once() for _ in range(4)) - before
        assert grown < BYTES, grown
        QuicSocket(program.port, certificates / "ca.pem").close()

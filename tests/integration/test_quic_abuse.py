"""Who is connected over QUIC and breaks its rules, or keeps to them without end: it costs its own connection alone."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from aioquic.quic.connection import QuicConnectionId
from aioquic.quic.events import PingAcknowledged
from aioquic.quic.packet import QuicErrorCode

from secure_protocol.replies import Push
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.net.wire import READ_BYTES
from secure_server.quic.conversation import QuicConversation
from secure_server.quic.library import WINDOW_BYTES
from secure_server.quic.line import MOST_UNACKNOWLEDGED, Line
from secure_server.session.call import ROOM_BYTES
from secure_server.session.session import Session
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.bystander import bystander
from tests.integration.peers import BUSY_SECONDS, PATIENCE_SECONDS
from tests.integration.program import Program
from tests.integration.quic_peers import QuicPeer, come
from tests.integration.quic_socket import QuicSocket
from tests.integration.running import Running, eventually, logged
from tests.integration.slow_commands import Seen

BYTES = 1_000_000
"""By how much an abuse may make the server grow, however often it is repeated."""
TIMES = 300
"""Datagrams of a flood, where it is to be seen what becomes of the connection."""
MANY_TIMES = 10_000
"""Datagrams of a flood, where the server's memory is looked at."""
PAUSE_EVERY = 50
"""Datagrams, behind which a flood waits until the server has read them: what the system drops does nothing."""
PAUSE_SECONDS = 0.01
"""Where nothing is said that the server would answer: what the system drops meanwhile does nothing, and no harm."""
MUCH = 10_000_000
WORD = b"x" * 10_000
HIGH_WATER = 65_536
SLOWLY_SECONDS = 3.0
"""For how long somebody reads slowly: three times as long as a write may take here."""
SLOWLY_LINES = 500
"""A second, of a kilobyte: its end makes room for 128 of them at once."""


def number(value: int) -> bytes:
    """Write a number as QUIC does (RFC 9000 section 16)."""
    for bits, size in ((6, 1), (14, 2), (30, 4), (62, 8)):
        if value < 1 << bits:
            return (value | {1: 0, 2: 1, 4: 2, 8: 3}[size] << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(value)


def frame(kind: int, *values: int, data: bytes = b"") -> bytes:
    """Write a frame: numbers, and bytes behind them."""
    return bytes([kind]) + b"".join(map(number, values)) + data


def new_connection_id(sequence: int, retire: int) -> bytes:
    """Write a frame that gives the server another connection ID, and has it retire all before one."""
    return frame(0x18, sequence, retire, data=bytes([8]) + os.urandom(8) + os.urandom(16))


BROKEN: dict[str, bytes] = {
    "a second stream": frame(0x0A, 4, 4, data=b"PING"),
    "a stream in one direction": frame(0x0A, 2, 4, data=b"PING"),
    "the server's stream": frame(0x0A, 1, 4, data=b"PING"),
    "a far stream": frame(0x0A, 4_000_000, 4, data=b"PING"),
    "more than the window": frame(0x0E, 0, WINDOW_BYTES, 4, data=b"PING"),
    "bytes at the end of all numbers": frame(0x0E, 0, (1 << 62) - 2, 4, data=b"PING"),
    "a datagram": frame(0x30, data=b"PING"),
    "a token": frame(0x07, 4, data=b"PING"),
    "the end of the handshake": frame(0x1E),
    "no frame there is": frame(0x21, 1, 2, 3),
    "a frame without its end": bytes([0x0A, 0x00]),
    "bytes that are fewer than they say": frame(0x0A, 0, 1000, data=b"PING"),
    "an unknown connection ID retired": frame(0x19, 1000),
    "more connection IDs than were asked for": b"".join(new_connection_id(at, 0) for at in range(1, 40)),
    "a connection ID without bytes": frame(0x18, 50, 0, data=bytes(17)),
    "what is retired before it is given": frame(0x18, 1, 9, data=bytes([8]) + bytes(24)),
    "a handshake far on": frame(0x06, 1 << 40, 4, data=b"PING"),
    "a handshake behind the handshake": frame(0x06, 0, 4, data=b"\x01\x00\x00\x00"),
    "a ticket for the server": frame(0x06, 0, 8, data=b"\x04\x00\x00\x04\x00\x00\x00\x00"),
    "the stream reset": frame(0x04, 0, 7, 0),
    "another stream reset": frame(0x04, 4, 7, 0),
    "nothing more wanted": frame(0x05, 0, 7),
    "an acknowledgement below nothing": frame(0x02, 5, 0, 0, 9),
    "the end, and bytes behind it": frame(0x0F, 0, 5, 0) + frame(0x0E, 0, 100, 4, data=b"PING"),
    "a long good-bye": frame(0x1D, 7, 1200, data=b"x" * 1200),
    "a good-bye that is no text": frame(0x1D, 7, 4, data=b"\xff\xfe\x00\n"),
}
"""Frames that no client of ours sends, each of which ends the connection."""

Flood = Callable[[QuicSocket, int], None]


def of(make: Callable[[int], bytes], skip: int = 0) -> Flood:
    """Return what sends a datagram with such frames."""
    return lambda sock, turn: sock.frames(make(turn), skip=skip)


def nothing_acknowledged(sock: QuicSocket, _turn: int) -> None:
    """Ask, and never say that the answer came."""
    sock.mute = True
    sock.frames(frame(0x01))


def key_update(sock: QuicSocket, _turn: int) -> None:
    """Have other keys, as often as the library lets."""
    with contextlib.suppress(AssertionError), sock.steering() as quic:
        quic.request_key_update()
        quic.send_ping(0)


def move(sock: QuicSocket, turn: int) -> None:
    """Come from somewhere else."""
    if turn % 5 == 0:
        sock.move()


def connection_id(sock: QuicSocket, _turn: int) -> None:
    """Give the server another connection ID in place of all before."""
    with sock.steering() as quic:
        sequence, mine = quic._host_cid_seq, os.urandom(8)
        quic._host_cid_seq += 1
        quic._host_cids.append(QuicConnectionId(cid=mine, sequence_number=sequence))
    sock.frames(frame(0x18, sequence, sequence, data=bytes([8]) + mine + os.urandom(16)))


def gaps(turn: int) -> bytes:
    """Write single bytes of the stream, far from each other."""
    start = 900 * turn % 90_000 + 1
    return b"".join(frame(0x0E, 0, start + 9 * at, 1, data=b"x") for at in range(50))


FLOODS: dict[str, Flood] = {
    "pings": of(lambda _: frame(0x01) * 1000),
    "path challenges": of(lambda _: b"".join(frame(0x1A, data=os.urandom(8)) for _ in range(100))),
    "path responses": of(lambda _: b"".join(frame(0x1B, data=os.urandom(8)) for _ in range(100))),
    "limits": of(lambda turn: frame(0x10, turn * 1000) + frame(0x11, 0, turn * 1000) + frame(0x12, turn)),
    "words that it is blocked": of(lambda turn: (frame(0x14, turn) + frame(0x15, 0, turn) + frame(0x16, turn)) * 50),
    "connection IDs": connection_id,
    "connection IDs retired": of(lambda turn: frame(0x01) + frame(0x19, turn + 1)),
    "empty pieces": of(lambda _: frame(0x0E, 0, 0, 0) * 200),
    "the same piece": of(lambda _: frame(0x0E, 0, 0, 5, data=b"*1\r\n$") * 50),
    "pieces with gaps": of(gaps),
    "acknowledgements": of(lambda turn: frame(0x02, 10_000_000 + turn, 0, 200, 0, *([0, 0] * 200))),
    "packets left out": of(lambda _: frame(0x01), skip=2),
    "pings whose answers are never acknowledged": nothing_acknowledged,
    "key updates": key_update,
    "moves": move,
    "garbage": lambda sock, turn: sock.say(bytes([0x40]) + sock.quic._peer_cid.cid + os.urandom(turn % 1300)),
    "what is tiny": lambda sock, turn: sock.say((bytes([0x40]) + sock.quic._peer_cid.cid)[: turn % 10]),
    "what is huge": lambda sock, _: sock.say(bytes([0x40]) + sock.quic._peer_cid.cid + bytes(60_000)),
    "initials of its own": lambda sock, _: sock.say(
        bytes([0xC0, 0, 0, 0, 1, 8]) + sock.quic._peer_cid.cid + bytes([0, 0, 0x44, 0xD0]) + os.urandom(1232)
    ),
}
"""What no rule forbids, or what is no part of the connection at all."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that take their time."""
    Seen.forget()
    started = server(
        quic={"enabled": True},
        timeouts={"write": "1s", "linger": "500ms"},
        limits={"output_high_water": HIGH_WATER},
    )
    started.server.registry.load([slow_commands])
    yield started
    Seen.released.set()


def quiet(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Hold that nothing was logged but what happens every day, and that nobody is left."""
    quic = running.server._reach.quic
    assert quic is not None
    eventually(lambda: not len(running.server.sessions))
    eventually(lambda: not quic._lingering and not quic._shaking)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("secure_server")] == []
    assert "internal-error" not in running.log()


def line_of(session: Session) -> Line:
    """Return the connection that carries a session."""
    conversation = session.carrier
    assert isinstance(conversation, QuicConversation)
    assert isinstance(conversation._wire, Line)
    return conversation._wire


def flood(sock: QuicSocket, what: Flood, times: int) -> None:
    """Send it so often, no faster than the server reads; end early where the connection has ended."""
    for turn in range(times):
        if sock.closed is not None:
            return
        with contextlib.suppress(ConnectionRefusedError):
            what(sock, turn)
        if turn % PAUSE_EVERY == PAUSE_EVERY - 1:
            time.sleep(PAUSE_SECONDS) if sock.mute else answered(sock)
    sock.mute = False


def answered(sock: QuicSocket) -> None:
    """Wait until the server has read what was sent, or has ended the connection."""
    sock.events[:] = [event for event in sock.events if not isinstance(event, PingAcknowledged)]
    sock.ask()
    sock._wait(lambda: sock.closed is not None or any(isinstance(event, PingAcknowledged) for event in sock.events))


@pytest.mark.parametrize("who", ["stranger", "client"])
@pytest.mark.parametrize("name", BROKEN)
def test_who_breaks_the_rules_is_ended(running: Running, caplog: pytest.LogCaptureFixture, name: str, who: str) -> None:
    """With a code, at once, whoever it is; nobody else notices."""
    with come(running, token=None if who == "stranger" else "") as peer:
        peer.quic.frames(BROKEN[name])
        eventually(lambda: not running.server.sessions.clients and not running.server.sessions.strangers)
        if "good-bye" not in name:
            peer.quic.end()
    with running.resp() as other:
        assert other.ask("PING") == "PONG"
    quiet_but = "reason=(connection-lost|protocol-error|peer-closed)"
    logged(running, f" disconnected session=1 .*{quiet_but}")
    quiet(running, caplog)


@pytest.mark.parametrize("name", FLOODS)
def test_what_comes_without_end_is_nobodys_trouble(
    running: Running, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Others are answered meanwhile, and the connection itself, unless it was ended for it."""
    with bystander(running), come(running) as peer:
        flood(peer.quic, FLOODS[name], TIMES)
        if peer.quic.closed is None and name != "pieces with gaps":
            with contextlib.suppress(ConnectionError):
                assert peer.ask("PING") == "PONG"
    quiet(running, caplog)


def test_a_second_stream_is_told_so(running: Running) -> None:
    """By the code that QUIC has for it."""
    with come(running) as peer:
        with peer.quic.steering() as quic:
            assert quic._remote_max_streams_bidi == 1
            assert quic._remote_max_streams_uni == 0
        peer.quic.frames(BROKEN["a second stream"])
        assert peer.quic.end()[0] == QuicErrorCode.STREAM_LIMIT_ERROR


def test_who_sends_behind_a_running_command_waits(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """The server holds a window and the session's bound, however much there is, and closes nobody for it."""
    request = encode_request([b"ECHO", WORD])
    count = MUCH // len(request)
    with bystander(running), come(running) as peer:
        peer.request("HOLD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        session = next(iter(item for item in running.server.sessions if item.peer.transport == "quic"))
        before = session.activity.received
        sending = threading.Thread(target=peer.send, args=(request * count,))
        sending.start()
        eventually(lambda: peer.quic.unsent > 0 and session.activity.received > before)
        deadline, most, line = time.monotonic() + 3.0, 0, line_of(session)  # three times as long as a write may
        while time.monotonic() < deadline:
            most = max(most, session.activity.received - before + len(line._inbox))
            time.sleep(0.01)
        assert len(line._inbox) <= WINDOW_BYTES
        limits = session._intake.limits
        assert most <= WINDOW_BYTES + limits.request_bytes + limits.weight + READ_BYTES
        assert session.close_reason is None
        Seen.released.set()
        assert peer.reply() == "released"
        for _ in range(count):
            assert peer.reply() == WORD.decode()
        sending.join()
    quiet(running, caplog)


@pytest.mark.parametrize("what", ["answers", "a stream"])
def test_who_does_not_read_is_ended(running: Running, caplog: pytest.LogCaptureFixture, what: str) -> None:
    """After the deadline for writing, not before and not much later; meanwhile little is kept for it."""
    with bystander(running), come(running) as peer:
        session = next(iter(item for item in running.server.sessions if item.peer.transport == "quic"))
        line = line_of(session)
        if what == "answers":
            peer.quic.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                peer.send(encode_request([b"ECHO", WORD]) * 500)
        else:
            peer.request("FLOOD")
        began, sent, most = time.monotonic(), -1, 0
        while session.close_reason is None and time.monotonic() < began + PATIENCE_SECONDS:
            if session.activity.sent != sent:
                began, sent = time.monotonic(), session.activity.sent
            most = max(most, len(session.output) + line.connection.unacknowledged)
            time.sleep(0.01)
        took = time.monotonic() - began
        assert 0.5 < took < 1.0 + BUSY_SECONDS
        assert most <= MOST_UNACKNOWLEDGED + HIGH_WATER + ROOM_BYTES + len(WORD) + 100
    logged(running, " disconnected .*reason=slow-consumer")
    quiet(running, caplog)


def test_who_reads_slowly_is_not_ended(running: Running) -> None:
    """However slowly: a little each time, and what is made room for at once goes in a quarter of the deadline.

    By the clock, not with a pause behind each: on a busy machine those add up to more than the deadline.
    """
    with come(running) as peer:
        session = next(iter(item for item in running.server.sessions if item.peer.transport == "quic"))
        peer.request("FLOOD")
        began, lines, waited = time.monotonic(), 0, 0
        while (elapsed := time.monotonic() - began) < SLOWLY_SECONDS:
            waited += bool(session.output)
            if lines < elapsed * SLOWLY_LINES:
                assert isinstance(peer.reply(), Push)
                lines += 1
            else:
                time.sleep(0.005)
        assert waited  # it was slower than the server
        peer.request("CANCEL")
        while not isinstance(peer.reply(), int):
            pass
        assert peer.ask("PING") == "PONG"


def test_who_never_acknowledges(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Gone without a word in the middle of a stream: it is ended as one that does not read."""
    with come(running) as peer:
        peer.request("FLOOD")
        assert isinstance(peer.reply(), Push)
        peer.quic.vanish()
        logged(running, " disconnected .*reason=slow-consumer")
    quiet(running, caplog)


# Memory, of a server that is a process of its own


def stays_unread(sock: QuicSocket, _turn: int) -> None:
    """Ask for what is not read."""
    sock.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        sock.sendall(encode_request([b"ECHO", WORD]) * 1000)
    sock.settimeout(PATIENCE_SECONDS)


def half_a_request(sock: QuicSocket, _turn: int) -> None:
    """Send what is never whole."""
    sock.settimeout(0.3)
    with contextlib.suppress(TimeoutError, BrokenPipeError):
        sock.sendall(b"*2\r\n$4\r\nECHO\r\n$900000\r\n" + b"x" * 899_000)
    sock.settimeout(PATIENCE_SECONDS)


MEMORY: dict[str, tuple[Flood, int]] = {
    **{name: (what, 500 if name == "moves" else MANY_TIMES) for name, what in FLOODS.items()},
    "answers that nobody reads": (stays_unread, 1),
    "half a request": (half_a_request, 1),
}


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", MEMORY)
def test_no_abuse_fills_the_memory(certificates: Path, tmp_path: Path, unmeasured: None, name: str) -> None:
    """What one makes the server hold is bounded, and given back: it does not add up."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        token = Tokens(storage).create("user", Role.USER).reveal()
    (tmp_path / "server.toml").write_text("[quic]\nenabled = true\n", encoding="utf-8")
    what, times = MEMORY[name]
    with Program(certificates, data, "--config", str(tmp_path / "server.toml")) as program:

        def resident() -> int:
            pages = int(Path(f"/proc/{program.process.pid}/statm").read_text(encoding="utf-8").split()[1])
            return pages * mmap.PAGESIZE

        def once() -> int:
            sock = QuicSocket(program.port, certificates / "ca.pem")
            with QuicPeer(sock) as peer:
                peer.hello(token)
                flood(sock, what, times)
                return resident()

        once()  # what is made when it is first used, and room that one takes and gives back
        before = resident()
        grown = max(once() for _ in range(3)) - before
        assert grown < BYTES, grown

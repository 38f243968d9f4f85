"""What is QUIC's own at a real server: addresses, certificates, strangers, and the end; see `test_transports`."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs the extra quic")

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicErrorCode

from secure_client import Client, ClientError
from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.config.endpoint import Endpoint
from secure_server.pki.ensure import Request, ensure
from secure_server.quic import line, listener
from secure_server.quic.door import Door
from secure_server.quic.library import Connection
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.quic_peers import QuicPeer, come
from tests.integration.quic_socket import QuicSocket
from tests.integration.running import ELSEWHERE, Running, eventually, logged

QUIC = {"enabled": True}


def signed_in(running: Running, token: str = "", port: int = 0) -> tuple[QuicSocket, QuicPeer]:
    """Come in as a program."""
    peer = come(running, port, token)
    return peer.quic, peer


def test_it_is_shown_for_what_it_is(server: ServerFactory) -> None:
    """By lists and INFO, and in the log."""
    running = server(quic=QUIC)
    _, peer = signed_in(running)
    shown = str(peer.ask("CLIENT", "INFO"))
    assert f"laddr=127.0.0.1:{running.port} " in shown
    assert " transport=quic tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384" in shown
    with running.resp(running.token(Role.ADMIN)) as admin:
        assert f"name=quic,bind=127.0.0.1,port={running.port}" in str(admin.ask("INFO", "server"))
    logged(running, "connected .* transport=quic tls=TLSv1.3 cipher=")
    eventually(lambda: any('"transport":"quic"' in path.read_text() for path in running.data.glob("audit-*.jsonl")))
    with running.resp(running.token(Role.ADMIN)) as admin:
        statistics = admin.ask("SERVER", "STATS")
    assert isinstance(statistics, dict)
    assert "quic" in str(statistics["by_transport"])


def test_where_it_listens(server: ServerFactory) -> None:
    """At addresses of its own where they are named, and answering from the one that was asked."""
    running = server(quic={"enabled": True, "addresses": ["0.0.0.0:0"]})
    quic = running.server._reach.quic
    assert quic is not None
    assert quic.addresses == (f"0.0.0.0:{quic.port}",)
    _, peer = signed_in(running, port=quic.port)
    assert peer.ask("PING") == "PONG"
    assert f"laddr=127.0.0.1:{quic.port} " in str(peer.ask("CLIENT", "INFO"))


@pytest.mark.skipif(sys.platform != "linux", reason="other addresses of this machine are Linux'")
def test_a_taken_port_is_said_to_be_taken(server: ServerFactory) -> None:
    """With what to do, and nothing is left open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((ELSEWHERE, 0))
        port = taken.getsockname()[1]
        with pytest.raises(Exception, match=rf"Cannot listen on 127\.0\.0\.2:{port} \(UDP\): .* in quic\.addresses\."):
            server(quic={"enabled": True, "addresses": [f"{ELSEWHERE}:{port}"]})


def test_a_port_that_the_system_chose_is_free_for_both(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the UDP port of that number is somebody else's, it chooses another."""
    bound: list[int] = []
    open_door = Door.__init__

    def taken_at_first(door: Door, wanted: Endpoint) -> None:
        bound.append(wanted.port)
        if len(bound) < 3:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        open_door(door, wanted)

    monkeypatch.setattr(Door, "__init__", taken_at_first)
    running = server(quic=QUIC)
    assert bound[2:] == [running.port]
    assert running.port not in bound[:2]
    signed_in(running)


def test_newcomers_are_served_what_there_is_now(server: ServerFactory, certificates: Path, tmp_path: Path) -> None:
    """A certificate that is taken up serves those who come from then on; who is there goes on."""
    mine = tmp_path / "certificates"
    shutil.copytree(certificates, mine)
    running = server(quic=QUIC, certs_dir=str(mine))
    old, peer = signed_in(running)
    (mine / "server.pem").unlink()
    ensure(Request(mine))
    running.server.reload()
    new, other = signed_in(running)
    shown = ssl.PEM_cert_to_DER_cert(
        (mine / "server.pem").read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )
    assert new.certificate() == shown != old.certificate()
    assert (peer.ask("PING"), other.ask("PING")) == ("PONG", "PONG")
    served = {session.peer.served.der for session in running.server.sessions if session.peer.served}
    assert served == {old.certificate(), new.certificate()}


def test_who_comes_in_a_crowd_proves_its_address(server: ServerFactory) -> None:
    """However small the crowd may be: half of those who may come are a crowd."""
    running = server(quic=QUIC, limits={"max_unauthenticated": 8})
    alone, _ = signed_in(running)
    assert alone.quic._retry_count == 0
    silent = [running.tcp() for _ in range(4)]
    eventually(running.server.reception.is_crowded)
    among, peer = signed_in(running)
    assert among.quic._retry_count == 1
    assert peer.ask("PING") == "PONG"
    for sock in silent:
        sock.close()


def test_a_token_is_good_in_its_networks_wherever_one_moves(server: ServerFactory) -> None:
    """Outside them the session ends, told by the stream and by the connection's end; the trail has the move."""
    running = server(quic=QUIC)
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        token = Tokens(storage).create("near", Role.USER, networks=["127.0.0.1/32"]).reveal()
    running.server._entrance.watch.step()
    sock, peer = signed_in(running, token)
    sock.move()
    assert peer.ask("PING") == "PONG"
    try:
        sock.move(ELSEWHERE)
    except OSError:
        pytest.skip(f"no {ELSEWHERE} here")
    assert sock.end() == (4002, "auth-failed")
    logged(running, f"moved .* principal=near address={ELSEWHERE}:")
    logged(running, "disconnected .* principal=near .*reason=auth-failed")


def test_a_server_that_stops_says_so(server: ServerFactory) -> None:
    """To who is idle at once, and behind what runs; and is gone soon after, with its port free for the next one."""
    running = server(quic=QUIC)
    quic = running.server._reach.quic
    assert quic is not None
    sock, peer = signed_in(running)
    stopping = threading.Thread(target=running.stop)
    stopping.start()
    closed = peer.reply()
    assert "draining" in str(closed)
    assert sock.end() == (1001, "draining")
    stopping.join()
    assert [door.fileno() for door in quic._doors] == [-1]  # to bind the port would race with whoever is given it next


def test_nobody_keeps_a_server_from_stopping(server: ServerFactory) -> None:
    """Whoever is gone without a word does not hear it, and is not waited for longer than anybody."""
    running = server(quic=QUIC)
    sock, _ = signed_in(running)
    half = QuicSocket(running.port, running.ca)
    sock.vanish()
    half.vanish()
    running.stop()
    assert not len(running.server.sessions)


def test_who_never_opens_the_stream_is_a_stranger_too_long(server: ServerFactory) -> None:
    """As one that never logs in; there is no stream to say so on, and the end of the connection says it."""
    running = server(quic=QUIC, timeouts={"authentication": "300ms"})
    sock = QuicSocket(running.port, running.ca)
    assert sock.end() == (4001, "auth-timeout")


def test_who_speaks_another_protocol_is_told(server: ServerFactory) -> None:
    """At once, by the alert; and the log says what was wrong."""
    running = server(quic=QUIC)
    with pytest.raises(ConnectionRefusedError, match="No common ALPN protocols"):
        QuicSocket(running.port, running.ca, prepare=lambda settings: setattr(settings, "alpn_protocols", ["h3"]))
    logged(running, "refused .*reason=handshake-failed No common ALPN protocols")


def test_who_breaks_the_rules_is_told(server: ServerFactory) -> None:
    """As far as it can hear it: a second stream, say."""
    running = server(quic=QUIC)
    sock, _ = signed_in(running)
    with sock.steering() as quic:
        quic._remote_max_streams_bidi = 10
        quic.send_stream_data(4, b"PING\n")
    code, _ = sock.end()
    assert code == QuicErrorCode.STREAM_LIMIT_ERROR
    logged(running, "disconnected .*reason=protocol-error")


def test_a_first_datagram_that_cannot_be_read_takes_no_place(server: ServerFactory) -> None:
    """It is what it says and no more: the rest is noise."""
    running = server(quic=QUIC)
    _, peer = signed_in(running)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.bind(("127.0.0.1", 0))
        for _ in range(50):
            head = bytes([0xC3, 0, 0, 0, 1, 8]) + os.urandom(8) + bytes([8]) + os.urandom(8)
            noise.sendto(head + bytes([0, 0x44, 0x88]) + os.urandom(1200), ("127.0.0.1", running.port))
    assert peer.ask("PING") == "PONG"
    assert peer.ask("PING") == "PONG"
    quic = running.server._reach.quic
    assert quic is not None
    eventually(lambda: not quic._waiting)
    assert not quic._shaking
    assert len(quic._known) == 1


def test_a_server_that_forgot_a_connection_says_so(server: ServerFactory) -> None:
    """After a crash, say: its client need not wait for what will not come; and the next server has the same key."""
    running = server(quic=QUIC)
    where = f"scs+quic://localhost:{running.port}"
    with Client(where, token=running.token(), ca=running.ca, reconnect=False) as client:
        assert client.execute("PING") == "PONG"
        quic = running.server._reach.quic
        assert quic is not None
        lines = list(quic._known)
        for line in lines:  # as if it had never been
            quic._loop.call_soon(line._over)
        eventually(lambda: not quic._known)
        with pytest.raises(ClientError, match="reset by peer"):
            client.execute("ECHO", "x")
        running.restart()
        restarted = running.server._reach.quic
        assert restarted is not None
        assert restarted._unknown.reset_token(b"12345678") == quic._unknown.reset_token(b"12345678")


@pytest.mark.parametrize(("length", "answered"), [(21, 0), (22, 21), (30, 29), (43, 42), (1200, 42)])
def test_a_reset_is_shorter_than_what_it_answers(server: ServerFactory, length: int, answered: int) -> None:
    """So it is no amplifier, and looks like any other datagram."""
    running = server(quic=QUIC)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.settimeout(PATIENCE_SECONDS if answered else 0.2)
        noise.sendto(b"\x43" + os.urandom(length - 1), ("127.0.0.1", running.port))
        if answered:
            answer = noise.recv(2000)
            assert (len(answer), answer[0]) == (answered, 0x43)
        else:
            with pytest.raises(TimeoutError):
                noise.recv(2000)


@pytest.mark.parametrize("step", ["receive_datagram", "datagrams_to_send", "handle_timer"])
def test_a_fault_of_the_library_costs_its_own_connection(
    server: ServerFactory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It is logged, and the session over; nobody else notices."""
    monkeypatch.setattr(line, "ASK_SECONDS", 0.05)
    running = server(quic=QUIC)
    _, hurt = signed_in(running)
    _, other = signed_in(running)
    quic = running.server._reach.quic
    assert quic is not None
    session = next(iter(running.server.sessions))
    (found,) = [one for one in list(quic._known) if one._session is session]

    def fail(*_: object) -> None:
        raise IndexError(step)

    setattr(found.connection, step, fail)
    if step == "handle_timer":
        quic._loop.call_soon(lambda: setattr(found.connection, "get_timer", lambda: 0.0))
    hurt.request("PING")
    logged(running, rf"disconnected session={session.number} .*reason=internal-error")
    eventually(lambda: found not in quic._known)
    assert other.ask("PING") == "PONG"
    messages = {record.getMessage() for record in caplog.records if record.levelname == "ERROR"}
    assert messages == {"unexpected error in a QUIC connection"}


def test_a_silent_peer_is_asked_whether_it_is_there(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, and as long as it says so it stays; what translates addresses on the way hears of it as well."""
    monkeypatch.setattr(line, "ASK_SECONDS", 0.05)
    asked: list[int] = []
    monkeypatch.setattr(Connection, "send_ping", lambda _connection, number: asked.append(number))
    running = server(quic=QUIC)
    _, peer = signed_in(running)
    eventually(lambda: len(asked) > 3)
    assert peer.ask("PING") == "PONG"


def test_a_handshake_that_is_not_ended_is_given_up(server: ServerFactory) -> None:
    """Its place is free again, and the log says why."""
    running = server(quic=QUIC, timeouts={"handshake": "200ms"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        settings = QuicConfiguration(alpn_protocols=["secure-command/1"], server_name="localhost")
        client = QuicConnection(configuration=settings)
        client.connect(("127.0.0.1", running.port), now=0.0)
        for data, address in client.datagrams_to_send(0.0):
            sock.sendto(data, address)
        logged(running, "refused .*reason=handshake-timeout")
    quic = running.server._reach.quic
    assert quic is not None
    eventually(lambda: not quic._known)


def test_who_does_not_hear_the_end_is_not_waited_for(server: ServerFactory) -> None:
    """Longer than `timeouts.linger`: it is told once more, by the end of the connection, and forgotten."""
    running = server(quic=QUIC, timeouts={"linger": "200ms"})
    sock, _ = signed_in(running)
    sock.mute = True
    (session,) = running.server.sessions
    session.call_soon(lambda: session.close(CloseReason.KICKED))
    assert sock.end() == (4005, "kicked")
    quic = running.server._reach.quic
    assert quic is not None
    eventually(lambda: not quic._known)


def test_what_is_answered_without_a_thought_waits_for_nobody(
    server: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many strangers wait; nor has what is nobody's, and begins nothing, a place in that line."""
    monkeypatch.setattr(listener, "MOST_WAITING", 0)
    running = server(quic=QUIC)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noise:
        noise.settimeout(PATIENCE_SECONDS)
        noise.sendto(bytes([0xC3, 0, 0, 0, 1, 8]) + os.urandom(200), ("127.0.0.1", running.port))
        noise.sendto(b"\x43" + os.urandom(100), ("127.0.0.1", running.port))
        assert len(noise.recv(2000)) == 42


def test_who_is_slow_to_answer_is_not_known_for_longer(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the library one is known for three of its timeouts after the end, and the peer says how long these are."""
    running = server(quic=QUIC, timeouts={"linger": "200ms"})
    _, peer = signed_in(running)
    quic = running.server._reach.quic
    assert quic is not None
    (known,) = quic._known
    monkeypatch.setattr(known.connection._loss, "get_probe_timeout", lambda: 1000.0)
    peer.request("EXIT")
    eventually(lambda: not quic._known)

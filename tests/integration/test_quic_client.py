"""The client over QUIC, with a real server, and a network between them that does what it likes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from secure_client import Client, State, Status
from secure_client.cli.main import dispatch
from secure_client.connection import quic_flow, quic_transport
from secure_client.errors import CertificateError, ConnectError, EndedByServerError, OutcomeUnknown, SetupError
from secure_protocol.replies import Table
from secure_server.auth.principal import Role
from secure_server.pki.ensure import Request, ensure
from tests.conftest import ServerFactory
from tests.integration.datagram_proxy import DatagramProxy, storm
from tests.integration.running import Running, eventually


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server with TCP and UDP at one port."""
    return server(quic={"enabled": True})


def client_of(
    running: Running,
    port: int | None = None,
    transport: str = "quic",
    *,
    reconnect: bool = True,
    connect_timeout: float = 10.0,
    certificate: Path | None = None,
) -> Client:
    """A client of it over QUIC, through another port."""
    return Client(
        f"localhost:{port or running.port}",
        token=running.token(),
        ca=running.ca,
        certificate=certificate,
        key=certificate.with_name("server-key.pem") if certificate is not None else None,
        transport=transport,
        reconnect=reconnect,
        connect_timeout=connect_timeout,
    )


def transports(running: Running) -> list[str]:
    """By what the users that the server knows are connected."""
    with Client(f"localhost:{running.port}", token=running.token(Role.ADMIN), ca=running.ca) as client:
        table = client.call("CLIENTS", "role=user", "--columns", "transport", returns=Table)
        return [str(row[0]) for row in table.rows]


def drained(silent: socket.socket) -> int:
    """Take the datagrams that came; return how many."""
    silent.settimeout(0)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while silent.recv(65_536):
            count += 1
    return count


def socket_of(client: Client) -> socket.socket:
    """What it is connected by now."""
    assert client._link._transport is not None
    return client._link._transport.socket


def is_another(client: Client, before: socket.socket) -> bool:
    """Whether it has gone on from another one."""
    return socket_of(client) is not before


def test_a_session_over_quic_is_one(running: Running) -> None:
    """The token is proved by the certificate that this connection was served, and commands run."""
    with client_of(running) as client:
        assert client.status.way.transport == "quic"
        assert client.execute("ECHO", "x" * 60_000) == "x" * 60_000
        assert client.pipeline([["ECHO", str(number)] for number in range(200)]) == list(map(str, range(200)))


def test_the_scheme_asks_for_it_too(running: Running) -> None:
    """`scs+quic://host:port` stands wherever an endpoint does."""
    with Client(f"scs+quic://127.0.0.1:{running.port}", token=running.token(), ca=running.ca) as client:
        assert client.execute("PING") == "PONG"
        assert str(client.login.endpoint) == f"127.0.0.1:{running.port}"


def test_auto_takes_quic_where_it_is_there(running: Running) -> None:
    """It begins first."""
    with client_of(running, transport="auto") as client:
        assert client.execute("PING") == "PONG"
        assert client.status.way.transport == "quic"


def test_auto_takes_tls_where_udp_is_silent(server: ServerFactory) -> None:
    """A socket that nobody reads is a firewall that drops all: TLS begins a quarter of a second later, and is used."""
    running = server()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", running.port))
        began = time.monotonic()
        with client_of(running, transport="auto") as client:
            assert 0.2 < time.monotonic() - began < 5
            assert client.execute("PING") == "PONG"
            assert client.status.way.transport == "tls"
            assert transports(running) == ["tls"]


def test_auto_begins_by_what_won_last(server: ServerFactory) -> None:
    """The next connection of this client does not wait for QUIC again."""
    running = server()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", running.port))
        with client_of(running, transport="auto") as client:
            assert client.execute("PING") == "PONG"
            connected = threading.Event()
            client.on_state = lambda status: connected.set() if status.state is State.CONNECTED else None
            drained(silent)
            socket_of(client).shutdown(socket.SHUT_RDWR)
            assert connected.wait(10)
            assert client.status.way.transport == "tls"
            assert drained(silent) == 0


def test_auto_takes_tls_at_once_where_udp_is_refused(server: ServerFactory) -> None:
    """A machine that says so needs not be waited for."""
    running = server()
    with client_of(running, transport="auto") as client:
        assert client.execute("PING") == "PONG"
        assert client.status.way.transport == "tls"


def test_a_new_address_keeps_the_session(
    running: Running, proxy: DatagramProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent is not acknowledged, so the client goes on from a new socket."""
    monkeypatch.setattr(quic_transport, "MOVE_AFTER", 0.3)
    moved = threading.Event()

    def changed(status: Status) -> None:
        if status.way.moved_to:
            moved.set()

    with client_of(running, proxy.port) as client:
        client.on_state = changed
        assert client.execute("PING") == "PONG"
        first = client.status.session
        proxy.swallow()
        request = client.submit(["ECHO", "later"])
        assert moved.wait(10)
        proxy.clear()
        assert client.result(request) == "later"
        assert client.status.session == first
        assert client.status.way == ("quic", "127.0.0.1")


def test_where_nobody_listens_it_says_so(server: ServerFactory) -> None:
    """Quickly, and with what to try."""
    running = server()
    with pytest.raises(ConnectError, match=r"over QUIC: connection refused\. .*--transport tls"):
        client_of(running, reconnect=False).connect()


def test_silence_is_not_waited_for_longer_than_the_timeout(server: ServerFactory) -> None:
    """And it may be the network's."""
    running = server()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", running.port))
        began = time.monotonic()
        with pytest.raises(ConnectError, match=r"no answer in time.*UDP.*--transport tls"):
            client_of(running, reconnect=False, connect_timeout=0.5).connect()
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(("host", "transport"), [("127.0.0.2", "quic"), ("127.0.0.2", "auto")])
def test_another_name_is_not_believed(server: ServerFactory, host: str, transport: str) -> None:
    """The sentence is that of TLS."""
    running = server(quic={"enabled": True}, listen={"addresses": ["0.0.0.0:0"]})
    with pytest.raises(CertificateError, match=r"not made out to `127\.0\.0\.2`"):
        Client(f"{host}:{running.port}", token=running.token(), ca=running.ca, transport=transport).connect()


def test_another_ca_is_not_believed(running: Running, tmp_path: Path) -> None:
    """Likewise; the server hears an alert, and nobody was let in."""
    other = ensure(Request(tmp_path / "other"))
    assert other
    with pytest.raises(CertificateError, match="is not vouched for by"):
        Client(running_address(running), token=running.token(), ca=tmp_path / "other" / "ca.pem").connect()
    assert transports(running) == []


def running_address(running: Running) -> str:
    """As it is written."""
    return f"scs+quic://localhost:{running.port}"


def test_the_last_words_arrive(running: Running) -> None:
    """A kicked client knows that, and does not come again."""
    with (
        client_of(running) as client,
        Client(f"localhost:{running.port}", token=running.token(Role.ADMIN), ca=running.ca) as admin,
    ):
        session = client.status.session
        assert session is not None
        admin.execute("KICK", str(session.id))
        eventually(lambda: client.status.state is State.STOPPED)
        assert isinstance(client.status.error, EndedByServerError)
        assert client.status.error.reason == "kicked"


def test_a_server_that_comes_back_is_found_again(running: Running) -> None:
    """What was lost is replaced by the usual rules."""
    with client_of(running) as client:
        changes: list[Status] = []
        client.on_state = changes.append
        running.restart()
        assert client.execute("PING", timeout=30) == "PONG"
        assert changes[0].state is not State.CONNECTED
        assert client.status.way.transport == "quic"


def test_a_storm_loses_nothing(running: Running, proxy: DatagramProxy) -> None:
    """Byte for byte, whatever befalls the datagrams."""
    with client_of(running, proxy.port) as client:
        proxy.rain(storm(0.05))
        word = "".join(map(str, range(10_000)))
        assert client.pipeline([["ECHO", word + str(number)] for number in range(20)]) == [
            word + str(number) for number in range(20)
        ]


def test_twenty_moves_keep_one_session(running: Running, proxy: DatagramProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time there is no answer, another socket is tried; what was in flight arrives once and in order."""
    monkeypatch.setattr(quic_transport, "MOVE_AFTER", 0.1)
    with client_of(running, proxy.port) as client:
        first = client.status.session
        for number in range(20):
            before = socket_of(client)
            proxy.swallow()
            request = client.submit(["ECHO", str(number)])
            eventually(partial(is_another, client, before))
            proxy.clear()
            assert client.result(request) == str(number)
        assert client.status.session == first


def test_where_no_move_helps_the_connection_is_replaced(
    running: Running, proxy: DatagramProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the patience for it."""
    monkeypatch.setattr(quic_transport, "MOVE_AFTER", 0.1)
    monkeypatch.setattr(quic_flow, "PATIENCE", 0.5)
    with client_of(running, proxy.port) as client:
        first = client.status.session
        lost = threading.Event()
        client.on_state = lambda status: lost.set() if status.state is not State.CONNECTED else None
        proxy.swallow()
        request = client.submit(["ECHO", "x"])
        assert lost.wait(10)
        proxy.clear()
        with pytest.raises(OutcomeUnknown):
            client.result(request)
        assert client.execute("PING") == "PONG"
        assert client.status.session != first


def test_an_error_on_sending_moves_it_at_once(running: Running) -> None:
    """The network that the socket was of is gone."""
    with client_of(running) as client:
        assert client.execute("PING") == "PONG"
        first = client.status.session
        socket_of(client).shutdown(socket.SHUT_WR)  # sending fails from here on: EPIPE
        assert client.execute("ECHO", "x") == "x"
        assert client.status == (State.CONNECTED, first, None, 0.0, ("quic", "127.0.0.1"))


@pytest.mark.parametrize("transport", ["quic", "auto"])
def test_client_certificates_are_of_tls(running: Running, tmp_path: Path, transport: str) -> None:
    """Asked for QUIC it says so; `auto` takes TLS."""
    client = client_of(running, transport=transport, certificate=running.ca.with_name("server.pem"))
    if transport == "quic":
        with pytest.raises(SetupError, match="Client certificates do not work over QUIC"):
            client.connect()
        return
    with client:
        assert client.status.way.transport == "tls"


@pytest.mark.parametrize("transport", ["quic", "auto"])
def test_without_the_library(running: Running, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for QUIC it says how to have it; `auto` takes TLS."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    client = client_of(running, transport=transport)
    if transport == "quic":
        with pytest.raises(SetupError, match=r"pip install 'secure-command-server\[quic\]'"):
            client.connect()
        return
    with client:
        assert client.status.way.transport == "tls"


def test_a_server_that_is_gone_is_noticed(running: Running) -> None:
    """Its machine says so of the new socket, too: nobody waits until patience is over."""
    with DatagramProxy(running.port) as proxy:
        client = client_of(running, proxy.port)
        client.connect()
    began = time.monotonic()
    with contextlib.closing(client), pytest.raises(OutcomeUnknown):  # the proxy has gone
        client.execute("ECHO", "x")
    assert time.monotonic() - began < quic_flow.PATIENCE / 2


def test_after_a_long_sleep_nothing_is_sent_into_the_old_connection(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has given it up, so the command goes over the next one."""
    with client_of(running) as client:
        first = client.status.session
        monkeypatch.setattr(quic_transport, "since_boot", lambda: time.monotonic() + 3600)
        assert client.execute("ECHO", "x") == "x"
        assert client.status.session != first


def test_a_program_begins_by_what_won_in_the_last_one(
    server: ServerFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where UDP is silent it is waited for once."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "home"))
    running = server()
    monkeypatch.setenv("SECURE_CLIENT_TOKEN", running.token())
    words = [f"localhost:{running.port}", "--ca", str(running.ca), "--transport", "auto", "-c", "PING"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", running.port))
        assert dispatch(words) == 0
        assert drained(silent) > 0
        assert dispatch(words) == 0
        assert drained(silent) == 0
    assert capsys.readouterr().out == "PONG\nPONG\n"

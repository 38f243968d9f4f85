"""The client on an event loop over QUIC, with a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from secure_client import AsyncClient, State, Status
from secure_client.connection import quic_flow, quic_transport
from secure_client.core.login import Login
from secure_client.core.status import Way
from secure_client.errors import CertificateError, ConnectError, SetupError
from tests.conftest import ServerFactory
from tests.integration.datagram_proxy import DatagramProxy, storm
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server with TCP and UDP at one port."""
    return server(quic={"enabled": True})


def serve(
    running: Running,
    use: Callable[[AsyncClient], Awaitable[None]],
    port: int | None = None,
    transport: str = "quic",
    *,
    connect_timeout: float = 10.0,
    certificate: str | None = None,
) -> None:
    """Use a client of it, on a loop of its own."""

    async def whole() -> None:
        client = AsyncClient(
            f"localhost:{port or running.port}",
            token=running.token(),
            ca=running.ca,
            transport=transport,
            connect_timeout=connect_timeout,
        )
        async with asyncio.timeout(PATIENCE_SECONDS), client:
            await use(client)

    asyncio.run(whole())


async def nothing(_client: AsyncClient) -> None:
    """It is enough that it is connected."""


def test_a_session_over_quic_is_one(running: Running) -> None:
    """Commands run, long ones and many."""

    async def use(client: AsyncClient) -> None:
        assert client.status.way == Way("quic")
        assert await client.execute("ECHO", "x" * 400_000) == "x" * 400_000
        words = [str(number) for number in range(200)]
        assert await asyncio.gather(*(client.execute("ECHO", word) for word in words)) == words

    serve(running, use)


def test_auto_takes_quic_where_it_is_there(running: Running) -> None:
    """It begins first."""

    async def use(client: AsyncClient) -> None:
        assert client.status.way.transport == "quic"

    serve(running, use, transport="auto")


@pytest.mark.parametrize("silent", [True, False])
def test_auto_takes_tls_where_there_is_no_quic(server: ServerFactory, *, silent: bool) -> None:
    """Where the datagrams are lost, and where the machine says that nobody listens."""
    running = server()

    async def use(client: AsyncClient) -> None:
        assert client.status.way.transport == "tls"
        assert await client.execute("PING") == "PONG"

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        if silent:
            hole.bind(("127.0.0.1", running.port))
        serve(running, use, transport="auto")


def test_auto_begins_by_what_won_last(server: ServerFactory) -> None:
    """Nothing is asked of UDP where TLS is there in time."""
    running = server()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", running.port))
        hole.settimeout(0)

        async def whole() -> None:
            login = Login.of(
                f"localhost:{running.port}", running.token(), running.ca, None, None, "test", None, "scram", "auto"
            )
            async with AsyncClient.of(login._replace(last="tls")) as client:
                assert client.status.way.transport == "tls"

        asyncio.run(whole())
        with pytest.raises(BlockingIOError):
            hole.recv(1)


def test_a_new_address_keeps_the_session(
    running: Running, proxy: DatagramProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent is not acknowledged, so the client goes on from a new socket, and tells of it."""
    monkeypatch.setattr(quic_transport, "MOVE_AFTER", 0.2)

    async def use(client: AsyncClient) -> None:
        moved = asyncio.Event()

        def changed(status: Status) -> None:
            if status.way.moved_to:
                moved.set()

        client.on_state = changed
        first = client.status.session
        for number in range(5):
            moved.clear()
            proxy.swallow()
            asked = asyncio.create_task(client.execute("ECHO", str(number)))
            await moved.wait()
            proxy.clear()
            assert await asked == str(number)
        assert client.status.session == first
        assert client.status.way == Way("quic", "127.0.0.1")

    serve(running, use, proxy.port)


def test_where_no_move_helps_the_connection_is_replaced(
    running: Running, proxy: DatagramProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the patience for it."""
    monkeypatch.setattr(quic_transport, "MOVE_AFTER", 0.1)
    monkeypatch.setattr(quic_flow, "PATIENCE", 0.5)

    async def use(client: AsyncClient) -> None:
        lost = asyncio.Event()
        client.on_state = lambda status: lost.set() if status.state is not State.CONNECTED else None
        proxy.swallow()
        asked = asyncio.create_task(client.execute("PING", idempotent=True))
        await lost.wait()
        proxy.clear()
        assert await asked == "PONG"

    serve(running, use, proxy.port)


def test_a_storm_loses_nothing(running: Running, proxy: DatagramProxy) -> None:
    """Byte for byte, whatever befalls the datagrams."""
    word = "".join(map(str, range(10_000)))

    async def use(client: AsyncClient) -> None:
        proxy.rain(storm(0.05))
        wanted = [word + str(number) for number in range(20)]
        assert await client.pipeline([["ECHO", each] for each in wanted]) == wanted

    serve(running, use, proxy.port)


def test_what_fails_is_said_as_over_tls(server: ServerFactory, running: Running) -> None:
    """A name that the certificate has not, a machine that refuses, and silence."""

    async def whole() -> None:
        client = AsyncClient(f"scs+quic://127.0.0.1:{running.port}", token=running.token(), ca="/nowhere/ca.pem")
        with pytest.raises(SetupError, match="There is no CA file"):
            await client.connect()

    asyncio.run(whole())
    without = server()
    with pytest.raises(ConnectError, match=r"over QUIC: connection refused"):
        serve(without, nothing)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", without.port))
        with pytest.raises(ConnectError, match=r"no answer in time.*UDP"):
            serve(without, nothing, connect_timeout=0.5)


def test_another_name_is_not_believed(server: ServerFactory) -> None:
    """The sentence is that of TLS."""
    running = server(quic={"enabled": True}, listen={"addresses": ["0.0.0.0:0"]})

    async def whole() -> None:
        await AsyncClient(f"scs+quic://127.0.0.2:{running.port}", token=running.token(), ca=running.ca).connect()

    with pytest.raises(CertificateError, match=r"not made out to `127\.0\.0\.2`"):
        asyncio.run(whole())

"""What only a client on an event loop can do: tasks that are cancelled, callbacks that are awaited, many at once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

import pytest

from secure_client import (
    AsyncClient,
    CertificateError,
    ClientCertificateError,
    ConnectError,
    ConnectionLostError,
    SetupError,
    State,
)
from secure_client.asynchronous.wires import StreamWire
from secure_protocol.replies import Push
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority, Pair
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer

Use = Callable[[AsyncClient], Awaitable[None]]


@pytest.fixture
def run(server: ScriptedServer, authority: Authority, token: Token) -> Callable[[Use], None]:
    """Run a coroutine function with a connected client."""

    async def whole(use: Use) -> None:
        async with asyncio.timeout(PATIENCE), AsyncClient(server.address, token=token, ca=authority.ca) as client:
            await use(client)

    return lambda use: asyncio.run(whole(use))


def until(server: ScriptedServer, condition: Callable[[], object]) -> Awaitable[None]:
    """Wait for the server, beside the loop."""
    return asyncio.to_thread(server.wait_for, condition)


def test_a_cancelled_task_ends_its_command_and_nothing_is_mixed_up(
    run: Callable[[Use], None], server: ScriptedServer
) -> None:
    """The server is told; the answer to that is nobody's, and the next command gets its own."""
    server.handlers["SLOW"] = lambda peer, _arguments: peer.wait_for_cancel()

    async def use(client: AsyncClient) -> None:
        for number in range(5):
            task = asyncio.create_task(client.execute("SLOW", number))
            await until(server, lambda number=number: ["SLOW", str(number)] in server.received)  # type: ignore[misc] # bound default
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.execute("ECHO", number) == str(number)

    run(use)
    assert server.sessions == 1


def test_a_timeout_of_the_tasks_own_does_the_same(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """`asyncio.timeout` around a command, as programs write it."""
    server.handlers["SLOW"] = lambda peer, _arguments: peer.wait_for_cancel()

    async def use(client: AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.execute("SLOW")
        assert await client.execute("ECHO", "x") == "x"

    run(use)


def test_what_was_cancelled_before_it_was_sent_never_is(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """As while there is no connection."""

    async def use(client: AsyncClient) -> None:
        server.refusal = None
        server.stop()
        await client._link.wait_for(lambda status: status.state is not State.CONNECTED, PATIENCE)
        task = asyncio.create_task(client.execute("COUNT"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.start()
        client.reconnect()
        assert await client.execute("ECHO", "x") == "x"

    run(use)
    assert server.count == 0


def test_many_tasks_share_a_connection(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """Each gets its own answer."""

    async def use(client: AsyncClient) -> None:
        answers = await asyncio.gather(*(client.execute("ECHO", number) for number in range(500)))
        assert answers == [str(number) for number in range(500)]

    run(use)
    assert server.sessions == 1


def test_callbacks_are_awaited_and_slow_the_server(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """Who takes a part slowly is not sent the next ones without end."""
    total, size = 200, 50_000
    sent = []

    def flood(peer: Peer, _arguments: list[str]) -> object:
        for number in range(total):
            peer.send(Push("stream", (str(number).rjust(size),)))
            sent.append(number)
        return "done"

    server.handlers["FLOOD"] = flood
    got: list[int] = []

    async def use(client: AsyncClient) -> None:
        gate = asyncio.Event()

        async def take(part: object) -> None:
            await gate.wait()
            got.append(int(str(part)))

        task = asyncio.create_task(client.execute("FLOOD", on_part=take))
        await until(server, lambda: ["FLOOD"] in server.received)
        for _ in range(1000):
            await asyncio.sleep(0)
        gate.set()
        assert await task == "done"

    run(use)
    assert got == list(range(total))


def test_a_callback_that_fails_ends_the_command(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """And its error is what is raised."""

    def endless(peer: Peer, _arguments: list[str]) -> object:
        peer.send(Push("stream", ("a",)))
        return peer.wait_for_cancel()

    server.handlers["TAIL"] = endless

    async def use(client: AsyncClient) -> None:
        async def fail(_part: object) -> None:
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await client.execute("TAIL", on_part=fail)
        assert await client.execute("ECHO", "x") == "x"

    run(use)


def test_a_task_that_is_cancelled_goes_on_with_its_job_later(
    run: Callable[[Use], None], server: ScriptedServer
) -> None:
    """To wait for a job is not to own it."""

    def deploy(peer: Peer, _arguments: list[str]) -> object:
        peer.send(Push("job", (7, "running", 0)))
        peer.send(Push("stream", ("a",)))
        peer.read()
        return "done"

    server.handlers["JOB"] = deploy

    async def use(client: AsyncClient) -> None:
        job = await client.start("DEPLOY")
        task = asyncio.create_task(job.result())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other = asyncio.create_task(client.execute("ECHO", "x"))
        assert await job.result() == "done"
        assert job.number == 7
        assert await other == "x"

    run(use)


def test_closing_fails_what_is_outstanding(run: Callable[[Use], None], server: ScriptedServer) -> None:
    """And a closed client takes nothing more; twice is once."""
    server.handlers["SLOW"] = lambda peer, _arguments: peer.read() and None

    async def use(client: AsyncClient) -> None:
        task = asyncio.create_task(client.execute("SLOW"))
        await until(server, lambda: ["SLOW"] in server.received)
        await client.close()
        with pytest.raises(ConnectionLostError):
            await task
        with pytest.raises(ConnectionLostError):
            await client.execute("ECHO")
        await client.close()

    run(use)


def test_before_it_is_connected_it_says_so() -> None:
    """And can be closed all the same."""

    async def use() -> None:
        client = AsyncClient("localhost:1")
        client.reconnect()
        with pytest.raises(SetupError, match="not connected: use it by `async with`"):
            await client.execute("PING")
        news = client.pushes()
        await client.close()
        assert await news.get() is None
        with pytest.raises(ConnectionLostError):
            await client.execute("PING")

    asyncio.run(use())


def test_closing_waits_for_the_connection_that_ended_just_before(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """So that nothing of it is left when the loop is closed."""

    async def use() -> None:
        async with asyncio.timeout(PATIENCE), AsyncClient(server.address, token=token, ca=authority.ca) as client:
            wire = client._link._wire
            assert isinstance(wire, StreamWire)
            await asyncio.to_thread(server.push, "closed", "kicked", -1, "Bye")
            await client._link.wait_for(lambda status: status.state is State.STOPPED, PATIENCE)
        assert wire._ended.is_set()

    asyncio.run(use())


@pytest.mark.parametrize("way", ["refused", "nowhere", "stranger", "silent", "certificate"])
def test_ways_not_to_connect(authority: Authority, pair: Pair, token: Token, way: str) -> None:
    """Each is told apart, as by the client for threads."""

    async def refused(client: AsyncClient) -> Exception:
        with pytest.raises(ConnectError if way != "certificate" else ClientCertificateError) as caught:
            async with client:
                pytest.fail("it connected")
        return caught.value

    async def silent() -> Exception:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            return await refused(AsyncClient(f"127.0.0.1:{port}", ca=authority.ca, connect_timeout=0.3))

    with ScriptedServer(pair, token=token, client_ca=authority.ca if way == "certificate" else None) as server:
        if way == "refused":
            address = server.address
            server.stop()
            error = asyncio.run(refused(AsyncClient(address, token=token, ca=authority.ca)))
            assert "Is the server running" in str(error)
            server.start()
        elif way == "nowhere":
            error = asyncio.run(refused(AsyncClient("nowhere.invalid", ca=authority.ca)))
            assert "there is no host `nowhere.invalid`" in str(error)
        elif way == "stranger":
            error = asyncio.run(refused(AsyncClient(server.address, token=token)))
            assert type(error) is CertificateError
        elif way == "certificate":
            error = asyncio.run(refused(AsyncClient(server.address, token=token, ca=authority.ca)))
            assert "requires a client certificate" in str(error)
        else:
            error = asyncio.run(silent())
            assert "no answer in time" in str(error)
    assert not isinstance(error, ssl.SSLError)

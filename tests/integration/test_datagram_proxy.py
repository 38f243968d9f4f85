"""The proxy for datagrams does what the tests over QUIC count on."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator

import pytest

from tests.integration.datagram_proxy import DatagramProxy, Weather
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import ELSEWHERE, eventually

MANY = 2_000
FEW = 100


def bound(seconds: float = PATIENCE_SECONDS) -> socket.socket:
    """Return a socket for datagrams."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(seconds)
    return sock


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """The proxy's target."""
    with bound() as sock:
        yield sock


@pytest.fixture
def proxy(server: socket.socket) -> Iterator[DatagramProxy]:
    """A proxy before it."""
    with DatagramProxy(server.getsockname()[1]) as started:
        yield started


@pytest.fixture
def client(proxy: DatagramProxy) -> Iterator[socket.socket]:
    """A client that sends to the proxy."""
    with bound() as sock:
        sock.connect(("127.0.0.1", proxy.port))
        yield sock


def all_of(sock: socket.socket) -> list[bytes]:
    """Return what comes until nothing has come for a moment."""
    sock.settimeout(0.3)
    found: list[bytes] = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(sock.recv(65536))
    return found


def arrived(proxy: DatagramProxy, count: int) -> bool:
    """Whether so many came to the proxy."""
    return proxy.up.datagrams - proxy.up.doubled + proxy.up.lost == count


def sent_many(proxy: DatagramProxy, client: socket.socket, server: socket.socket) -> list[bytes]:
    """Send numbered datagrams, a few at a time so that no buffer overflows, and return what came of them."""
    for start in range(0, MANY, FEW):
        for number in range(start, start + FEW):
            client.send(b"%06d" % number)
        eventually(functools.partial(arrived, proxy, start + FEW))
    return all_of(server)


def test_it_forwards_both_ways(proxy: DatagramProxy, server: socket.socket, client: socket.socket) -> None:
    """Each client has a port of its own before the server, and gets what is sent to that."""
    with bound() as other:
        other.connect(("127.0.0.1", proxy.port))
        for sock, word in ((client, b"one"), (other, b"two"), (client, b""), (other, b"x" * 60_000)):
            sock.send(word)
            data, source = server.recvfrom(65536)
            assert data == word
            assert source in proxy.addresses()
            server.sendto(word.upper(), source)
            assert sock.recv(65536) == word.upper()
        assert len(set(proxy.addresses())) == 2
    assert (proxy.up.datagrams, proxy.down.datagrams, proxy.up.octets) == (4, 4, 60_006)


def test_who_is_not_the_server_is_not_forwarded(
    proxy: DatagramProxy, server: socket.socket, client: socket.socket
) -> None:
    """A port before the server takes what the server says, and nothing else."""
    client.send(b"first")
    _, source = server.recvfrom(65536)
    with bound() as stranger:
        stranger.sendto(b"forged", source)
    server.sendto(b"true", source)
    assert client.recv(65536) == b"true"


@pytest.mark.parametrize("chance", [0.01, 0.05, 0.2])
def test_chances(proxy: DatagramProxy, server: socket.socket, client: socket.socket, chance: float) -> None:
    """As many are lost, doubled and cut as was asked for, and the rest is as it was sent."""
    proxy.rain(Weather(lose=chance, double=chance, reorder=chance, truncate=chance, corrupt=chance))
    came = sent_many(proxy, client, server)
    tally = proxy.up
    expected = chance * MANY
    for name in ("lost", "doubled", "reordered", "truncated", "corrupted"):
        assert 0.5 * expected < getattr(tally, name) < 1.5 * expected, name
    assert len(came) == tally.datagrams == MANY - tally.lost + tally.doubled
    whole = {b"%06d" % number for number in range(MANY)}
    odd = [data for data in came if data not in whole]
    assert len(odd) <= 2 * (tally.truncated + tally.corrupted)
    order = [data for data in came if data in whole]
    assert order != sorted(order)
    proxy.clear()
    client.send(b"good again")
    assert server.recv(65536) == b"good again"


def test_it_is_late(proxy: DatagramProxy, server: socket.socket, client: socket.socket) -> None:
    """By as much as was asked for, each way, in the order sent."""
    proxy.delay(0.2)
    client.send(b"1")
    client.send(b"2")
    server.settimeout(0.1)
    with pytest.raises(TimeoutError):
        server.recv(65536)
    server.settimeout(PATIENCE_SECONDS)
    assert [server.recv(65536), server.recvfrom(65536)[0]] == [b"1", b"2"]


def test_it_rebinds(proxy: DatagramProxy, server: socket.socket, client: socket.socket) -> None:
    """The server sees another port, or address; what it sends to the old one is lost."""
    client.send(b"1")
    _, old = server.recvfrom(65536)
    (new,) = proxy.rebind()
    server.sendto(b"lost", old)
    client.send(b"2")
    assert server.recvfrom(65536) == (b"2", new)
    assert new != old
    server.sendto(b"found", new)
    assert client.recv(65536) == b"found"
    try:
        (elsewhere,) = proxy.rebind(ELSEWHERE)
    except OSError as error:
        pytest.skip(f"this system has no {ELSEWHERE}: {error}")
    client.send(b"3")
    assert server.recvfrom(65536) == (b"3", elsewhere)
    assert elsewhere[0] == ELSEWHERE


@pytest.mark.parametrize(("up", "down"), [(True, False), (False, True), (True, True)])
def test_it_swallows(
    proxy: DatagramProxy, server: socket.socket, client: socket.socket, *, up: bool, down: bool
) -> None:
    """What goes one way, the other, or both; until it is told otherwise."""
    client.send(b"before")
    _, source = server.recvfrom(65536)
    proxy.swallow(up=up, down=down)
    client.send(b"up")
    server.sendto(b"down", source)
    eventually(lambda: (proxy.up.swallowed, proxy.down.swallowed) == (up, down))
    proxy.clear()
    client.send(b"after")
    server.sendto(b"after", source)
    assert [server.recv(65536) for _ in range(2 - up)] == [b"up", b"after"][up:]
    assert [client.recv(65536) for _ in range(2 - down)] == [b"down", b"after"][down:]


def test_it_says_what_was_not_said(proxy: DatagramProxy, server: socket.socket, client: socket.socket) -> None:
    """A datagram of the test's own comes from the client's port, or from the server's."""
    client.send(b"first")
    _, source = server.recvfrom(65536)
    proxy.inject(b"forged")
    assert server.recvfrom(65536) == (b"forged", source)
    proxy.inject(b"as forged", up=False)
    assert client.recv(65536) == b"as forged"

"""Sessions over QUIC on networks that lose, double, reorder, cut and change datagrams: nothing is noticed of it."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from secure_protocol.resp_requests import encode_request
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.datagram_proxy import DatagramProxy, Weather, storm
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.quic_peers import QuicPeer, come, streamed
from tests.integration.running import Running, eventually, logged
from tests.integration.slow_commands import Seen

SIZES = {0.01: 3_000_000, 0.05: 1_000_000, 0.2: 200_000}
"""Bytes each way, by the chance of each fault: where every fifth is lost, megabytes take minutes over any transport."""
WORD_BYTES = 10_000
FATES = ("lose", "double", "reorder", "truncate", "corrupt")


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that take their time, and the time that a bad network takes."""
    Seen.forget()
    started = server(quic={"enabled": True}, timeouts={"handshake": "60s", "authentication": "60s", "write": "60s"})
    started.server.registry.load([slow_commands])
    yield started
    Seen.released.set()


def carried(peer: QuicPeer, size: int) -> None:
    """Have that many bytes echoed, in words that no two are alike, and hold that each is what it was and where."""
    chance = random.Random(size)  # noqa: S311 - bytes to tell apart, no secret
    words = [chance.randbytes(min(WORD_BYTES, size - start)).hex()[:WORD_BYTES] for start in range(0, size, WORD_BYTES)]
    requests = b"".join(encode_request([b"ECHO", word.encode()]) for word in words)
    sending = threading.Thread(target=peer.send, args=(requests,))
    sending.start()
    for number, word in enumerate(words):
        assert peer.reply() == word, number
    sending.join()


@pytest.mark.parametrize("chance", SIZES)
def test_in_a_storm(running: Running, proxy: DatagramProxy, chance: float) -> None:
    """All of it at once, from the first datagram on: a login, a stream, and bytes each way, whole and in order."""
    proxy.rain(storm(chance))
    with come(running, proxy.port) as peer:
        peer.quic.settimeout(4 * PATIENCE_SECONDS)
        carried(peer, SIZES[chance] // 4)
        streamed(peer, 300)
        proxy.clear()
        assert peer.ask("EXIT") is not None
        assert peer.quic.end()[0] == 1000
    logged(running, "disconnected .*transport=quic.*reason=goodbye|disconnected .* reason=goodbye")
    assert "internal-error" not in running.log()


@pytest.mark.long
@pytest.mark.parametrize("chance", SIZES)
@pytest.mark.parametrize("fate", FATES)
def test_one_fault_at_a_time(running: Running, proxy: DatagramProxy, fate: str, chance: float) -> None:
    """More bytes, of which each way something is always under way."""
    with come(running, proxy.port) as peer:
        peer.quic.settimeout(4 * PATIENCE_SECONDS)
        proxy.rain(Weather(**{fate: chance}))
        carried(peer, SIZES[chance])
        streamed(peer, 300)
    assert "internal-error" not in running.log()


def test_far_away(running: Running, proxy: DatagramProxy) -> None:
    """A session of 200 ms there and back, and a login that takes no more than four such ways."""
    proxy.delay(0.1)
    with come(running, proxy.port) as peer:
        carried(peer, 100_000)
        streamed(peer, 100)


def went_on(count: Callable[[], int], already: int) -> bool:
    """Whether it was tried again and again."""
    return count() >= already + 3


def test_a_moments_silence(running: Running, proxy: DatagramProxy) -> None:
    """What is asked in a tunnel is answered behind it."""

    def swallowed() -> int:
        return proxy.up.swallowed + proxy.down.swallowed

    with come(running, proxy.port) as peer:
        for up, down in ((True, False), (False, True), (True, True)):
            proxy.swallow(up=up, down=down)
            already = swallowed()
            peer.request("ECHO", "in the tunnel")
            eventually(functools.partial(went_on, swallowed, already))
            proxy.clear()
            assert peer.reply() == "in the tunnel"

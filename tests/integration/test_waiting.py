"""Requests that wait behind a running command: how much a server holds, and how it goes on."""

from __future__ import annotations

import contextlib
import select
import ssl
import threading
from collections.abc import Iterator

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_server.session.session import Session
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually
from tests.integration.slow_commands import Seen

COUNT = 100
BIG = encode_request([b"ECHO", b"x" * 60_000])
LARGEST = encode_request([b"ECHO", b"x" * (64 * 1024 - 4)])
MOST = 64 * 1024 + 64 * 1025 + 256 * 1024 + 16 * 1024
"""What a connection may have waiting: a request of that weight, what is allowed beyond it, and one read."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with two loops that holds 256 KB beyond one request of each, for one connection or for all."""
    Seen.forget()
    bounds = {"argument": "64KB", "request": "64KB"}
    limits = {"pending_bytes": "256KB", "pending_total": "256KB"}
    started = server(threads={"io": 2}, requests=bounds, limits=limits)
    started.server.registry.load([slow_commands])
    yield started
    Seen.released.set()


def session_of(running: Running, peer: RespPeer) -> Session:
    """The server's side of it."""
    number = peer.ask("CLIENT", "ID")
    return next(session for session in running.server.sessions if session.number == number)


class TwoThreads(RespPeer):
    """One whose requests and replies two threads send and receive: an SSL object is for one at a time.

    Args:
        peer: connected.
    """

    def __init__(self, peer: RespPeer) -> None:
        super().__init__(peer.socket)
        self._turn = threading.Lock()
        self.socket.settimeout(0)  # it does not block

    def send(self, data: bytes) -> None:
        """Send all of it, as the server takes it."""
        left = memoryview(data)
        while left:
            select.select([], [self.socket], [], PATIENCE_SECONDS)
            with self._turn, contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                left = left[self.socket.send(left[:16384]) :]

    def receive(self) -> bytes:
        """Return what there is, when there is something."""
        while True:
            with self._turn, contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return self.socket.recv(65536)
            if not select.select([self.socket], [], [], PATIENCE_SECONDS)[0]:
                raise TimeoutError


def pour(peer: RespPeer, data: bytes) -> threading.Thread:
    """Send from a thread of its own, for the server takes it in its time."""

    def send() -> None:
        with contextlib.suppress(OSError):  # the test ends some of them
            peer.send(data)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def test_what_waits_is_bounded_and_goes_on_in_turn(running: Running) -> None:
    """Whoever has taken all there is pauses the next, on another loop, which goes on when that is given back.

    A CANCEL behind what is not read waits with it; one request has room whatever others do.
    """
    reserve = running.server.reception._terms.reserve
    with running.resp() as one, running.resp() as another, running.resp() as modest:
        greedy, next_one = TwoThreads(one), TwoThreads(another)
        first, second = session_of(running, greedy), session_of(running, next_one)
        greedy.request("HOLD")
        pouring = pour(greedy, BIG * COUNT + encode_request([b"CANCEL"]))
        eventually(lambda: reserve.free == 0 and not first.wants_input)
        next_one.request("HOLD")
        waiting = pour(next_one, BIG * COUNT)
        eventually(lambda: reserve.waiting == 1 and not second.wants_input)
        third = session_of(running, modest)
        modest.request("HOLD")
        modest.send(LARGEST)
        eventually(lambda: third.activity.received > len(LARGEST))
        assert first.activity.received < MOST + 1000
        assert second.activity.received < MOST - 256 * 1024 + 1000
        assert pouring.is_alive()
        Seen.released.set()
        replies = [greedy.reply() for _ in range(COUNT + 2)]
        assert (replies[0], replies[-1], len(str(replies[1]))) == ("released", 0, 60_000)
        assert next_one.reply() == "released"
        assert [len(str(next_one.reply())) for _ in range(COUNT)] == [60_000] * COUNT
        assert modest.reply() == "released"
        assert len(str(modest.reply())) == 64 * 1024 - 4
        for thread in (pouring, waiting):
            thread.join(PATIENCE_SECONDS)
    eventually(lambda: reserve.free == 256 * 1024)


def test_a_kicked_session_lets_the_next_go_on(running: Running) -> None:
    """What it held is handed over at its end."""
    with running.resp() as one, running.resp() as another:
        greedy, next_one = TwoThreads(one), TwoThreads(another)
        first, second = session_of(running, greedy), session_of(running, next_one)
        for peer, session in ((greedy, first), (next_one, second)):
            peer.request("HOLD")
            pour(peer, BIG * COUNT)
            eventually(lambda session=session: session.busy and not session.wants_input)  # type: ignore[misc] # bound default
        received = second.activity.received
        running.server.sessions.close(lambda session: session is first, CloseReason.KICKED)
        eventually(lambda: second.activity.received >= received + 128 * 1024)
        Seen.released.set()
        assert next_one.reply() == "released"
        assert [len(str(next_one.reply())) for _ in range(COUNT)] == [60_000] * COUNT

"""An HTTP connection on the newcomers' loop: strangers whose turns may be dear wait in line."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import cast

import pytest

from secure_server.limits.newcomers import Place
from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import READ
from secure_server.net.wire import PlainWire
from secure_server.session.peer import Peer
from secure_server.web.exchange import Exchange
from secure_server.web.message import Answer, Question, told


class Loop:
    """What an exchange needs of a loop, by hand."""

    now = 0.0
    owned = True

    def __init__(self) -> None:
        self.suspects: deque[Callable[[], None]] = deque()
        self.soon: list[Callable[[], None]] = []

    def register(self, *_given: object) -> None:
        """Watch nothing."""

    modify = unregister = register

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Keep it."""
        self.soon.append(callback)

    def call_at(self, _when: float, _callback: Callable[[], None]) -> Loop:
        """Return a timer that never fires."""
        return self

    def cancel(self) -> None:
        """As of a timer."""


class Suspect(PlainWire):
    """Nobody knows yet what it is good for."""

    __slots__ = ("reads",)
    suspect = True

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.reads = 0

    def read(self) -> bytes | None:
        """Count, and read."""
        self.reads += 1
        return super().read()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours, theirs:
        yield ours, theirs


def test_a_suspect_waits_for_its_turn(pair: tuple[socket.socket, socket.socket]) -> None:
    """In one place of the line, however often it is ready; its turn is one read."""
    ours, theirs = pair
    loop, wire = Loop(), Suspect(ours)
    asked: list[Question] = []

    def ask(question: Question) -> Answer:
        asked.append(question)
        return told(HTTPStatus.OK)

    ended: list[Exchange] = []
    exchange = Exchange(
        cast("EventLoop", loop), wire, Peer("127.0.0.1:1"), Place("", lambda _: None),
        ask, lambda *_: None, ended.append,
    )  # fmt: skip
    exchange.start()
    theirs.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    for _ in range(3):
        exchange._on_event(READ)
    assert (wire.reads, len(loop.suspects)) == (0, 1)
    loop.suspects.popleft()()
    assert (wire.reads, len(asked)) == (1, 1)
    exchange._on_event(READ)
    assert len(loop.suspects) == 1
    exchange.end()
    loop.suspects.popleft()()
    assert (wire.reads, ended) == (1, [exchange])

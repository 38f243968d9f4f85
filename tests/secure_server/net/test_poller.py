"""What an event loop needs of the system: epoll and its portable stand-in behave alike."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from secure_server.net.poller import BROKEN, READ, WRITE, Poller, SelectorsPoller, new_poller

AT_ONCE = 0.0
SOON = 5.0
"""Seconds; a bound, never waited for when the code is right."""

POLLERS = [SelectorsPoller, *([select.epoll] if hasattr(select, "epoll") else [])]


@pytest.fixture(params=POLLERS, ids=lambda kind: kind.__name__)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """Each kind."""
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def ready(poller: Poller, timeout: float = AT_ONCE) -> dict[int, int]:
    """What is ready for reading or writing."""
    return {fd: mask & (READ | WRITE) for fd, mask in poller.poll(timeout)}


def test_nothing_is_ready_of_a_silent_socket(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """No bytes, no event."""
    poller.register(pair[0].fileno(), READ)
    assert ready(poller) == {}


def test_readable_once_bytes_are_there_and_until_they_are_read(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Level-triggered: it is reported again until it is read."""
    fd = pair[0].fileno()
    poller.register(fd, READ)
    pair[1].send(b"x")
    assert ready(poller, SOON) == {fd: READ}
    assert ready(poller) == {fd: READ}
    pair[0].recv(1)
    assert ready(poller) == {}


def test_a_negative_timeout_waits_for_an_event(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """-1 is for ever, and here something is there already."""
    poller.register(pair[0].fileno(), WRITE)
    assert ready(poller, -1) == {pair[0].fileno(): WRITE}


def test_interest_can_change_to_anything_and_to_nothing(
    poller: Poller, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Read, write, both, none, and back."""
    fd = pair[0].fileno()
    pair[1].send(b"x")
    poller.register(fd, READ)
    for interest in (WRITE, READ | WRITE, 0, READ, 0, 0, WRITE):
        poller.modify(fd, interest)
        assert ready(poller) == ({fd: interest} if interest else {})


def test_what_is_unregistered_is_silent(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """Whatever its interest was; and it can be registered again."""
    fd = pair[0].fileno()
    pair[1].send(b"x")
    for interest in (READ, 0):
        poller.register(fd, interest)
        poller.unregister(fd)
        assert ready(poller) == {}
    poller.register(fd, READ)
    assert ready(poller) == {fd: READ}


def test_a_closed_peer_is_readable(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    """So that whoever reads finds the end."""
    poller.register(pair[0].fileno(), READ)
    pair[1].close()
    ((fd, mask),) = poller.poll(SOON)
    assert fd == pair[0].fileno()
    assert mask & (READ | BROKEN)


def test_the_systems_best_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Epoll where there is one, selectors elsewhere."""
    best = new_poller()
    assert isinstance(best, SelectorsPoller) is not hasattr(select, "epoll")
    best.close()
    monkeypatch.delattr(select, "epoll", raising=False)
    portable = new_poller()
    assert isinstance(portable, SelectorsPoller)
    portable.close()

"""What an event loop needs of the system: epoll and its portable stand-in behave alike."""

from __future__ import annotations

import os
import select
import selectors
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from secure_server.net.poller import BROKEN, FD_SETSIZE, READ, WRITE, Poller, SelectorsPoller, most_watched, new_poller

AT_ONCE = 0.0
SOON = 5.0
"""Seconds; a bound, never waited for when the code is right."""


def of_select() -> Poller:
    """The one that every system has."""
    return SelectorsPoller(selectors.SelectSelector())


def of_poll() -> Poller:
    """Another."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    return SelectorsPoller(selectors.PollSelector())


KINDS: dict[str, Callable[[], Poller]] = {"best": new_poller, "portable": SelectorsPoller, "select": of_select}
POLLERS = KINDS | ({"poll": of_poll} if hasattr(selectors, "PollSelector") else {})


@pytest.fixture(params=POLLERS)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """Each kind."""
    made = POLLERS[request.param]()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def resource_limits() -> tuple[int, int]:
    """The soft and the hard limit on descriptors."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource  # noqa: PLC0415 - POSIX only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (soft, sys.maxsize) if hard == resource.RLIM_INFINITY else (soft, hard)


@contextmanager
def descriptor_limit(least: int) -> Iterator[None]:
    """Allow at least so many for a while."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource  # noqa: PLC0415 - POSIX only

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], least), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def fcntl_dup(fd: int, least: int) -> int:
    """Another descriptor of the same file, with a number from `least` on."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import fcntl  # noqa: PLC0415 - POSIX only

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)


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


@pytest.mark.skipif(sys.platform == "win32", reason="there, the number of a descriptor does not matter")
def test_select_is_given_no_descriptor_that_it_does_not_take(pair: tuple[socket.socket, socket.socket]) -> None:
    """A number from 1024 on would make each wait fail, for all; poll and epoll take any."""
    high = max(FD_SETSIZE, 1 + max(int(name.name) for name in Path("/dev/fd").iterdir()))
    _, hard = resource_limits()
    if hard <= high:
        pytest.skip(f"needs a descriptor with the number {high}, and the system allows {hard}")
    with descriptor_limit(high + 1), closing(of_select()) as poller:
        fd = fcntl_dup(pair[0].fileno(), high)
        try:
            for interest in (READ, 0):
                with pytest.raises(OSError, match="select takes no more"):
                    poller.register(fd, interest)
            poller.register(pair[0].fileno(), READ)
            assert ready(poller) == {}
            for make in {*POLLERS.values()} - {of_select}:
                with closing(make()) as other:
                    other.register(fd, READ)
                    other.unregister(fd)
        finally:
            os.close(fd)


def test_how_many_can_be_watched_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number, but by select."""
    monkeypatch.delattr(select, "epoll", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    assert most_watched() == FD_SETSIZE
    if hasattr(selectors, "PollSelector"):
        monkeypatch.setattr(selectors, "DefaultSelector", selectors.PollSelector)
        assert most_watched() is None

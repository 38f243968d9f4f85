"""The end of a connection: the peer reads everything, sees an end, and never a reset."""

from __future__ import annotations

import errno
import socket

import pytest

from secure_server.net import lingering as module
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import Lingering
from secure_server.net.wire import PlainWire
from tests.secure_server.net.turning import TurningClock, on_loop

SECONDS = 2.0
Pair = tuple[socket.socket, socket.socket]


def read_all(sock: socket.socket) -> bytes:
    """Read until the peer's end; a reset raises."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def send_for_ever(sock: socket.socket) -> None:
    """Until the other side has had enough."""
    while True:
        sock.sendall(b"x" * 4096)


@pytest.fixture
def lingering(loop: EventLoop) -> Lingering:
    """On the loop."""
    return Lingering(loop, SECONDS)


def until_gone(loop: EventLoop, lingering: Lingering, left: int = 0) -> None:
    """Turn the loop until no more than `left` linger."""
    while on_loop(loop, lambda: lingering.count) > left:
        pass


def test_the_peer_reads_the_last_words_whatever_it_sent(loop: EventLoop, lingering: Lingering, pair: Pair) -> None:
    """It sent much that nobody read; it still gets the goodbye and an end, not a reset."""
    ours, theirs = pair
    theirs.sendall(b"x" * 50_000)
    ours.send(b"goodbye")
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    assert read_all(theirs) == b"goodbye"
    theirs.sendall(b"more")  # still no reset
    assert on_loop(loop, lambda: lingering.count) == 1
    theirs.close()
    until_gone(loop, lingering)
    assert ours.fileno() == -1


def test_no_reset_for_a_peer_that_ended_its_side_with_much_unread(
    loop: EventLoop, lingering: Lingering, pair: Pair
) -> None:
    """Both sides are shut, and more than one read's worth waits: all of it is read before the socket is closed."""
    ours, theirs = pair
    theirs.sendall(b"x" * 200_000)
    theirs.shutdown(socket.SHUT_WR)
    ours.send(b"goodbye")
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    until_gone(loop, lingering)
    assert read_all(theirs) == b"goodbye"


def test_a_peer_that_never_ends_is_closed_in_time(
    loop: EventLoop, lingering: Lingering, pair: Pair, clock: TurningClock
) -> None:
    """The deadline is absolute: sending does not stretch it."""
    ours, theirs = pair
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    clock.advance(loop, SECONDS - 0.1)
    theirs.sendall(b"x")
    assert on_loop(loop, lambda: lingering.count) == 1
    clock.advance(loop, 0.1)
    assert on_loop(loop, lambda: lingering.count) == 0
    assert ours.fileno() == -1


def test_a_peer_that_sends_without_end_is_cut_off(
    loop: EventLoop, lingering: Lingering, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read and dropped is bounded; then it gets its reset."""
    monkeypatch.setattr(module, "MOST_DROPPED", 10_000)
    ours, theirs = pair
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        send_for_ever(theirs)
    until_gone(loop, lingering)


def test_a_peer_that_resets_is_let_go(loop: EventLoop, lingering: Lingering, pair: Pair) -> None:
    """An error ends the wait."""
    ours, theirs = pair
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    until_gone(loop, lingering)


def test_a_peer_that_is_gone_already_is_closed_at_once(loop: EventLoop, lingering: Lingering, pair: Pair) -> None:
    """There is nobody to spare a reset."""
    ours, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    ours.settimeout(5)
    with pytest.raises(ConnectionResetError):
        ours.recv(1)
    on_loop(loop, lambda: lingering.close(PlainWire(ours)))
    assert on_loop(loop, lambda: lingering.count) == 0
    assert ours.fileno() == -1


def test_beyond_the_bound_sockets_are_closed_at_once(loop: EventLoop, pair: Pair) -> None:
    """A storm of ends cannot exhaust descriptors."""
    lingering = Lingering(loop, SECONDS, most=0)
    on_loop(loop, lambda: lingering.close(PlainWire(pair[0])))
    assert pair[0].fileno() == -1
    assert lingering.count == 0


def test_what_the_poller_does_not_take_is_closed_at_once(
    loop: EventLoop, lingering: Lingering, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left to wait for."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "it takes no more")

    monkeypatch.setattr(loop, "register", refuse)
    on_loop(loop, lambda: lingering.close(PlainWire(pair[0])))
    assert pair[0].fileno() == -1
    assert lingering.count == 0


def test_close_all_waits_for_nobody(loop: EventLoop, lingering: Lingering, pair: Pair) -> None:
    """The loop is about to stop; the peer, who sent nothing, still sees an orderly end."""
    on_loop(loop, lambda: lingering.close(PlainWire(pair[0])))
    on_loop(loop, lingering.close_all)
    assert lingering.count == 0
    assert read_all(pair[1]) == b""

"""The listeners: they accept, hand over, and outlast a shortage of descriptors."""

from __future__ import annotations

import contextlib
import errno
import queue
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from secure_server.net.acceptor import Acceptor, listen
from secure_server.net.event_loop import EventLoop
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.turning import on_loop


class Hall:
    """An acceptor on loopback, and who came in by which door."""

    def __init__(self) -> None:
        self.exhausted: queue.Queue[None] = queue.Queue()
        self.came: queue.Queue[tuple[str, socket.socket, object]] = queue.Queue()
        self.loop = EventLoop("newcomers-test")
        self.acceptor = Acceptor(self.loop, lambda: self.exhausted.put(None))

    def start(self) -> None:
        """Begin to accept."""
        self.loop.start()
        self.acceptor.start()

    def stop(self) -> None:
        """Stop accepting, as a server does."""
        self.loop.call_soon(self.acceptor.close)
        self.loop.stop()
        self.acceptor.close()  # where it never started

    def open(self, door: str, listener: socket.socket | None = None) -> tuple[str, int]:
        """Add a listener; where it is."""
        listener = listener or listen("127.0.0.1", 0, 16)
        self.acceptor.add(listener, lambda sock, address: self.came.put((door, sock, address)), lambda: True)
        address = listener.getsockname()
        return address[0], address[1]

    def visit(self, address: tuple[str, int]) -> tuple[str, object, object]:
        """Connect; by which door that was, from where as we see it, and as the acceptor does."""
        with socket.create_connection(address, PATIENCE) as client:
            door, sock, seen = self.came.get(timeout=PATIENCE)
            sock.close()
            return door, client.getsockname(), seen


@pytest.fixture
def hall() -> Iterator[Hall]:
    """Stopped with the test."""
    made = Hall()
    yield made
    made.stop()


def test_each_listener_hands_over_to_its_own(hall: Hall) -> None:
    """Two doors, one thread; whoever comes is handed over with its address."""
    front, back = hall.open("front"), hall.open("back")
    hall.start()
    for _ in range(3):
        for name, address in (("front", front), ("back", back)):
            door, from_, seen = hall.visit(address)
            assert (door, seen) == (name, from_)


def test_a_storm_is_taken_whole(hall: Hall) -> None:
    """More at once than one round takes."""
    address = hall.open("door", listen("127.0.0.1", 0, 200))
    clients = [socket.create_connection(address, PATIENCE) for _ in range(150)]
    hall.start()
    for client in clients:
        hall.came.get(timeout=PATIENCE)[1].close()
        client.close()


def test_stopping_closes_the_listeners(hall: Hall) -> None:
    """Newcomers are refused from then on."""
    address = hall.open("door")
    hall.start()
    hall.visit(address)
    hall.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, PATIENCE)


def test_one_that_never_started_closes_its_listeners_too() -> None:
    """A server that could not start leaves no port taken."""
    hall = Hall()
    address = hall.open("door")
    hall.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, PATIENCE)


def test_whoever_connected_before_the_stop_is_handed_over(hall: Hall) -> None:
    """Closing the listener would reset those in its backlog; so they are taken first."""
    address = hall.open("door")
    hall.loop.start()
    with socket.create_connection(address, PATIENCE):
        hall.stop()
        hall.came.get_nowait()[1].close()


class Flaky(socket.socket):
    """A listener whose first accepts fail as told."""

    errors: list[OSError]

    def accept(self) -> tuple[socket.socket, object]:
        """Fail, or accept."""
        if self.errors:
            raise self.errors.pop(0)
        return super().accept()


@pytest.mark.parametrize(
    ("code", "exhausted"), [(errno.EPROTO, 0), (errno.EMFILE, 1), (errno.ENOBUFS, 1), (errno.ECONNABORTED, 0)]
)
def test_an_accept_that_fails_does_not_end_the_listener(
    hall: Hall, code: int, exhausted: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the system says of a newcomer, the next one is served; a shortage is told once, not once a try."""
    plain = listen("127.0.0.1", 0, 16)
    flaky = Flaky(fileno=plain.detach())
    flaky.errors = [OSError(code, "made up"), OSError(code, "made up")]
    address = hall.open("door", flaky)
    hall.start()
    hall.visit(address)
    assert flaky.errors == []
    assert hall.exhausted.qsize() == exhausted
    assert caplog.text.count("could not be accepted") == (2 if code == errno.EPROTO else 0)


def test_a_shortage_is_no_reason_to_spin(hall: Hall) -> None:
    """Between two tries there is a pause, though the newcomer still waits."""
    flaky = Flaky(fileno=listen("127.0.0.1", 0, 16).detach())
    flaky.errors = [OSError(errno.EMFILE, "made up") for _ in range(1000)]
    address = hall.open("door", flaky)
    hall.start()
    with socket.create_connection(address, PATIENCE):
        hall.exhausted.get(timeout=PATIENCE)
        for _ in range(20):
            on_loop(hall.loop, lambda: None)
        assert len(flaky.errors) > 900


def test_without_room_newcomers_wait_and_are_then_accepted(hall: Hall) -> None:
    """Nobody is accepted only to be turned away: the kernel keeps them, and the loop does not spin meanwhile."""
    inside: list[socket.socket] = []
    asked = 0

    def has_room() -> bool:
        nonlocal asked
        asked += 1
        return len(inside) < 3

    listener = listen("127.0.0.1", 0, 16)
    address = listener.getsockname()
    hall.acceptor.add(listener, lambda sock, _: inside.append(sock), has_room)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(5)]
        hall.start()
        eventually(lambda: len(inside) == 3)
        before = asked
        for _ in range(1000):
            on_loop(hall.loop, lambda: None)
        assert len(inside) == 3
        assert asked < before + 1000
        for number in (1, 2):
            on_loop(hall.loop, lambda: inside.pop(0).close())
            eventually(lambda: len(inside) == 3)
            expected = [client.getsockname() for client in clients[number : number + 3]]
            assert [sock.getpeername() for sock in inside] == expected
        for sock in inside:
            sock.close()


EXHAUST = """
import os, resource, socket, threading
from secure_server.net.acceptor import Acceptor, listen
from secure_server.net.event_loop import EventLoop

loop = EventLoop("newcomers")
exhausted, accepted = threading.Event(), threading.Event()
kept = []
acceptor = Acceptor(loop, exhausted.set)
listener = listen("127.0.0.1", 0, 16)
acceptor.add(listener, lambda sock, _: (kept.append(sock), accepted.set()), lambda: True)
loop.start()
acceptor.start()
client = socket.socket()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
client.connect(listener.getsockname())
print("told" if exhausted.wait(10) else "not told", "accepted" if accepted.is_set() else "waiting")
for descriptor in taken:
    os.close(descriptor)
print("accepted" if accepted.wait(10) else "lost")
loop.call_soon(acceptor.close)
loop.stop()
"""


def test_without_descriptors_newcomers_wait_and_are_then_served() -> None:
    """In a process with 64 descriptors: told, waiting, and accepted once some are free."""
    done = subprocess.run([sys.executable, "-c", EXHAUST], capture_output=True, text=True, timeout=40, check=False)
    assert done.stdout.splitlines() == ["told waiting", "accepted"], done.stderr


def test_a_port_that_is_taken_is_an_error() -> None:
    """And so are a name that is none, and an address that is not ours; nothing leaks."""
    with listen("127.0.0.1", 0, 1) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1], 1)
    with pytest.raises(socket.gaierror):
        listen("no.such.host.invalid", 0, 1)
    with pytest.raises(OSError, match=r"assign|not available"):
        listen("203.0.113.1", 0, 1)


def test_the_ipv6_wildcard_takes_ipv4_too() -> None:
    """One listener serves both where the system can."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no dual-stack IPv6 here")
    with listen("::", 0, 4) as listener:
        port = listener.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), PATIENCE):
                listener.accept()[0].close()

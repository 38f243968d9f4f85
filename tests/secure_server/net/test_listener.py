"""What newcomers reach the server by: what it opens, whom it lets in, and what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_server.config.endpoint import Endpoint
from secure_server.identity.identity import Identity
from secure_server.limits.descriptors import GOING
from secure_server.net import listener as listener_module
from secure_server.net.acceptor import ROOM_SECONDS, listen
from secure_server.net.event_loop import EventLoop
from secure_server.net.io_thread import IOThreads
from secure_server.net.listener import (
    LOOK_SECONDS,
    OTHERS_SECONDS,
    Listener,
    ListenError,
    TlsListener,
    UnixListener,
)
from secure_server.net.sockets import format_address, listen_unix
from secure_server.net.tls import server_context
from secure_server.pki.preflight import check_pair
from tests.integration.running import eventually
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host
from tests.secure_server.lobby import Lobby
from tests.secure_server.net.turning import on_loop

LOOPBACK = "127.0.0.1"
ME = os.getuid() if hasattr(os, "getuid") else 0
STRANGER = b"ERROR: NOAUTH Authentication required: AUTH <token>.\n"


class House:
    """A newcomers' loop and an I/O thread behind listeners; by their clock, which stands still, nobody is ever late.

    Args:
        host: the sessions.
        directory: for the log and the trail, and for the admin socket.
        certificates: what newcomers are served.
        allowed: the users who may use the admin socket.
    """

    def __init__(self, host: Host, directory: Path, certificates: Path, allowed: tuple[int, ...]) -> None:
        self.host = host
        self.lobby = Lobby(host, directory, allowed=allowed)
        self.path = directory / "run" / "admin.sock"
        self.path.parent.mkdir(mode=0o700)
        self.loop = EventLoop("newcomers-test", host.clock)
        self._threads = IOThreads(1, host.config.timeouts, self.lobby.reception.leave, host.clock)
        self._opened: list[Listener] = []
        files = certificates / "server.pem", certificates / "server-key.pem"
        self._identity = Identity(server_context(*files, "1.3"), check_pair(*files, now=datetime.now(UTC)))
        self._trusts = ssl.create_default_context(cafile=str(certificates / "ca.pem"))

    def tls(self, *addresses: Endpoint) -> TlsListener:
        """A listener on those, not opened."""
        timeouts, reception = self.host.config.timeouts, self.lobby.reception
        listener = TlsListener(self.loop, addresses, 16, lambda: self._identity, timeouts, reception, self._threads)
        self._opened.append(listener)
        return listener

    def unix(self) -> UnixListener:
        """A listener on the admin socket, not opened."""
        listener = UnixListener(self.loop, self.path, self.lobby.reception, self._threads)
        self._opened.append(listener)
        return listener

    def start(self, listener: Listener) -> None:
        """Open it, and begin to accept."""
        listener.open()
        self._threads.start()
        self.loop.start()
        listener.start()

    def shake(self, address: str) -> ssl.SSLSocket:
        """Come as far as a session."""
        return self._trusts.wrap_socket(tcp(address), server_hostname="localhost")

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the I/O thread from doing anything else meanwhile."""
        done = threading.Event()

        def wait() -> None:
            done.wait(PATIENCE)

        for thread in self._threads._threads:
            thread._loop.call_soon(wait)
        try:
            yield
        finally:
            done.set()

    def idle(self) -> None:
        """Wait until the loop has done what was handed to it."""
        on_loop(self.loop, lambda: None)

    def pass_by(self, seconds: float) -> None:
        """Let time pass; returns when the timers whose time has come have been called."""
        self.host.clock.now += seconds
        for _ in range(3):  # a round that had looked at the clock already, one that sees the time, and its timers
            self.idle()

    def passes_until(self, holds: Callable[[], bool]) -> bool:
        """Whether something holds already; else lets the acceptor look once more whether there is room."""
        if holds():
            return True
        self.pass_by(ROOM_SECONDS)
        return False

    def close(self) -> None:
        """End everything, started or not, in the server's order."""
        for listener in self._opened:
            listener.refuse()
        self.loop.stop()
        for listener in self._opened:
            listener.stop()
        self._threads.stop()
        self.lobby.__exit__(None, None, None)


Build = Callable[..., House]
"""`build(allowed=(), limits={"max_unauthenticated": 1}, …)`: tables and keys as in the configuration file."""


@pytest.fixture
def build(make_host: MakeHost, tmp_path: Path, certificates: Path) -> Iterator[Build]:
    """Make houses; they end with the test."""
    with contextlib.ExitStack() as stack:

        def made(*, allowed: tuple[int, ...] = (ME,), **overrides: object) -> House:
            house = House(make_host(**overrides), tmp_path, certificates, allowed)
            stack.callback(house.close)
            return house

        yield made


@pytest.fixture
def house(build: Build) -> House:
    """One with the defaults."""
    return build()


def tcp(address: str) -> socket.socket:
    """Connect to `127.0.0.1:5000` or `[::1]:5000`."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), PATIENCE)


def local(path: Path) -> socket.socket:
    """Connect to a Unix socket."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(PATIENCE)
    sock.connect(str(path))
    return sock


def ask(sock: socket.socket, line: bytes) -> bytes:
    """Send a line and return the one that answers it."""
    sock.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n") and (data := sock.recv(4096)):
        answer += data
    return answer


def something_came(sock: socket.socket) -> bool:
    """Whether there is something to read, or the end."""
    return bool(select.select([sock], [], [], 0)[0])


def a_free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def test_every_address_is_listened_on(house: House) -> None:
    """In their order; whoever comes by one of them becomes a session."""
    listener = house.tls(Endpoint(LOOPBACK, 0), Endpoint(LOOPBACK, 0))
    assert not listener.addresses
    house.start(listener)
    first, second = listener.addresses
    assert first == f"{LOOPBACK}:{listener.port}"
    assert first != second
    with house.shake(second) as one, house.shake(first) as other:
        for sock in (one, other):
            assert ask(sock, b"PING") == STRANGER
        assert {session.peer.local for session in house.host.sessions} == {first, second}
        assert {session.peer.transport for session in house.host.sessions} == {"tls"}


def test_where_one_cannot_be_had_none_is_kept(house: House) -> None:
    """Not even those before it; the sentence names it and says what to do."""
    port = a_free_port()
    with socket.create_server((LOOPBACK, 0)) as taken:
        number = taken.getsockname()[1]
        listener = house.tls(Endpoint(LOOPBACK, port), Endpoint(LOOPBACK, number))
        with pytest.raises(ListenError) as refused:
            listener.open()
    assert str(refused.value) == (
        f"Cannot listen on {LOOPBACK}:{number}: Address already in use. "
        "Choose another with --host or --port, or in listen.addresses."
    )
    assert not listener.addresses
    with pytest.raises(ConnectionRefusedError):
        tcp(f"{LOOPBACK}:{port}")
    listener.open()  # the other has gone meanwhile
    assert listener.addresses == (f"{LOOPBACK}:{port}", f"{LOOPBACK}:{number}")


def test_whoever_came_before_the_start_failed_is_no_trouble(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As clients do that try again and again while a server restarts; nobody is there to serve them."""
    came: list[socket.socket] = []

    def reached(host: str, port: int, backlog: int, *, ipv6_only: bool) -> socket.socket:
        listener = listen(host, port, backlog, ipv6_only=ipv6_only)
        came.append(tcp(format_address(listener.getsockname())))
        return listener

    monkeypatch.setattr(listener_module, "listen", reached)
    with socket.create_server((LOOPBACK, 0)) as taken:
        listener = house.tls(Endpoint(LOOPBACK, 0), Endpoint(LOOPBACK, taken.getsockname()[1]))
        with pytest.raises(ListenError, match="Cannot listen on"):
            listener.open()
    assert len(came) == 1
    with came[0], pytest.raises(ConnectionError):
        came[0].recv(1)
    assert house.host.sessions.strangers == 0


@pytest.mark.parametrize("host", ["no.such.host.invalid", f"{'a' * 64}.example"], ids=["unknown", "too-long"])
def test_a_name_that_leads_nowhere_is_told(house: House, host: str) -> None:
    """Also one that no DNS can hold, which is an error of another kind."""
    with pytest.raises(ListenError, match=rf"^Cannot listen on {host}:0: .+\. Choose another"):
        house.tls(Endpoint(host, 0)).open()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no dual-stack IPv6 here")
@pytest.mark.parametrize(
    ("wanted", "taken"), [(Endpoint.parse("[::]:0"), False), (Endpoint("::", 0), True)], ids=["listed", "host-and-port"]
)
def test_ipv4_comes_by_an_ipv6_address_unless_it_is_listed(house: House, wanted: Endpoint, *, taken: bool) -> None:
    """`listen.addresses` may list IPv4 beside it, with the same port."""
    listener = house.tls(wanted)
    house.start(listener)
    with house.shake(f"[::1]:{listener.port}") as sock:
        assert ask(sock, b"PING") == STRANGER
    with contextlib.nullcontext() if taken else pytest.raises(ConnectionRefusedError):
        tcp(f"{LOOPBACK}:{listener.port}").close()


def test_who_says_nothing_gives_way_to_the_next(build: Build) -> None:
    """It is closed at once, and cost nothing but an accept; when a handshake failed, its place is free."""
    house = build(limits={"max_unauthenticated": 1})
    listener = house.tls(Endpoint(LOOPBACK, 0))
    house.start(listener)
    (address,) = listener.addresses
    with tcp(address) as first, tcp(address) as second:
        assert first.recv(1) == b""
        house.idle()
        assert any("reason=too-many unauthenticated-connections" in line for line in house.lobby.log)
        second.sendall(b"no TLS at all\n")
        while second.recv(100):
            pass
    house.idle()
    assert house.host.sessions.strangers == 0
    with house.shake(address) as third:
        assert ask(third, b"PING") == STRANGER


def test_a_stranger_with_tls_that_gives_way_is_told_and_sees_an_orderly_end(build: Build) -> None:
    """Also where its own address has all that it may."""
    house = build(limits={"max_unauthenticated": 2, "unauthenticated_per_source": 1})
    listener = house.tls(Endpoint(LOOPBACK, 0))
    house.start(listener)
    (address,) = listener.addresses
    with house.shake(address) as first:
        assert ask(first, b"PING") == STRANGER
        with house.shake(address) as second:
            assert first.recv(1000).startswith(b"ERROR: CLOSED reason=too-many retry-after=5 Too many connections ")
            assert first.recv(1000) == b""
            assert ask(second, b"PING") == STRANGER
            assert house.host.sessions.strangers == 1


def test_refusing_ends_those_who_are_no_session_yet(house: House) -> None:
    """Nobody is accepted any more; sessions go on."""
    listener = house.tls(Endpoint(LOOPBACK, 0))
    house.start(listener)
    (address,) = listener.addresses
    with house.shake(address) as session, tcp(address) as newcomer:
        assert ask(session, b"PING") == STRANGER
        while house.host.sessions.strangers < 2:
            house.idle()
        listener.refuse()
        assert newcomer.recv(1) == b""
        house.idle()
        assert any("reason=draining" in line for line in house.lobby.log)
        assert ask(session, b"PING") == STRANGER
    with pytest.raises(ConnectionRefusedError):
        tcp(address)


def test_stopping_closes_what_never_started(house: House) -> None:
    """A server that could not start keeps no port."""
    listener = house.tls(Endpoint(LOOPBACK, 0))
    listener.open()
    listener.stop()
    with pytest.raises(ConnectionRefusedError):
        tcp(f"{LOOPBACK}:{listener.port}")


needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")


@needs_unix
def test_the_admin_socket_lets_its_user_in(house: House) -> None:
    """Who comes is an administrator at once, and told so."""
    listener = house.unix()
    assert not listener.addresses
    house.start(listener)
    assert listener.addresses == (str(house.path),)
    with local(house.path) as sock:
        assert ask(sock, b"WHOAMI").endswith(b" (admin)\n")
        (session,) = house.host.sessions
        assert (session.peer.transport, session.peer.admin, session.peer.tls) == ("unix", True, "")


@needs_unix
def test_a_burst_of_administrators_waits_until_others_have_gone(build: Build) -> None:
    """However many come before one of those who gave way could be ended: none is turned away, the last one least."""
    house = build(limits={"max_admin_clients": 2})
    house.start(house.unix())
    with contextlib.ExitStack() as stack:
        with house.busy():
            came = [stack.enter_context(local(house.path)) for _ in range(2 + GOING + 5)]
            house.pass_by(ROOM_SECONDS)
            assert len(house.host.sessions) == 2 + GOING  # each of which has a descriptor still
            assert house.host.sessions.on_admin_socket == 2 + GOING
        came[-1].sendall(b"PING\n")
        came[-1].settimeout(0)
        eventually(lambda: house.passes_until(lambda: something_came(came[-1])))
        assert came[-1].recv(100) == b"PONG\n"


def test_strangers_wait_until_those_whose_places_they_take_have_gone(build: Build) -> None:
    """Whoever gave way as a session has its descriptor until its own thread comes to end it, and there are few of them.

    So nobody has more of the descriptors than was set aside, however fast newcomers come.
    """
    most = GOING + 4
    house = build(limits={"max_unauthenticated": most, "unauthenticated_per_source": most})
    listener = house.tls(Endpoint(LOOPBACK, 0))
    house.start(listener)
    (address,) = listener.addresses
    sessions = house.host.sessions
    with contextlib.ExitStack() as stack:
        for sock in [stack.enter_context(house.shake(address)) for _ in range(most)]:
            assert ask(sock, b"PING") == STRANGER
        with house.busy():
            for _ in range(most):
                stack.enter_context(tcp(address))
            house.pass_by(ROOM_SECONDS)
            assert sum(sessions.given_way.values()) == GOING
            assert len(sessions) == most
        eventually(lambda: house.passes_until(lambda: sum(sessions.given_way.values()) == most))
        eventually(lambda: len(sessions) == 0)
        assert sessions.strangers == most


@needs_unix
def test_the_admin_socket_closes_on_others(build: Build) -> None:
    """Whom the reception does not take for an administrator becomes no session."""
    house = build(allowed=())
    house.start(house.unix())
    with local(house.path) as sock:
        assert sock.recv(1) == b""
    assert len(house.host.sessions) == 0


@needs_unix
@pytest.mark.parametrize("runs", [True, False], ids=["refuse", "stop"])
def test_the_admin_socket_is_taken_away(house: House, *, runs: bool) -> None:
    """The next server may come; also where somebody has taken it away already."""
    for gone_already in (False, True):
        listener = house.unix()
        if runs and not gone_already:
            house.start(listener)
        else:
            listener.open()
        if gone_already:
            house.path.unlink()
        if runs:
            listener.refuse()
            house.idle()
        else:
            listener.stop()
        assert not house.path.exists()
        assert not listener.addresses
        listener.stop()  # twice does no harm


@needs_unix
def test_another_server_keeps_its_admin_socket(house: House) -> None:
    """The second one says so, and takes nothing away when it stops."""
    with listen_unix(house.path):
        listener = house.unix()
        with pytest.raises(ListenError) as refused:
            listener.open()
        listener.stop()
        assert house.path.exists()
    assert str(refused.value) == (f"Another server runs in {house.path.parent}; stop it, or choose another --data-dir.")


@needs_unix
def test_a_path_that_is_too_long_is_told(house: House) -> None:
    """A socket's path has about a hundred bytes."""
    house.path = house.path.with_name("x" * 200)
    with pytest.raises(ListenError) as refused:
        house.unix().open()
    assert str(refused.value) == f"Cannot make {house.path}: AF_UNIX path too long. Try a shorter --data-dir."


def test_without_unix_sockets_all_else_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what to do instead; nothing is opened, and nothing taken away."""
    monkeypatch.delattr(socket, "AF_UNIX", raising=False)
    listener = house.unix()
    house.start(listener)
    listener.stop()
    assert not listener.addresses
    assert "so no admin socket; use a token of role admin" in caplog.text


@pytest.fixture
def admin(house: House) -> UnixListener:
    """The admin socket, running."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("there are no Unix sockets here")
    listener = house.unix()
    house.start(listener)
    house.idle()
    return listener


def delete(path: Path) -> None:
    """Take the socket away."""
    path.unlink()


def replace_by_a_file(path: Path) -> None:
    """Put something else there."""
    path.unlink()
    path.write_text("nothing\n", encoding="utf-8")


def replace_by_what_died(path: Path) -> None:
    """Put the socket of a server there that was killed."""
    path.unlink()
    listen_unix(path).close()


def replace_by_a_link(path: Path) -> None:
    """Put a link there that leads nowhere."""
    path.unlink()
    path.symlink_to("nowhere")


def replace_the_directory(path: Path) -> None:
    """Move the directory away, and make another in its place."""
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.mkdir(mode=0o700)


LOSSES = [delete, replace_by_a_file, replace_by_what_died, replace_by_a_link, replace_the_directory]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: lose.__name__)
def test_an_admin_socket_that_is_lost_is_made_anew(
    house: House, admin: UnixListener, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """When the file is looked at next, without a word from anybody; who is connected stays so, and the log tells."""
    with local(house.path) as before:
        assert ask(before, b"PING") == b"PONG\n"
        lose(house.path)
        house.pass_by(LOOK_SECONDS)
        with local(house.path) as after:
            assert ask(after, b"WHOAMI").endswith(b" (admin)\n")
        assert ask(before, b"PING") == b"PONG\n"
    assert f"{house.path} was not there any more; the admin socket is made anew" in caplog.text
    assert house.path.lstat().st_mode & 0o777 == 0o600
    admin.refuse()
    house.idle()
    assert not house.path.exists()


def test_whoever_waits_at_a_lost_socket_is_let_in(house: House, admin: UnixListener) -> None:
    """They connected before it was lost; nobody is reset."""
    entered: list[socket.socket] = []

    def lose() -> None:  # on the loop: nobody is accepted meanwhile
        entered.append(local(house.path))
        house.path.unlink()

    on_loop(house.loop, lose)
    admin.look()
    with entered[0] as sock:
        assert ask(sock, b"PING") == b"PONG\n"


def test_a_directory_that_is_gone_is_waited_for(
    house: House, admin: UnixListener, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not made: who moved it may want to put another there. It is told once; where it went, all goes on."""
    moved = house.path.parent.with_name("moved")
    house.path.parent.rename(moved)
    for _ in range(3):
        house.pass_by(LOOK_SECONDS)
    assert not house.path.parent.exists()
    assert caplog.text.count(f"{house.path} is gone, and cannot be made anew until it can") == 1
    with local(moved / house.path.name) as sock:
        assert ask(sock, b"PING") == b"PONG\n"
    house.path.parent.mkdir(mode=0o700)
    admin.look()
    house.idle()
    with local(house.path) as sock:
        assert ask(sock, b"PING") == b"PONG\n"


def test_another_servers_socket_in_its_place_is_not_stolen(
    house: House, admin: UnixListener, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked seldom, for it records each who comes; when it has gone, the socket is made anew."""
    house.path.unlink()
    with listen_unix(house.path) as other:
        other.settimeout(0)
        for _ in range(4):
            house.pass_by(LOOK_SECONDS)
        other.accept()[0].close()
        with pytest.raises(BlockingIOError):  # once in all that time
            other.accept()
        house.pass_by(OTHERS_SECONDS)
        other.accept()[0].close()
        admin.look()  # at SIGHUP, too
        house.idle()
        other.accept()[0].close()
        assert caplog.text.count(f"another server answers on {house.path}") == 1
    house.path.unlink()
    house.pass_by(LOOK_SECONDS)
    with local(house.path) as sock:
        assert ask(sock, b"PING") == b"PONG\n"


def test_another_servers_socket_outlives_this_ones_stop(house: House, admin: UnixListener) -> None:
    """What is taken away at the end is what was made."""
    house.path.unlink()
    with listen_unix(house.path):
        admin.refuse()
        house.idle()
        assert house.path.exists()
    assert not admin.addresses

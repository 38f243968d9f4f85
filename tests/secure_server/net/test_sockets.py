"""Sockets as this server wants them."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_server.net.sockets import (
    UNIX_BACKLOG,
    acknowledge,
    format_address,
    listen_unix,
    may_administer,
    peer_uid,
    prepare,
)

if sys.platform == "win32":
    pytest.skip("there are no Unix sockets here", allow_module_level=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the admin socket goes."""
    return tmp_path / "admin.sock"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Sockets that end with the test."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("127.0.0.1", 5000), "127.0.0.1:5000"),
        (("::1", 5000, 0, 0), "[::1]:5000"),
        (("::ffff:10.0.0.1", 1, 0, 0), "10.0.0.1:1"),
        (("fe80::1%eth0", 1, 0, 2), "[fe80::1%eth0]:1"),
        ("", "unix"),
        ("/run/x.sock", "unix"),
        (None, "unix"),
    ],
)
def test_addresses_are_shown_as_people_write_them(address: object, shown: str) -> None:
    """IPv6 in brackets, IPv4 in its own clothes even where it came through IPv6."""
    assert format_address(address) == shown


def test_what_is_accepted_sends_at_once_and_probes_the_dead() -> None:
    """No delay, and keepalive with a first probe after a minute: as the listener has it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        prepare(listener)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="needs TCP_QUICKACK")
def test_what_came_is_acknowledged_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    """So that a client with Nagle's algorithm need not wait 40 ms to say what follows its handshake."""
    sock = pair[0]
    if sys.platform != "linux":
        pytest.skip("Linux only")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    acknowledge(sock)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


def test_a_socket_that_takes_no_option_is_no_error() -> None:
    """Whoever reads it will find out that the peer is gone."""
    left, right = socket.socketpair()
    with right:
        left.close()
        acknowledge(left)


def test_the_admin_socket_is_its_owners_alone(path: Path, opened: ExitStack) -> None:
    """Mode 0600, and the peer's user is known."""
    listener = opened.enter_context(listen_unix(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    client = opened.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(str(path))
    ours = opened.enter_context(listener.accept()[0])
    assert peer_uid(ours) == os.getuid()


def test_a_socket_nobody_answers_on_is_replaced(path: Path, opened: ExitStack) -> None:
    """What a killed server left behind does not stop the next."""
    listen_unix(path).close()
    assert path.exists()
    opened.enter_context(listen_unix(path))


def test_a_live_server_is_not_replaced(path: Path, opened: ExitStack) -> None:
    """Whoever answers there keeps its socket."""
    first = opened.enter_context(listen_unix(path))
    with pytest.raises(FileExistsError):
        listen_unix(path)
    first.settimeout(5)
    first.accept()[0].close()


def test_a_live_server_too_busy_to_accept_is_not_replaced_nor_waited_for(path: Path, opened: ExitStack) -> None:
    """Its backlog is full: the probe must neither hang nor take that for death."""
    opened.enter_context(listen_unix(path))
    for _ in range(UNIX_BACKLOG + 1):
        client = opened.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(0)
        client.connect(str(path))
    with pytest.raises(FileExistsError):
        listen_unix(path)


def test_a_path_too_long_for_a_socket_is_an_error_and_leaks_nothing(tmp_path: Path) -> None:
    """About a hundred bytes is what systems allow."""
    with pytest.raises(OSError, match="too long"):
        listen_unix(tmp_path / ("x" * 200))


@pytest.mark.parametrize(("uid", "may"), [(os.getuid(), True), (0, True), (os.getuid() + 4242, False), (None, False)])
def test_the_owner_and_root_administer(uid: int | None, may: bool) -> None:  # noqa: FBT001 - a table
    """Nobody else, and nobody of whom the system does not say who it is."""
    assert may_administer(uid) is may

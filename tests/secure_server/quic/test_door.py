"""UDP sockets: whom they hear, and from which of our addresses they answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from secure_server.config.endpoint import Endpoint
from secure_server.quic.door import Address, Door, _sent_from
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import ELSEWHERE, eventually


@contextlib.contextmanager
def opened(host: str, *, ipv6_only: bool = False) -> Iterator[Door]:
    """A door, closed in the end."""
    try:
        door = Door(Endpoint(host, 0, ipv6_only))
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    try:
        yield door
    finally:
        door.close()


def heard(door: Door) -> tuple[bytes, Address]:
    """Wait for a datagram."""
    found: list[tuple[bytes, Address]] = []

    def look() -> bool:
        received = door.receive()
        found.extend([] if received is None else [received])
        return received is not None

    eventually(look)
    return found[0]


def asked(family: int, host: str, port: int) -> socket.socket:
    """Send a datagram from a socket that hears whoever answers."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE_SECONDS)
    try:
        sock.sendto(b"ask", (host, port))
    except OSError as error:
        sock.close()
        pytest.skip(f"no {host} here: {error}")
    return sock


@pytest.mark.parametrize(
    ("where", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - what is tested
        pytest.param("0.0.0.0", ELSEWHERE, marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux")),  # noqa: S104
        ("::1", "::1"),
        ("::", "::1"),
        ("::", "127.0.0.1"),
        pytest.param("::", ELSEWHERE, marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux")),
    ],
)
def test_it_answers_from_where_it_was_asked(where: str, host: str) -> None:
    """On wildcard addresses, too, where the system would choose: a client takes no datagram from elsewhere."""
    with opened(where) as door:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with asked(family, host, door.address[1]) as sock:
            data, address = heard(door)
            assert data == b"ask"
            assert address.port == sock.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            assert door.ours(address) == f"{shown}:{door.address[1]}"
            door.send(b"answer", address)
            answer, source = sock.recvfrom(100)
            assert (answer, source[:2]) == (b"answer", (host, door.address[1]))
        assert door.receive() is None


def test_two_ways_to_us_are_two_addresses() -> None:
    """And the same one is the same, so that nobody is said to have moved."""
    with opened("0.0.0.0") as door, asked(socket.AF_INET, "127.0.0.1", door.address[1]) as sock:  # noqa: S104 - as above
        _, first = heard(door)
        sock.sendto(b"again", ("127.0.0.1", door.address[1]))
        _, again = heard(door)
        assert again == first
        if sys.platform == "linux":
            sock.sendto(b"elsewhere", (ELSEWHERE, door.address[1]))
            _, elsewhere = heard(door)
            assert elsewhere != first
            assert str(elsewhere) == str(first)


def test_what_cannot_be_sent_is_lost() -> None:
    """As on any way; nobody is told."""
    with opened("127.0.0.1") as door:
        door.send(bytes(70_000), Address("127.0.0.1", 9))
        door.send(b"x", Address("127.0.0.1", 0))


def test_an_interface_is_no_address() -> None:
    """What comes by another one, to the same address of ours, is no move of the peer's."""
    ours = socket.inet_aton("192.0.2.1")
    told = {_sent_from(struct.pack("=I", number) + ours + ours) for number in (1, 2)}
    assert told == {bytes(4) + ours + bytes(4)}
    wide = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    assert {_sent_from(wide + struct.pack("=I", number)) for number in (1, 2)} == {wide + bytes(4)}
    near = socket.inet_pton(socket.AF_INET6, "fe80::1")  # which is an address on its interface alone
    assert len({_sent_from(near + struct.pack("=I", number)) for number in (1, 2)}) == 2

"""Packets on a link: turned round, delayed in order, lost by chance; none of it needs a device."""

from __future__ import annotations

import socket

import pytest

from benchmarks.link import FAR, NEAR, Link, turned

HEADER = bytes.fromhex("450000280000400040060000")


def packet(source: str, destination: str, payload: bytes = b"payload") -> bytes:
    """One of IPv4."""
    return HEADER + socket.inet_aton(source) + socket.inet_aton(destination) + payload


def checksum(data: bytes) -> int:
    """Sum of 16-bit words, as IP, TCP and UDP have it (RFC 1071)."""
    total = sum(int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_packet_comes_back_from_where_it_went() -> None:
    """And its checksums stay right."""
    there = packet(NEAR, FAR)
    assert turned(there) == packet(FAR, NEAR)
    assert checksum(turned(there)) == checksum(there)


def test_a_packet_arrives_after_its_time_in_order() -> None:
    """Not before, also where the delay became shorter in between."""
    link = Link()
    link.delay = 0.5
    link.take(packet(NEAR, FAR, b"1"), now=10.0)
    link.take(packet(NEAR, FAR, b"2"), now=10.0)
    assert link.wait(10.1) == pytest.approx(0.4)
    assert link.arrived(10.4) == []
    assert link.arrived(10.5) == [packet(FAR, NEAR, b"1"), packet(FAR, NEAR, b"2")]
    assert link.wait(11.0) is None


def test_what_is_lost_does_not_arrive() -> None:
    """All of it where all is lost; and what is not IPv4, or is cut off, always."""
    link = Link()
    for strange in (b"", b"E", b"\x60" + bytes(60)):
        link.take(strange, now=0.0)
    link.loss = 1.0
    link.take(packet(NEAR, FAR), now=0.0)
    assert link.arrived(1.0) == []


def test_loss_is_by_chance() -> None:
    """Half of many is about half."""
    link = Link()
    link.loss = 0.5
    for _ in range(1000):
        link.take(packet(NEAR, FAR), now=0.0)
    assert 350 < len(link.arrived(0.0)) < 650

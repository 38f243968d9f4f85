"""A UDP socket that strangers and peers send to, and that answers from the address they sent to."""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import NamedTuple

from secure_protocol.hostname import ascii_host
from secure_server.config.endpoint import Endpoint
from secure_server.files.forking import not_for_children
from secure_server.net.sockets import format_address

DATAGRAM_BYTES = 2048
"""Of one that comes; QUIC's are up to 1500 on most networks, and a longer one is cut off and cannot be read."""
BUFFER_BYTES = 1024 * 1024
"""Asked of the system for what waits in each direction: some hundred handshakes that come at once. It gives less where
`net.core.rmem_max` and `wmem_max` are less."""
IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8 if sys.platform == "linux" else None)
"""Has the system tell, and choose, our end's address (ip(7)); Python has no name for it before 3.14."""
INFO_BYTES = 64


class Address(NamedTuple):
    """Where a datagram came from, and to: another path for each pair, as RFC 9000 section 9 has it.

    Attributes:
        host, port: the peer's; these two are what aioquic looks at.
        rest: what else the system says of it (IPv6: flow and scope).
        ours: our end's address, as the system takes it to send from there; empty where the socket has one alone.
    """

    host: str
    port: int
    rest: tuple[int, ...] = ()
    ours: bytes = b""

    def __str__(self) -> str:
        return format_address((self.host, self.port))


class Door:
    """One UDP socket. One thread at a time.

    Args:
        wanted: where.

    Raises:
        OSError: it cannot be had.

    Attributes:
        address: where it is: host and port.
    """

    def __init__(self, wanted: Endpoint) -> None:
        family, kind, _, _, address = socket.getaddrinfo(
            ascii_host(wanted.host), wanted.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )[0]
        self._sock = not_for_children(socket.socket(family, kind))
        try:
            self._sock.settimeout(0)
            if family == socket.AF_INET6:
                with contextlib.suppress(OSError, AttributeError):
                    self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(wanted.ipv6_only))
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                with contextlib.suppress(OSError):  # BSD and macOS refuse what is too much
                    self._sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            self._tells = str(address[0]) in ("0.0.0.0", "::") and self._have_told(family)  # noqa: S104 - compared
            self._sock.bind(address)
        except BaseException:
            self._sock.close()
            raise
        self._level = (
            (socket.IPPROTO_IPV6, getattr(socket, "IPV6_PKTINFO", 0))
            if family == socket.AF_INET6
            else (socket.IPPROTO_IP, IP_PKTINFO or 0)
        )
        self.address: tuple[str, int] = self._sock.getsockname()[:2]

    def _have_told(self, family: int) -> bool:
        """Have the system tell which of our addresses each datagram came to; whether it does."""
        if sys.platform == "win32":  # which has no such calls
            return False
        try:
            if family == socket.AF_INET6:
                self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            elif IP_PKTINFO is None:  # pragma: no cover - not Linux
                return False
            else:
                self._sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        except (OSError, AttributeError):  # pragma: no cover - a system that has it otherwise
            return False
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def receive(self) -> tuple[bytes, Address] | None:
        """Return a datagram, and where it came from; None where there is none now.

        Raises:
            OSError: the system says something of one that was sent; there may be others to receive.
        """
        try:
            if sys.platform == "win32" or not self._tells:
                data, (host, port, *rest) = self._sock.recvfrom(DATAGRAM_BYTES)
                return data, Address(host, port, tuple(rest))
            data, told, _, (host, port, *rest) = self._sock.recvmsg(DATAGRAM_BYTES, INFO_BYTES)
        except BlockingIOError:
            return None
        ours = next((_sent_from(info) for level, kind, info in told if (level, kind) == self._level), b"")
        return data, Address(host, port, tuple(rest), ours)

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram from where the peer sent to; what the system does not take is lost, as on any way."""
        with contextlib.suppress(OSError):
            if sys.platform != "win32" and to.ours:
                self._sock.sendmsg([data], [(*self._level, to.ours)], 0, (to.host, to.port, *to.rest))
            else:
                self._sock.sendto(data, (to.host, to.port, *to.rest))

    def ours(self, to: Address) -> str:
        """Return our end's address, as people write it."""
        if to.ours:
            host = (
                socket.inet_ntop(socket.AF_INET6, to.ours[:16])
                if self._level[0] == socket.IPPROTO_IPV6
                else socket.inet_ntop(socket.AF_INET, to.ours[4:8])
            )
            return format_address((host, self.address[1]))
        return format_address(self.address)


def _sent_from(info: bytes) -> bytes:
    """Return what chooses the source of what is sent, of what was told of the destination of what came.

    Of IPv4 (`in_pktinfo`) the second field is our own address, and the third what the header said; of IPv6 there is one
    address. The interface is left to the system, for the way back may be another; so what comes by another is not taken
    for a move.
    """
    if len(info) == 12:
        return bytes(4) + info[4:8] + bytes(4)
    return info[:16] + (info[16:20] if info[:2] == b"\xfe\x80" else bytes(4))

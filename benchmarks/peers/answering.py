"""What all peers have in common: answers, the reading of requests, TLS. So nothing but the way of waiting differs.

It is what one writes at first, and all that a peer does: no session, no limit, no log.
"""

from __future__ import annotations

import hmac
import os
import socket
import ssl
from pathlib import Path

SECRET_VARIABLE = "BENCHMARK_SECRET"  # noqa: S105 - a name; what it holds must not be in argv
BACKLOG = 1024
READ_BYTES = 16384
"""One TLS record."""


class Answers:
    """One connection's state: what was received, and whether it has authenticated.

    Args:
        secret: the password that `AUTH` must name.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._buffer = bytearray()
        self._authenticated = False

    def answer(self, data: bytes) -> bytes:
        """Return the replies to what has come in completely."""
        self._buffer += data
        replies: list[bytes] = []
        while (request := self._take()) is not None:
            replies.append(self._reply(request))
        return b"".join(replies)

    def _take(self) -> list[bytes] | None:
        """Read one request: line end by line end, as the protocol's description has it."""
        buffer = self._buffer
        end = buffer.find(b"\r\n")
        if end < 0:
            return None
        request = []
        for _ in range(int(buffer[1:end])):
            start = end + 2
            end = buffer.find(b"\r\n", start)
            if end < 0:
                return None
            start, length = end + 2, int(buffer[start + 1 : end])
            end = start + length
            if len(buffer) < end + 2:
                return None
            request.append(bytes(buffer[start:end]))
        del buffer[: end + 2]
        return request

    def _reply(self, request: list[bytes]) -> bytes:
        name = request[0].upper()
        if name == b"ECHO" and len(request) == 2 and self._authenticated:
            return b"$%d\r\n%b\r\n" % (len(request[1]), request[1])
        if name == b"PING" and self._authenticated:
            return b"+PONG\r\n"
        if name == b"AUTH":
            self._authenticated = hmac.compare_digest(request[-1], self._secret)
            return b"+OK\r\n" if self._authenticated else b"-WRONGPASS invalid password\r\n"
        return b"-ERR unknown command\r\n" if self._authenticated else b"-NOAUTH Authentication required.\r\n"


def secret() -> str:
    """Return the password, which whoever starts a peer puts into the environment."""
    return os.environ[SECRET_VARIABLE]


def server_context(certificates: Path) -> ssl.SSLContext:
    """Build the context of a server: TLS 1.3, no tickets, `server.pem` and its key in that directory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    return context


def listener() -> socket.socket:
    """Listen on loopback, on a port that the system chooses, and say on stdout which."""
    opened = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    print(f"listening on 127.0.0.1:{opened.getsockname()[1]}", flush=True)  # the backlog holds who comes at once
    return opened

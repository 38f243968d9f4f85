"""The other end of an HTTP connection and of a WebSocket, that sends whatever it is told to, however wrong."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
from pathlib import Path
from typing import NamedTuple

from tests.integration.peers import PATIENCE_SECONDS, Peer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455's own example."""
MASK = b"\x01\x02\x03\x04"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Answered(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Closed(NamedTuple):
    """What a close frame says."""

    code: int
    reason: str


def head(start: str, *lines: str) -> bytes:
    """Return the head of a request."""
    return "".join(f"{line}\r\n" for line in (start, *lines, "")).encode("latin-1")


def frame(opcode: int, payload: bytes = b"", *, last: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """Return a frame as RFC 6455 section 5.2 has it, or not quite."""
    length = len(payload)
    first = (0x80 if last else 0) | reserved << 4 | opcode
    sized = struct.pack("!BB", first, (0x80 if masked else 0) | min(length, 126 if length < 1 << 16 else 127))
    if length >= 126:
        sized += struct.pack("!H" if length < 1 << 16 else "!Q", length)
    return sized + (MASK + mask(payload) if masked else payload)


def mask(payload: bytes) -> bytes:
    """Return what a mask makes of a payload."""
    whole = MASK * (len(payload) // 4 + 1)
    return bytes(byte ^ key for byte, key in zip(payload, whole, strict=False))


class WebPeer(Peer):
    """Speaks HTTP or WebSocket over TLS, as badly as it is told to.

    Args:
        port: the server's.
        context: trusts it.
    """

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(
            context.wrap_socket(
                socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS),
                server_hostname="localhost",
                suppress_ragged_eofs=False,
            )
        )
        self.host = f"localhost:{port}"
        self.origin = f"https://{self.host}"
        self._received = b""

    def upgrading(self, **changed: str | None) -> bytes:
        """Return the head that a page of ours sends to open its WebSocket, with some headers changed or left out."""
        headers: dict[str, str | None] = {
            "Host": self.host,
            "Origin": self.origin,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "secure-command.1",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return head("GET /v1/session HTTP/1.1", *lines)

    def upgrade(self) -> None:
        """Become a WebSocket."""
        self.send(self.upgrading())
        answered = self.answered()
        assert answered.status == 101, answered

    def answered(self) -> Answered:
        """Return the next response, whole.

        Raises:
            EOFError: the server ended the connection instead.
        """
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            self._more()
        lines = self._received[:end].decode("latin-1").split("\r\n")
        self._received = self._received[end + 4 :]
        status = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", lines[0])
        assert status is not None, lines[0]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        while len(self._received) < length:
            self._more()
        body, self._received = self._received[:length], self._received[length:]
        return Answered(int(status[1]), headers, body)

    def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame.

        Raises:
            EOFError: the server ended the connection instead.
        """
        self._have(2)
        first, length = self._received[0], self._received[1]
        assert length < 0x80, "a server does not mask"
        start = 2
        if length >= 126:
            start = 4 if length == 126 else 10
            self._have(start)
            length = int.from_bytes(self._received[2:start], "big")
        self._have(start + length)
        payload, self._received = self._received[start : start + length], self._received[start + length :]
        return first & 0x0F, payload

    def closed(self) -> Closed:
        """Return what the next close frame says, passing over what comes before it; nothing comes behind it."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                assert self.over()
                return Closed(int.from_bytes(payload[:2], "big"), payload[2:].decode())

    def over(self) -> bool:
        """Wait for the server's orderly end; whether nothing came before that."""
        return not self.rest()

    def rest(self) -> bytes:
        """Return all that comes until the server's orderly end."""
        with contextlib.suppress(EOFError):
            while True:
                self._more()
        return self._received

    def _have(self, length: int) -> None:
        while len(self._received) < length:
            self._more()

    def _more(self) -> None:
        if not (data := self.receive()):
            raise EOFError
        self._received += data


def browser_context(ca: Path) -> ssl.SSLContext:
    """Return what a careful browser uses; one of its own for each call."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["http/1.1"])
    return context

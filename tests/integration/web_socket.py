"""A WebSocket used as a socket is: what a page has, for scenarios that run over each transport."""

from __future__ import annotations

import contextlib
import socket
import ssl

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

FRAME_BYTES = 64 * 1024
"""As the protocol has it: the longest that the server takes."""


class WebSocket:
    """The client's end. One thread sends and one receives, at most.

    Args:
        sock: TLS, over which ALPN `http/1.1` was agreed on.
        origin: of the page; None for none.

    Attributes:
        closed: code and reason of the close frame, once it came.

    Raises:
        ConnectionRefusedError: the server refused the upgrade.
    """

    def __init__(self, sock: ssl.SSLSocket, origin: str | None = None) -> None:
        port = sock.getpeername()[1]
        uri = parse_uri(f"wss://localhost:{port}/v1/session")
        self._socket = sock
        self._protocol = ClientProtocol(
            uri, origin=None if origin is None else Origin(origin), subprotocols=[Subprotocol("secure-command.1")]
        )
        self._received = b""
        self.closed: tuple[int, str] | None = None
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while self._protocol.state is State.CONNECTING:
            data = sock.recv(65536)
            self._protocol.receive_data(data) if data else self._protocol.receive_eof()
            if self._protocol.handshake_exc is not None:
                raise ConnectionRefusedError(str(self._protocol.handshake_exc))
        self._take()

    def settimeout(self, seconds: float) -> None:
        """As of a socket."""
        self._socket.settimeout(seconds)

    def fileno(self) -> int:
        """As of a socket."""
        return self._socket.fileno()

    def getsockname(self) -> tuple[str, int]:
        """As of a socket."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def sendall(self, data: bytes) -> None:
        """Send bytes, in as many frames as they take."""
        for start in range(0, len(data), FRAME_BYTES):
            try:
                self._protocol.send_binary(data[start : start + FRAME_BYTES])
            except InvalidState:
                raise BrokenPipeError from None
            self._flush()

    def recv(self, most: int) -> bytes:
        """Return what came, of whatever frames; nothing once the server closed."""
        while not self._received and self.closed is None:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError("the server ended the connection without a close frame")
            self._protocol.receive_data(data)
            self._take()
        taken, self._received = self._received[:most], self._received[most:]
        return taken

    def send(self, data: bytes) -> int:
        """Send some of the bytes, and return how many."""
        self.sendall(data[:FRAME_BYTES])
        return min(len(data), FRAME_BYTES)

    def shutdown(self, how: int) -> None:
        """End our side of TCP, as of a socket: behind a close frame no answer would come."""
        socket.socket.shutdown(self._socket, how)

    def close(self) -> None:
        """End it without ceremony."""
        self._socket.close()

    def _take(self) -> None:
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame):
                continue  # the answer to the upgrade
            if frame.opcode in (Opcode.BINARY, Opcode.CONT):
                self._received += frame.data
            elif frame.opcode is Opcode.CLOSE and self._protocol.close_rcvd is not None:
                self.closed = self._protocol.close_rcvd.code, self._protocol.close_rcvd.reason
        with contextlib.suppress(OSError):  # our side may have ended: then its close frame is not answered
            self._flush()

    def _flush(self) -> None:
        for piece in self._protocol.data_to_send():
            if piece:
                self._socket.sendall(piece)

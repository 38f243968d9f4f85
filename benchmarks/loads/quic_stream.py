"""The one stream of a client's QUIC connection, blocking, to be used as a socket is: `sendall`, `recv`, `close`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, StreamDataReceived

STREAM = 0
"""The first that a client opens; the session's."""
ALPN = "secure-command/1"
DATAGRAM_BYTES = 65536
LEAST_WAIT_SECONDS = 0.0005
"""A socket that waits for 0 s does not wait, and says so in another way."""
BUFFER_BYTES = 1 << 20
"""Of the socket, so that a burst is not lost here."""


def configuration(ca: str) -> QuicConfiguration:
    """Return what a client believes: that CA, of a server that is `localhost`."""
    return QuicConfiguration(is_client=True, alpn_protocols=[ALPN], server_name="localhost", cafile=ca)


class QuicStream:
    """One connection, made on construction.

    Args:
        address: of the server.
        trusted: as `configuration` makes it; any number of connections may share it.
        patience: how long the server may take for anything, in seconds.

    Raises:
        OSError: it did not come about, or not in time.
    """

    __slots__ = ("_address", "_connected", "_connection", "_ended", "_patience", "_received", "_socket")

    def __init__(self, address: tuple[str, int], trusted: QuicConfiguration, patience: float) -> None:
        self._address, self._patience = address, patience
        self._received, self._connected, self._ended = bytearray(), False, ""
        self._socket = self._opened()
        self._connection = QuicConnection(configuration=trusted)
        self._connection.connect(address, now=time.monotonic())
        try:
            self._flush()
            self._until(lambda: self._connected)
        except OSError:
            self._socket.close()
            raise

    def sendall(self, data: bytes) -> None:
        """Hand bytes to the stream, and send as much of it as may be sent now."""
        self._connection.send_stream_data(STREAM, data)
        self._flush()

    def recv(self, most: int) -> bytes:
        """Wait for bytes of the stream, and return up to so many; none where it has ended."""
        if not self._received and not self._ended:
            self._until(lambda: bool(self._received))
        data = bytes(self._received[:most])
        del self._received[:most]
        return data

    def serve(self) -> None:
        """Take what has come and do what is due, without waiting: so that the server's last words are acknowledged."""
        self._socket.settimeout(0)
        try:
            while True:
                self._take(self._socket.recv(DATAGRAM_BYTES))
        except BlockingIOError:
            pass
        if (due := self._connection.get_timer()) is not None and due <= time.monotonic():
            self._connection.handle_timer(time.monotonic())
            self._events()
        self._flush()

    def move(self) -> None:
        """Go on from another port, as whoever has changed the network does."""
        self._socket.close()
        self._socket = self._opened()
        self._connection.change_connection_id()

    def close(self) -> None:
        """Say goodbye, and wait for nothing."""
        self._connection.close()
        self._flush()
        self._socket.close()

    def _opened(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        opened.connect(self._address)
        return opened

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience
        while not done() and not self._ended:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError("the server did not answer in time")
            due = self._connection.get_timer()
            wait = deadline - now if due is None else min(due, deadline) - now
            self._socket.settimeout(max(wait, LEAST_WAIT_SECONDS))
            try:
                self._take(self._socket.recv(DATAGRAM_BYTES))
            except TimeoutError:
                if due is not None and due <= time.monotonic():
                    self._connection.handle_timer(time.monotonic())
                    self._events()
            self._flush()
        if not done() and not self._connected:
            raise ConnectionError(f"the server refused the connection: {self._ended}")

    def _take(self, datagram: bytes) -> None:
        self._connection.receive_datagram(datagram, self._address, time.monotonic())
        self._events()

    def _events(self) -> None:
        while (event := self._connection.next_event()) is not None:
            match event:
                case StreamDataReceived(stream_id=stream, data=data, end_stream=ends) if stream == STREAM:
                    self._received += data
                    self._ended = self._ended or ("the stream ended" if ends else "")
                case HandshakeCompleted():
                    self._connected = True
                case ConnectionTerminated(error_code=code, reason_phrase=reason):
                    self._ended = f"{code} {reason}"
                case _:
                    pass

    def _flush(self) -> None:
        for datagram, _ in self._connection.datagrams_to_send(time.monotonic()):
            self._socket.send(datagram)

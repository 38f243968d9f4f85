"""The other end of a connection, blocking and with a deadline: a person typing lines, or a program speaking RESP."""

from __future__ import annotations

import contextlib
import socket
import ssl
import weakref
from types import TracebackType
from typing import Self

from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request

PATIENCE_SECONDS = 30.0
"""How long anything may take here; only a failing test waits for it."""
BUSY_SECONDS = 4.0
"""What a busy machine may add to what is promised within a second; a promise that is broken takes longer."""


made: weakref.WeakSet[Peer] = weakref.WeakSet()
"""Those that there are; a test that failed may leave some open, and no other one is to fail for that."""


class Peer:
    """One connected socket; closes it on leaving the `with`.

    Args:
        sock: connected, TLS or Unix.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.settimeout(PATIENCE_SECONDS)
        made.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close without ceremony."""
        self.socket.close()

    def leave(self) -> None:
        """Say close_notify, and close."""
        with contextlib.suppress(OSError):
            if isinstance(self.socket, ssl.SSLSocket):
                self.socket.unwrap()
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def finish(self) -> None:
        """Send no more, and go on reading."""
        if isinstance(self.socket, ssl.SSLSocket):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)  # its own drops the TLS layer
        else:
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self) -> bytes:
        """Return what comes next, or nothing at the orderly end.

        Raises:
            ConnectionResetError: the server was not orderly.
            ssl.SSLEOFError: it ended without close_notify.
        """
        return self.socket.recv(65536)


class TextPeer(Peer):
    """A person typing lines."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._received = bytearray()

    def ask(self, line: str) -> str:
        """Send one line and return the one it is answered with."""
        self.send(line.encode() + b"\n")
        return self.line()

    def line(self) -> str:
        """Return the next line, without its end.

        Raises:
            EOFError: the server ended the connection instead.
        """
        while b"\n" not in self._received:
            if not (data := self.receive()):
                raise EOFError
            self._received += data
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        return line.decode()

    def lines(self) -> list[str]:
        """Return the lines up to the `.` that ends a reply of several.

        Raises:
            AssertionError: the answer is an error, which is one line and has no such end.
        """
        found: list[str] = []
        while (line := self.line()) != ".":
            assert found or not line.startswith("ERROR: "), line
            found.append(line.removeprefix("."))
        return found

    def rest(self) -> list[str]:
        """Return every line until the server's orderly end."""
        while data := self.receive():
            self._received += data
        lines = self._received.decode().splitlines()
        self._received.clear()
        return lines


class RespPeer(Peer):
    """A program speaking RESP."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._decoder = ReplyDecoder()
        self._replies: list[object] = []

    def hello(self, token: str, version: int = 3) -> dict[str, object]:
        """Authenticate as Redis clients do."""
        reply = self.ask("HELLO", str(version), "AUTH", "default", token)
        if isinstance(reply, list):
            reply = dict(zip(reply[::2], reply[1::2], strict=True))
        assert isinstance(reply, dict), reply
        return reply

    def request(self, *words: str | bytes) -> None:
        """Send one request."""
        self.send(encode_request([word.encode() if isinstance(word, str) else word for word in words]))

    def ask(self, *words: str) -> object:
        """Send one request and return the next reply or push."""
        self.request(*words)
        return self.reply()

    def reply(self) -> object:
        """Return the next reply or push.

        Raises:
            EOFError: the server ended the connection instead.
        """
        while not self._replies:
            if not (data := self.receive()):
                raise EOFError
            self._decoder.feed(data)
            self._replies = self._decoder.decode()
        return self._replies.pop(0)

    def rest(self) -> list[object]:
        """Return every reply and push until the server's orderly end."""
        while data := self.receive():
            self._decoder.feed(data)
            self._replies += self._decoder.decode()
        replies, self._replies = self._replies, []
        return replies

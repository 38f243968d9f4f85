"""A client's connection: blocking, over TLS, one reply at a time. Nothing that a client need not do."""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Self

from scramp import ScramClient

from secure_protocol.replies import ErrorReply
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_protocol.scram import BINDING, MECHANISM
from secure_protocol.token import Token

PATIENCE_SECONDS = 20.0
"""How long a server may take to accept, to shake hands and to answer."""
READ_BYTES = 16384


class LoadError(Exception):
    """A server did not answer as it should."""


class Connection:
    """One, made on construction.

    Args:
        port: on 127.0.0.1.
        context: whom to trust; the server must be `localhost`.

    Raises:
        OSError: it did not come about.
    """

    __slots__ = ("_socket",)

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, payload: bytes) -> None:
        """Send encoded requests."""
        self._socket.sendall(payload)

    def reply(self) -> object:
        """Return the reply to one request.

        Raises:
            LoadError: it is an error, or none came.
        """
        decoder = ReplyDecoder()
        while not (replies := decoder.decode()):
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise LoadError("the server closed the connection")
            decoder.feed(data)
        if isinstance(replies[0], ErrorReply):
            raise LoadError(f"the server answered: {replies[0]}")
        return replies[0]

    def ask(self, *words: str) -> object:
        """Send one request and return its reply.

        Raises:
            LoadError: it is an error, or none came.
        """
        self.send(encode_request([word.encode() for word in words]))
        return self.reply()

    def authenticate(self, secret: str) -> None:
        """Show a password or a token, as it is."""
        self.ask("AUTH", secret)

    def prove(self, secret: str) -> None:
        """Prove a token by the mutual handshake."""
        token = Token.parse(secret)
        client = ScramClient([MECHANISM], token.id, token.secret, (BINDING, self._socket))
        client.set_server_first(self.ask("AUTH", MECHANISM, client.get_client_first()))
        client.set_server_final(self.ask("AUTH", MECHANISM, client.get_client_final()))

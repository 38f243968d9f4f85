"""Clients of each transport that ask for ECHO: python -m benchmarks.loads.transports PORT CA, then lines on stdin.

    open TRANSPORT COUNT           be that many more; TRANSPORT is tls or websocket
    echo TRANSPORT BATCHES DEPTH   so many batches of each client, DEPTH requests in one; answers how many it were

It ends with its stdin. What is sent is made once, and of what comes the length alone is looked at, so that the clients
of both take the same part of the machine.
"""

from __future__ import annotations

import socket
import ssl
import sys

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from benchmarks.loads.connection import PATIENCE_SECONDS, READ_BYTES, LoadError
from benchmarks.peers.answering import secret
from secure_protocol.resp_requests import encode_request

REQUEST, REPLY = encode_request([b"ECHO", b"hello"]), b"$5\r\nhello\r\n"


class Client:
    """One connection, which has authenticated.

    Args:
        port, ca: the server, and whom to trust.
        token: for `HELLO`.
        web: it is a WebSocket.
    """

    def __init__(self, port: int, context: ssl.SSLContext, token: str, *, web: bool) -> None:
        self._web = web
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw, server_hostname="localhost")
        if web:
            self._upgrade(port)
        self.send(self.framed(encode_request([b"HELLO", b"3", b"AUTH", b"bench", token.encode()])))
        if b"proto" not in self._socket.recv(READ_BYTES):
            raise LoadError("the server did not let a client in")

    def framed(self, data: bytes) -> bytes:
        """Return what carries some bytes."""
        return Frame(Opcode.BINARY, data).serialize(mask=True) if self._web else data

    def size(self, length: int) -> int:
        """Return how many bytes carry an answer that long, where one frame does."""
        return length + (0 if not self._web else 2 if length < 126 else 4)

    def send(self, payload: bytes) -> None:
        """Send what `framed` made."""
        self._socket.sendall(payload)

    def take(self, size: int) -> None:
        """Read so many bytes."""
        while size > 0:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise LoadError("the server closed the connection")
            size -= len(data)
        if size:
            raise LoadError("the server said more than was asked")

    def _upgrade(self, port: int) -> None:
        uri = parse_uri(f"wss://localhost:{port}/v1/session")
        protocol = ClientProtocol(uri, subprotocols=[Subprotocol("secure-command.1")])
        protocol.send_request(protocol.connect())
        for piece in protocol.data_to_send():
            self._socket.sendall(piece)
        while protocol.state is State.CONNECTING:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise LoadError("the server refused a WebSocket")
            protocol.receive_data(data)


def main() -> None:
    """Do as the lines say."""
    port, token = int(sys.argv[1]), secret()
    contexts = {}
    for name, protocol in (("tls", "secure-command/1"), ("websocket", "http/1.1")):
        contexts[name] = ssl.create_default_context(cafile=sys.argv[2])
        contexts[name].set_alpn_protocols([protocol])
    clients: dict[str, list[Client]] = {"tls": [], "websocket": []}
    for line in sys.stdin:
        match line.split():
            case ["open", name, count]:
                clients[name] += [
                    Client(port, contexts[name], token, web=name == "websocket") for _ in range(int(count))
                ]
                print(len(clients[name]), flush=True)
            case ["echo", name, batches, depth]:
                print(_echo(clients[name], int(batches), int(depth)), flush=True)


def _echo(clients: list[Client], batches: int, depth: int) -> int:
    payload, size = clients[0].framed(REQUEST * depth), clients[0].size(len(REPLY) * depth)
    for _ in range(batches):
        for client in clients:
            client.send(payload)
        for client in clients:
            client.take(size)
    return batches * len(clients) * depth


if __name__ == "__main__":
    main()

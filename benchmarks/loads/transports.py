"""Clients of each transport: python -m benchmarks.loads.transports PORT CA [HOST], then lines on stdin.

    open TRANSPORT COUNT           be that many more; TRANSPORT is tls, websocket or quic
    echo TRANSPORT BATCHES DEPTH   so many batches of each client, DEPTH requests in one; answers how many it were
    login TRANSPORT COUNT          come, authenticate and go, so many times by turns; answers how many it were
    time WAY COUNT AT_ONCE         have a PING answered, several at once; answers as JSON how many seconds each took:
                                   WAY is a transport, by which to come and authenticate before, or tls-guessed, which
                                   knows the server's group of keys, or moved, from another port after a login by QUIC
    storm TRANSPORT SECONDS AT_ONCE   come, authenticate and go for that long, several at once; answers the rate

It ends with its stdin. What is sent is made once, and of what comes the length alone is looked at, so that the clients
of all take as little of the machine as they can. Of QUIC that is a lot: the library is Python.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from benchmarks.loads.connection import PATIENCE_SECONDS, READ_BYTES, LoadError
from benchmarks.loads.quic_stream import ALPN, QuicStream, configuration
from benchmarks.peers.answering import secret
from secure_protocol.resp_requests import encode_request
from secure_server.net.tls import KEY_EXCHANGE

REQUEST, REPLY = encode_request([b"ECHO", b"hello"]), b"$5\r\nhello\r\n"
PING, PONG = encode_request([b"PING"]), b"+PONG\r\n"
QUIET_SECONDS = 0.03
"""After which a client of QUIC looks whether the server said more: acknowledgements wait for 25 ms at most."""

Stream = socket.socket | QuicStream


class Client:
    """One connection, which has authenticated.

    Args:
        stream: to the server.
        port: its number, which a WebSocket names.
        token: for `HELLO`.
        web: it is a WebSocket.
    """

    def __init__(self, stream: Stream, port: int, token: str, *, web: bool) -> None:
        self._web = web
        self._stream = stream
        if web:
            self._upgrade(port)
        self.send(self.framed(encode_request([b"HELLO", b"3", b"AUTH", b"bench", token.encode()])))
        if b"proto" not in self._stream.recv(READ_BYTES):
            raise LoadError("the server did not let a client in")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def framed(self, data: bytes) -> bytes:
        """Return what carries some bytes."""
        return Frame(Opcode.BINARY, data).serialize(mask=True) if self._web else data

    def size(self, length: int) -> int:
        """Return how many bytes carry an answer that long, where one frame does."""
        return length + (0 if not self._web else 2 if length < 126 else 4)

    def send(self, payload: bytes) -> None:
        """Send what `framed` made."""
        self._stream.sendall(payload)

    def take(self, size: int) -> None:
        """Read so many bytes."""
        while size > 0:
            data = self._stream.recv(READ_BYTES)
            if not data:
                raise LoadError("the server closed the connection")
            size -= len(data)
        if size:
            raise LoadError("the server said more than was asked")

    def ping(self) -> None:
        """Ask for a PING, and wait for its answer."""
        self.send(self.framed(PING))
        self.take(self.size(len(PONG)))

    def move(self) -> None:
        """Change the network, as far as the transport can."""
        if not isinstance(self._stream, QuicStream):
            raise LoadError("only a connection by QUIC can move")
        self._stream.move()

    def serve(self) -> None:
        """Do what the transport is owed while nobody asks for anything."""
        if isinstance(self._stream, QuicStream):
            self._stream.serve()

    def _upgrade(self, port: int) -> None:
        uri = parse_uri(f"wss://localhost:{port}/v1/session")
        protocol = ClientProtocol(uri, subprotocols=[Subprotocol("secure-command.1")])
        protocol.send_request(protocol.connect())
        for piece in protocol.data_to_send():
            self._stream.sendall(piece)
        while protocol.state is State.CONNECTING:
            data = self._stream.recv(READ_BYTES)
            if not data:
                raise LoadError("the server refused a WebSocket")
            protocol.receive_data(data)


class Transports:
    """How to come, by each.

    Args:
        host, port: where the server is; by UDP the same.
        ca: whom to trust.
        token: for `HELLO`.
    """

    def __init__(self, host: str, port: int, ca: str, token: str) -> None:
        self._address, self._token = (host, port), token
        self._trusted = configuration(ca)
        self._contexts = {}
        for name, protocol in (("tls", ALPN), ("tls-guessed", ALPN), ("websocket", "http/1.1")):
            self._contexts[name] = ssl.create_default_context(cafile=ca)
            self._contexts[name].set_alpn_protocols([protocol])
        self._contexts["tls-guessed"].set_ecdh_curve(KEY_EXCHANGE)

    def come(self, name: str) -> Client:
        """Connect by that transport, and authenticate."""
        stream = self._stream(name)
        try:
            return Client(stream, self._address[1], self._token, web=name == "websocket")
        except BaseException:
            stream.close()
            raise

    def logins(self, name: str, count: int) -> int:
        """Come and go, so many times; return how many it were."""
        for _ in range(count):
            with self.come(name):
                pass
        return count

    def timed(self, way: str, count: int, at_once: int) -> list[float]:
        """Come or move, ask for a PING, and go, so many times; return the seconds until the answer, of each."""

        def one(_: int) -> float:
            began = time.perf_counter()
            with self.come("quic" if way == "moved" else way) as client:
                if way == "moved":
                    client.ping()
                    began = time.perf_counter()
                    client.move()
                client.ping()
                return time.perf_counter() - began

        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(one, range(count)))

    def storm(self, name: str, seconds: float, at_once: int) -> float:
        """Come and go for that long, several at once; return how many a second it were."""
        began = time.perf_counter()

        def one(_: int) -> int:
            done = 0
            while not done or time.perf_counter() < began + seconds:
                done += self.logins(name, 1)
            return done

        with ThreadPoolExecutor(at_once) as pool:
            done = sum(pool.map(one, range(at_once)))
        return done / (time.perf_counter() - began)

    def _stream(self, name: str) -> Stream:
        if name == "quic":
            return QuicStream(self._address, self._trusted, PATIENCE_SECONDS)
        raw = socket.create_connection(self._address, PATIENCE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._contexts[name].wrap_socket(raw, server_hostname="localhost")


def echo(clients: list[Client], batches: int, depth: int) -> int:
    """Ask for so many batches by each client, all at once; return how many requests it were."""
    payload, size = clients[0].framed(REQUEST * depth), clients[0].size(len(REPLY) * depth)
    for _ in range(batches):
        for client in clients:
            client.send(payload)
        for client in clients:
            client.take(size)
    return batches * len(clients) * depth


def settle(clients: list[Client]) -> None:
    """Have nothing under way, so that the server does nothing for these while others are measured."""
    for _ in range(3):
        time.sleep(QUIET_SECONDS)
        for client in clients:
            client.serve()


def answer(told: object) -> None:
    """Say one line to whoever asked."""
    print(told, flush=True)


def main() -> None:
    """Do as the lines say."""
    port, ca, host = int(sys.argv[1]), sys.argv[2], (sys.argv[3:] or ["127.0.0.1"])[0]
    transports = Transports(host, port, ca, secret())
    clients: dict[str, list[Client]] = {}
    for line in sys.stdin:
        match line.split():
            case ["open", name, count]:
                opened = clients.setdefault(name, [])
                opened += [transports.come(name) for _ in range(int(count))]
                if name == "quic":
                    settle(opened)
                answer(len(opened))
            case ["echo", name, batches, depth]:
                done = echo(clients[name], int(batches), int(depth))
                if name == "quic":
                    settle(clients[name])
                answer(done)
            case ["login", name, count]:
                answer(transports.logins(name, int(count)))
            case ["time", way, count, at_once]:
                answer(json.dumps(transports.timed(way, int(count), int(at_once))))
            case ["storm", name, seconds, at_once]:
                answer(transports.storm(name, float(seconds), int(at_once)))


if __name__ == "__main__":
    main()

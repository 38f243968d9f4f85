"""A small real server: TLS on loopback, RESP3, and faults on request. It knows nothing of the project's server."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scramp import ScramException, ScramMechanism

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.limits import AUTHENTICATED
from secure_protocol.replies import ErrorReply, Push, ReplyKind, Status, Table
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_requests import RespRequestDecoder
from secure_protocol.scram import BINDING, ITERATIONS, MECHANISM
from secure_protocol.token import Token
from tests.secure_client.certificates import Pair

PATIENCE = 30.0
"""Seconds a test waits for something that comes at once, before it fails."""

TEXT = ArgumentDescription("text", optional=True, variadic=True)
COMMANDS = [
    CommandDescription("ECHO", "Say it back", arguments=(TEXT,), form="ECHO: {}"),
    CommandDescription("TIME", "Tell date and time", reply=ReplyKind.TIMESTAMP),
    CommandDescription("WHOAMI", "Say who you are", reply=ReplyKind.LINES),
    CommandDescription("PING", "Answer PONG", arguments=(ArgumentDescription("message", optional=True),)),
    CommandDescription("COUNT", "Add one", idempotent=False),
    CommandDescription(
        "CLIENTS", "List who is connected", reply=ReplyKind.TABLE, columns=("id", "name"), empty="Nobody."
    ),
    CommandDescription(
        "RESTART",
        "Restart a service",
        arguments=(
            ArgumentDescription("service", choices=("web", "worker")),
            ArgumentDescription("force", "bool", optional=True, flag=True),
            ArgumentDescription("signal", choices=("TERM", "KILL"), optional=True, flag=True),
        ),
        idempotent=False,
    ),
    CommandDescription("CLIENT ID", "Tell the session's number"),
    CommandDescription("CLIENT GETNAME", "Tell the connection's name"),
    CommandDescription("EXIT", "Leave"),
    CommandDescription("QUIT", "Leave"),
]


@dataclass
class Peer:
    """One connection, as the server sees it.

    Its own thread reads, a test's thread pushes: `lock` keeps them from using the SSL object at once, which OpenSSL
    does not allow. Nothing waits for the network with it held but a write that the client does not read.
    """

    socket: socket.socket
    number: int
    name: str = ""
    authenticated: bool = False
    exchange: Any = None
    proved: bool = False
    requests: list[list[str]] = field(default_factory=list)
    waiting: list[list[str]] = field(default_factory=list)
    decoder: RespRequestDecoder = field(default_factory=RespRequestDecoder)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> bool:
        """Take what comes next; False at the end of the connection."""
        data = self._receive()
        self.decoder.feed(data)
        for request in self.decoder.decode(AUTHENTICATED, 1_000_000):
            assert isinstance(request, list)
            self.waiting.append([word.decode("utf-8", "surrogateescape") for word in request])
        return bool(data)

    def send(self, reply: object) -> None:
        """Send a reply or a push, whole."""
        with self.lock:
            self.socket.sendall(encode(reply, 3))

    def _receive(self) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while True:
                with self.lock:
                    self.socket.settimeout(0)
                    try:
                        return self.socket.recv(65536)
                    except (ssl.SSLWantReadError, BlockingIOError):
                        pass
                    finally:
                        self.socket.settimeout(None)
                selector.select()

    def wait_for_cancel(self) -> ErrorReply:
        """Wait until CANCEL comes, behind the request that runs; return what the project's server says to that."""
        while ["CANCEL"] not in self.waiting:
            assert self.read(), "the client left instead"
        return ErrorReply("CANCELLED", "The command was cancelled.")

    def cut(self) -> None:
        """Break TCP under TLS, as a failing network does."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class ScriptedServer:
    """Serves until its `with` block ends; `port` stays the same over `stop` and `start`.

    Attributes:
        tokens: the good ones.
        refusal: answer to the token, or to the proof of it, instead of looking at it.
        mutual: whether AUTH knows the mutual handshake.
        handlers: command name to function of (peer, arguments); a reply, a generator of parts that returns the reply,
            or None for no answer at all.
        received: every request after HELLO, in order of arrival, over all connections.
        sessions: how many authenticated.
        count: what COUNT counts.
    """

    def __init__(
        self, pair: Pair | None, *, token: Token | None = None, client_ca: Path | None = None, path: Path | None = None
    ) -> None:
        self.tokens = {token.reveal()} if token is not None else set()
        self.refusal: ErrorReply | Push | None = None
        self.mutual = True
        self._pem = pair.certificate.read_text(encoding="ascii") if pair is not None else ""
        self.received: list[list[str]] = []
        self.sessions = 0
        self.count = 0
        self.language = ""
        self.hello: dict[str, object] = {"server": "scripted", "version": "1", "proto": 3, "user": "ana"}
        self.commands = list(COMMANDS)
        self.handlers: dict[str, Callable[[Peer, list[str]], object]] = dict(_handlers(self))
        self.port = 0
        self._path = path
        self._context = _context(pair, client_ca) if pair is not None else None
        self._changed = threading.Condition()
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """As a client is given it."""
        return f"localhost:{self.port}"

    def start(self) -> None:
        """Listen, on the port of last time."""
        if self._path is not None:
            if sys.platform == "win32":
                raise NotImplementedError("POSIX only")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self._path))
        else:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
        listener.listen()
        self._listener = listener
        self._spawn(self._accept, listener)

    def stop(self) -> None:
        """Listen no more and break all connections."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        self._threads.clear()

    def cut(self) -> None:
        """Break all connections."""
        with self._changed:
            for peer in self._peers:
                peer.cut()

    def push(self, *items: object) -> None:
        """Send a push to all who are authenticated."""
        with self._changed:
            for peer in self._peers:
                if peer.authenticated:
                    with contextlib.suppress(OSError):  # it has just gone
                        peer.send(Push(str(items[0]), tuple(items[1:])))

    def close_all(self, reason: str, retry_after: int = -1, sentence: str = "") -> None:
        """End all connections on purpose."""
        self.push("closed", reason, retry_after, sentence)
        self.cut()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds; it is looked at after every request and every end of a connection."""
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), "the client did not do what the test waits for"

    def names(self) -> list[str]:
        """The names of the received commands."""
        return [request[0] for request in self.received]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self._listener is None:
                connection.close()
                return
            self._spawn(self._serve, connection)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, raw: socket.socket) -> None:
        peer: Peer | None = None
        try:
            raw.settimeout(PATIENCE)
            secured = self._secure(raw)
            raw = secured
            secured.settimeout(None)  # `stop` cuts it
            peer = Peer(secured, self.sessions + 1)
            with self._changed:
                self._peers.append(peer)
            self._converse(peer)
        except (OSError, ValueError):
            pass
        finally:
            with self._changed:
                if peer in self._peers:
                    self._peers.remove(peer)
                self._changed.notify_all()
            raw.close()

    def _secure(self, raw: socket.socket) -> socket.socket:
        if self._context is None:
            return raw
        secured = self._context.wrap_socket(
            raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        try:
            secured.do_handshake()
        except OSError:
            with contextlib.suppress(OSError):  # so that the client can read the alert before it meets a reset
                socket.socket.shutdown(secured, socket.SHUT_WR)
                while socket.socket.recv(secured, 65536):
                    pass
            secured.close()
            raise
        return secured

    def _converse(self, peer: Peer) -> None:
        while peer.waiting or peer.read():
            while peer.waiting:
                if not self._answer(peer, peer.waiting.pop(0)):
                    return

    def _answer(self, peer: Peer, request: list[str]) -> bool:
        """Answer one request; False ends the connection."""
        if request[0] == "AUTH" and not peer.authenticated:
            return self._shake_hands(peer, request[1:])
        if request[0] == "HELLO":
            return self._greet(peer, request)
        if not peer.authenticated:
            peer.send(ErrorReply("NOAUTH", "Authentication required."))
            return False
        with self._changed:
            peer.requests.append(request)
            self.received.append(request)
            self._changed.notify_all()
        handler = self.handlers.get(request[0].upper(), _unknown)
        reply = handler(peer, request[1:])
        if isinstance(reply, Generator):
            reply = self._stream(peer, reply)
        if reply is not None:
            peer.send(reply)
        if request[0].upper() in ("EXIT", "QUIT"):
            if isinstance(peer.socket, ssl.SSLSocket):
                with contextlib.suppress(OSError):
                    peer.socket.unwrap()
            return False
        return reply is not None

    def _stream(self, peer: Peer, parts: Generator[object, None, object]) -> object:
        """Send what a generator gives as `stream` pushes, a Push as it is; return its last word."""
        while True:
            try:
                part = next(parts)
            except StopIteration as end:
                return Status("OK") if end.value is None else end.value
            push = part if isinstance(part, Push) else Push("stream", (part,))
            peer.send(push)

    def _shake_hands(self, peer: Peer, arguments: list[str]) -> bool:
        refusal = self.refusal if peer.exchange is not None else None
        if refusal is not None or not self.mutual:
            peer.send(refusal or ErrorReply("WRONGPASS", "Not a token."))
            return False
        mechanism, message = arguments
        assert mechanism == MECHANISM
        try:
            if peer.exchange is None:
                binding = (BINDING, self._pem)
                peer.exchange = ScramMechanism(MECHANISM).make_server(self._keys, binding)
                peer.exchange.set_client_first(message)
                answer = peer.exchange.get_server_first()
            else:
                peer.exchange.set_client_final(message)
                answer = peer.exchange.get_server_final()
                peer.proved = True
        except ScramException:
            peer.send(ErrorReply("WRONGPASS", "The token is not accepted."))
            return False
        peer.send(answer)
        return True

    def _keys(self, token_id: str) -> tuple[bytes, bytes, bytes, int]:
        known = {token.id: token.secret for token in map(Token.parse, self.tokens)}
        salt, stored_key, server_key, iterations = ScramMechanism(MECHANISM).make_auth_info(
            known.get(token_id, "unknown"), ITERATIONS, b"salt of the test"
        )
        return salt, stored_key, server_key, iterations

    def _greet(self, peer: Peer, request: list[str]) -> bool:
        if self.refusal is not None:
            peer.send(self.refusal)
            return False
        if self.tokens and not peer.proved and (len(request) < 5 or request[4] not in self.tokens):
            peer.send(ErrorReply("WRONGPASS", "The token is not accepted."))
            return False
        peer.name = request[request.index("SETNAME") + 1]
        with self._changed:
            self.sessions += 1
            peer.number = self.sessions
            peer.authenticated = True
            peer.send({**self.hello, "id": peer.number, "user-role": "user"})
            self._changed.notify_all()
        return True


def _unknown(_peer: Peer, _arguments: list[str]) -> object:
    return ErrorReply("ERR", "Unknown command.")


def _handlers(server: ScriptedServer) -> dict[str, Callable[[Peer, list[str]], object]]:
    def count(_peer: Peer, _arguments: list[str]) -> object:
        server.count += 1
        return server.count

    def language(_peer: Peer, arguments: list[str]) -> object:
        server.language = arguments[0]
        return Status("OK")

    return {
        "ECHO": lambda _peer, arguments: " ".join(arguments) or "Command received successfully.",
        "PING": lambda _peer, arguments: arguments[0] if arguments else Status("PONG"),
        "TIME": lambda _peer, _arguments: ["1700000000", "250000"],
        "WHOAMI": lambda peer, _arguments: {"user": "ana", "session": peer.number},
        "COUNT": count,
        "CANCEL": lambda _peer, _arguments: 1,
        "LANG": language,
        "CLIENTS": lambda peer, _arguments: Table(
            ("id", "name"), [(peer.number, peer.name), (99, "quick\x1b[31mstart")]
        ),
        "RESTART": lambda _peer, arguments: f"restarted {arguments[0]}",
        "DENIED": lambda _peer, _arguments: ErrorReply("NOPERM", "You may not run that."),
        "COMMANDS": lambda _peer, _arguments: [command.to_wire() for command in server.commands],
        "EXIT": lambda _peer, _arguments: Status("Goodbye."),
        "QUIT": lambda _peer, _arguments: Status("OK"),
    }


def _context(pair: Pair, client_ca: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pair.certificate, pair.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context

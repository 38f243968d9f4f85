"""A server running in this process, and the ways to talk to it."""

from __future__ import annotations

import functools
import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import Tokens
from secure_server.config.file import load
from secure_server.server import DATABASE, Server
from tests.integration.peers import PATIENCE_SECONDS, RespPeer, TextPeer

QUICK = {"drain": "1s", "linger": "500ms"}
"""What a test's server may spend on stopping, unless the test says otherwise."""

ELSEWHERE = "127.0.0.2"
"""Another address of this machine, where the system has it without asking (Linux has, macOS has not)."""

NOBODY = 65534
"""The user id that owns nothing, on Linux."""


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition that another thread or process brings about holds.

    Raises:
        TimeoutError: it does not.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.005)


@functools.cache
def client_context(ca: Path) -> ssl.SSLContext:
    """Build what a careful client uses: this CA alone, the name checked."""
    return ssl.create_default_context(cafile=str(ca))


def connect(port: int, ca: Path, name: str = "localhost") -> ssl.SSLSocket:
    """Connect with TLS, trusting `ca` alone and checking that the server is `name`."""
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
    # Ragged ends are not suppressed: a server that ends without close_notify is found out.
    return client_context(ca).wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)


class Running:
    """A started `Server` with a token for each role.

    Args:
        certificates: the certificate directory.
        data: the data directory, made here.
        overrides: the configuration, in the file's shape.
    """

    def __init__(self, certificates: Path, data: Path, overrides: dict[str, object]) -> None:
        self.ca = certificates / "ca.pem"
        self.data = data
        data.mkdir(mode=0o700)
        with SQLiteTokenStorage(data / DATABASE) as storage:
            tokens = Tokens(storage)
            self._tokens: dict[Role, Token] = {
                role: tokens.create(role.label, role) for role in (Role.USER, Role.OPERATOR, Role.ADMIN)
            }
        listed = overrides.get("listen")
        listed = listed if isinstance(listed, dict) else {}
        settings: dict[str, object] = {
            "language": "en",
            "certs_dir": str(certificates),
            "data_dir": str(data),
            "listen": {} if "addresses" in listed else {"port": 0},
            "timeouts": QUICK,
        }
        for key, value in overrides.items():
            table = settings.get(key)
            settings[key] = {**table, **value} if isinstance(table, dict) and isinstance(value, dict) else value
        self._settings = settings
        self._make()
        self._stopped = False

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server, once."""
        if not self._stopped:
            self._stopped = True
            self.server.stop()

    def restart(self) -> None:
        """Drain and stop the server, and start it again on the same port, with the same data."""
        self._settings["listen"] = {"port": self.port}
        self.stop()
        self._make()
        self.server.start()
        self._stopped = False

    def _make(self) -> None:
        self.server = Server(load(None, self._settings), read=lambda: load(None, self._settings).located())

    def configure(self, **overrides: object) -> None:
        """Have a reload find other tables, or keys, than it found before; None is what is so without it."""
        for key, value in overrides.items():
            if value is None:
                self._settings.pop(key, None)
            else:
                self._settings[key] = value

    @property
    def port(self) -> int:
        """The TCP port."""
        return self.server.port

    @property
    def quic_port(self) -> int:
        """The UDP port of QUIC, which is asked for."""
        quic = self.server._reach.quic
        assert quic is not None
        return quic.port

    def token(self, role: Role = Role.USER) -> str:
        """Return the token of `user`, `operator` or `admin`; each has its role's name."""
        return self._tokens[role].reveal()

    def new_token(
        self,
        name: str,
        role: Role = Role.USER,
        lifetime: float | None = None,
        allow: list[str] | None = None,
    ) -> Token:
        """Make another token, and wait until the server knows it."""
        with SQLiteTokenStorage(self.data / DATABASE) as storage:
            token = Tokens(storage).create(name, role, lifetime, allow)
        eventually(lambda: self.server._authenticator.state(token.id) is TokenState.ACTIVE)
        return token

    def revoke(self, name: str) -> None:
        """Revoke as another process would."""
        with SQLiteTokenStorage(self.data / DATABASE) as storage:
            Tokens(storage).revoke(name)

    def log(self) -> str:
        """Return the activity log so far."""
        self.server._activity.write()
        return (self.data / "server_log.txt").read_text(encoding="utf-8")

    def tcp(self) -> socket.socket:
        """Connect, and say nothing."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)

    def tls(self, name: str = "localhost") -> ssl.SSLSocket:
        """Connect with TLS, checking that the server is `name`."""
        return connect(self.port, self.ca, name)

    def text(self, token: str | None = "") -> TextPeer:
        """Connect as a person typing lines: as the user, with `token`, or with None as a stranger."""
        peer = TextPeer(self.tls())
        if token is not None:
            answer = peer.ask(f"AUTH {token or self.token()}")
            assert answer == "OK", answer
        return peer

    def resp(self, token: str | None = "", version: int = 3) -> RespPeer:
        """Connect as a program: as the user, with `token`, or with None as a stranger."""
        peer = RespPeer(self.tls())
        if token is not None:
            peer.hello(token or self.token(), version)
        return peer


def tcp_from(address: str, port: int) -> socket.socket:
    """Connect from an address of this machine that is not the usual one, and say nothing."""
    try:
        return socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, source_address=(address, 0))
    except OSError as error:
        pytest.skip(f"this system has no {address}: {error}")


def connect_from(address: str, running: Running) -> ssl.SSLSocket:
    """Likewise, with TLS."""
    sock = tcp_from(address, running.port)
    return client_context(running.ca).wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def logged(running: Running, pattern: str) -> None:
    """Wait until the activity log has a line like that."""
    eventually(lambda: re.search(pattern, running.log()) is not None)

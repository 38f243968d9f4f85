"""A server to test commands against: in this process, on a port of the system's choosing, over real TLS.

`secure_server.pytest_plugin` makes a fixture of it; docs/library.md shows both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self

from secure_client import Client
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.config.file import load
from secure_server.pki.ensure import Request, ensure
from secure_server.server import DATABASE, Server

HOST = "localhost"
"""What its certificate is made out to."""


class CommandServer:
    """A server with certificates of its own and a token for each role; started by `with`.

    Args:
        directory: for certificates and data, which are made in it.
        modules: Python modules whose commands it has, besides the built-in ones.
        settings: the configuration, in the file's shape, such as `{"limits": {"commands_per_second": 5}}`.

    Attributes:
        server: the server itself.
        ca: PEM file of the CA that vouches for it.

    Raises:
        ConfigError: a setting is not allowed.
        StartError: it cannot be made as it is configured.
    """

    def __init__(
        self, directory: Path, modules: Iterable[ModuleType] = (), settings: Mapping[str, object] | None = None
    ) -> None:
        certificates, data = directory / "certs", directory / "data"
        ensure(Request(certificates))
        data.mkdir(mode=0o700)
        self.ca = certificates / "ca.pem"
        self._data = data
        self._tokens: dict[Role, Token] = {}
        with SQLiteTokenStorage(data / DATABASE) as storage:
            tokens = Tokens(storage)
            for role in (Role.USER, Role.OPERATOR, Role.ADMIN):
                self._tokens[role] = tokens.create(role.label, role)
        own = {"language": "en", "certs_dir": str(certificates), "data_dir": str(data), "listen": {"port": 0}}
        own["timeouts"] = {"drain": "1s", "linger": "500ms"}
        self.server = Server(load(None, {**own, **(settings or {})}))
        self.server.registry.load(modules)

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"{HOST}:{self.server.port}"

    def token(self, role: str = "user") -> str:
        """Return the token of `user`, `operator` or `admin`.

        Raises:
            ValueError: there is no such role.
        """
        return self._tokens[Role.parse(role)].reveal()

    def client(self, role: str = "user", **options: object) -> Client:
        """Return a client that is let in with that role's token, to be used as a context.

        Args:
            role: `user`, `operator` or `admin`.
            **options: of `Client`, besides.
        """
        return Client(self.address, token=self.token(role), ca=self.ca, **options)  # type: ignore[arg-type] # Client's own

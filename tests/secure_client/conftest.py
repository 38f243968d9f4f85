"""A server to talk to, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from secure_client import Client
from secure_protocol.token import Token
from tests.secure_client.blocking import Blocking
from tests.secure_client.certificates import Authority, Pair
from tests.secure_client.scripted_server import ScriptedServer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of this test run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    """A good certificate for localhost."""
    return authority.issue("server")


@pytest.fixture(scope="session")
def token() -> Token:
    """The token that `server` accepts."""
    return Token.generate()


@pytest.fixture
def server(pair: Pair, token: Token) -> Iterator[ScriptedServer]:
    """A running server."""
    with ScriptedServer(pair, token=token) as running:
        yield running


@pytest.fixture(params=[Client, Blocking], ids=["thread", "loop"])
def driven(request: pytest.FixtureRequest) -> type[Client]:
    """A client driven by a thread, and one driven by an event loop: what holds for one holds for the other."""
    return cast("type[Client]", request.param)


@pytest.fixture
def client(driven: type[Client], server: ScriptedServer, authority: Authority, token: Token) -> Iterator[Client]:
    """A connected client of `server`."""
    with driven(server.address, token=token, ca=authority.ca) as connected:
        yield connected


@pytest.fixture
def threaded(server: ScriptedServer, authority: Authority, token: Token) -> Iterator[Client]:
    """A connected client of `server`, driven by a thread: for what is about threads."""
    with Client(server.address, token=token, ca=authority.ca) as connected:
        yield connected


@pytest.fixture
def token_file(tmp_path: Path, token: Token) -> Path:
    """The good token in a file."""
    path = tmp_path / "token"
    path.write_text(f"{token.reveal()}\n", encoding="ascii")
    return path

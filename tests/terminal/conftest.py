"""The real program in a pseudo-terminal, behind a proxy that fails on request."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import known
from tests.terminal.screen import Screen

Open = Callable[..., Screen]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of this test run."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def token() -> Token:
    """The token that `server` accepts."""
    return Token.generate()


@pytest.fixture
def server(authority: Authority, token: Token) -> Iterator[ScriptedServer]:
    """A running server."""
    with ScriptedServer(authority.issue("server"), token=token) as running:
        yield running


@pytest.fixture
def proxy(server: ScriptedServer) -> Iterator[FaultProxy]:
    """The network before it."""
    with FaultProxy(server.port) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the client keeps its files."""
    return tmp_path / "home"


@pytest.fixture
def open_client(proxy: FaultProxy, authority: Authority, token: Token, home: Path) -> Iterator[Open]:
    """Start the program, in a window of 80 by 24 unless told; it is killed at the end if it still runs."""
    with ExitStack() as stack:

        def start(*arguments: str, rows: int = 24, columns: int = 80, **environment: str) -> Screen:
            argv = [sys.executable, "-m", "secure_client", f"localhost:{proxy.port}", "--ca", str(authority.ca)]
            variables = {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": token.reveal(), **environment}
            return stack.enter_context(Screen([*argv, *arguments], variables, rows=rows, columns=columns))

        yield start


@pytest.fixture
def screen(open_client: Open) -> Screen:
    """The program, connected, its prompt on the screen; it knows the commands."""
    opened = open_client()
    opened.wait(lambda: "secure>" in opened.text and "connected" in opened.toolbar)
    known(opened)
    return opened

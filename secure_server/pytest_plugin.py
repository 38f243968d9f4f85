"""A fixture for who tests commands of their own: `command_server`. pytest finds it where this is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from secure_server.testing import CommandServer


@pytest.fixture
def command_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., CommandServer]]:
    """Start a server for each call, with the commands of the given modules; all are stopped in the end.

        def test_greet(command_server):
            server = command_server(my_commands)
            with server.client("operator") as client:
                assert client.execute("GREET", "Ana") == "Hello, Ana"

    Keywords are settings, in the configuration file's shape.
    """
    from secure_server.testing import CommandServer  # noqa: PLC0415 - pytest loads this file for every suite

    with ExitStack() as started:

        def start(*modules: ModuleType, **settings: object) -> CommandServer:
            directory = tmp_path_factory.mktemp("command-server")
            return started.enter_context(CommandServer(directory, modules, settings))

        yield start

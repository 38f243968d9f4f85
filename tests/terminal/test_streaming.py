"""Streams, progress, Ctrl-C, completion and messages, as a person sees them: the real client and the real server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.commands.command import ATTRIBUTE, command
from secure_server.commands.context import Context
from tests.integration.running import Running
from tests.terminal.resting import at_prompt
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_repl import CTRL_C, ENTER, TAB, enter, leave


class Commands:
    """Commands of this test; what they wait for is the test's to give.

    Attributes:
        go_on: awaited by STEPS between its parts.
        ended: set when FOREVER was told to stop.
    """

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def register(self, running: Running) -> None:
        """Add them to a server that has not started yet."""
        commands = self

        @command("STEPS", summary="Stream with progress.")
        def steps(context: Context) -> Iterator[str]:
            yield "first\x1b[31m part"
            context.progress(0.4, "pulling image")
            assert commands.go_on.wait(PATIENCE)
            yield "second part"

        @command("FOREVER", summary="Stream until it is told to stop.", timeout=None)
        def forever(context: Context) -> Iterator[str]:
            yield "still here"
            context.cancelled.wait(PATIENCE)
            commands.ended.set()

        @command("DEPLOY", summary="Deploy a host.", complete={"host": lambda _context, _typed: ["alpha", "beta"]})
        def deploy(_context: Context, host: str) -> str:
            return f"deployed {host}"

        for handler in (steps, forever, deploy):
            for found in getattr(handler, ATTRIBUTE):
                running.server.registry.add(found)


@pytest.fixture
def commands() -> Iterator[Commands]:
    """The test's own commands, let go in the end."""
    made = Commands()
    yield made
    made.go_on.set()


@pytest.fixture
def running(certificates: Path, tmp_path: Path, commands: Commands) -> Iterator[Running]:
    """A real server that has them."""
    server = Running(certificates, tmp_path / "data", {})
    commands.register(server)
    with server:
        yield server


def argv(running: Running, *arguments: str) -> list[str]:
    """The client's command line."""
    return [sys.executable, "-m", "secure_client", f"localhost:{running.port}", "--ca", str(running.ca), *arguments]


def environment(running: Running, home: Path, **more: str) -> dict[str, str]:
    """The client's environment."""
    return {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": running.token(), **more}


@pytest.fixture
def screen(running: Running, home: Path) -> Iterator[Screen]:
    """The client at its prompt."""
    with Screen(argv(running), environment(running, home)) as opened:
        opened.wait(lambda: "secure>" in opened.text and "connected" in opened.toolbar)
        yield opened


def test_parts_are_shown_as_they_come_and_the_bar_goes(screen: Screen, commands: Commands) -> None:
    """The first part and the bar stand there while the command runs; in the end the parts alone."""
    enter(screen, "STEPS")
    screen.wait("first\\x1b[31m part")
    screen.wait("40 % pulling image")
    commands.go_on.set()
    screen.wait("second part")
    at_prompt(screen)
    assert "40 %" not in screen.text
    assert "OK" not in screen.text
    lines = screen.lines
    assert lines.index("second part") == lines.index("first\\x1b[31m part") + 1
    leave(screen)


def test_ctrl_c_ends_the_command_at_the_server(screen: Screen, commands: Commands) -> None:
    """The handler is told, the prompt comes back with the server's words, and the next command is answered."""
    enter(screen, "FOREVER")
    screen.wait("still here")
    screen.type(CTRL_C)
    screen.wait("The command was cancelled.")
    assert commands.ended.wait(PATIENCE)
    enter(screen, "ECHO next")
    screen.wait("ECHO: next")
    leave(screen)


@pytest.mark.parametrize("json", [False, True], ids=["text", "json"])
def test_ctrl_c_ends_a_one_shot_command(running: Running, home: Path, commands: Commands, json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Ended at the server, said so, exit code 130, and what would follow is not run."""
    more = ["--json"] if json else []
    with Screen(argv(running, "-c", "FOREVER", "-c", "ECHO next", *more), environment(running, home)) as screen:
        screen.wait("still here")
        screen.type(CTRL_C)
        assert screen.ended() == 130
        assert commands.ended.wait(PATIENCE)
        assert ('"code": "CANCELLED"' if json else "The command was cancelled.") in screen.text
        assert "next" not in screen.text


def test_completion_asks_the_server_while_the_user_types(screen: Screen) -> None:
    """Values that only the server knows; a word narrows them."""
    screen.type("deploy")
    screen.wait("Deploy a host.")  # the commands are known
    screen.type(" ")
    screen.wait("alpha")
    screen.wait("beta")
    screen.type("b")
    screen.wait(lambda: "alpha" not in screen.text and "beta" in screen.text)
    screen.type(TAB)
    screen.wait(lambda: screen.typing == "secure> deploy beta")
    screen.type(ENTER)
    screen.wait("deployed beta")
    leave(screen)


def test_a_portuguese_locale_speaks_portuguese(running: Running, home: Path) -> None:
    """The terminal's own words, and through LANG the server's."""
    with Screen(argv(running), environment(running, home, LC_ALL="pt_BR.UTF-8")) as screen:
        screen.wait(lambda: "secure>" in screen.text and "conectado" in screen.toolbar)
        assert "Ctrl-D sai" in screen.text
        enter(screen, "NONSENSE")
        screen.wait("Comando não reconhecido.")
        leave(screen)

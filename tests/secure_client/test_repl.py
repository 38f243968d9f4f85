"""The bounds of the prompt's waiting, without a terminal; what is seen is tests/terminal's."""

from __future__ import annotations

import io
import threading

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from secure_client import Client, CommandFailed, ConnectionLostError
from secure_client.terminal import lines, repl
from secure_client.terminal.announcer import MOST_LINES, Announcer
from secure_client.terminal.rendering import Renderer
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer


@pytest.fixture
def terminal(client: Client) -> repl.Repl:
    """A prompt that nobody types at."""
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        return repl.Repl(client, Renderer(io.StringIO()), history=InMemoryHistory())


def test_a_command_waits_for_the_connection_only_so_long(
    terminal: repl.Repl, client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is given up, and the next connection does not run it."""
    monkeypatch.setattr(repl, "RECONNECT_PATIENCE", 0.05)
    server.stop()
    client._link.wait_for(lambda status: status.session is None, PATIENCE)
    request = client.submit(["COUNT"])
    with pytest.raises(ConnectionLostError, match="was not sent"):
        terminal._wait(request)
    assert request.cancelled()


def test_a_running_command_may_take_longer(
    terminal: repl.Repl, client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is for the connection, not for the command."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> object:
        assert release.wait(PATIENCE)
        return "done"

    server.handlers["SLOW"] = slow
    monkeypatch.setattr(repl, "RECONNECT_PATIENCE", 0.01)
    monkeypatch.setattr(repl, "TICK", 0.01)
    request = client.submit(["SLOW"])
    server.wait_for(lambda: "SLOW" in server.names())
    threading.Timer(0.05, release.set).start()
    assert terminal._wait(request) == "done"


def test_a_server_that_tells_no_commands_still_serves(client: Client, server: ScriptedServer) -> None:
    """Its answers are shown in the plainest form."""
    del server.handlers["COMMANDS"]
    with pytest.raises(CommandFailed):
        client.commands()
    lines.learn(client)
    stream = io.StringIO()
    line = lines.Line.parse("ECHO x")
    assert line is not None
    assert lines.run_line(client, line, Renderer(stream)) is False
    assert stream.getvalue() == "x\n"


def test_a_flood_of_news_loses_the_oldest() -> None:
    """Held back while a prompt begins, and never more than so many."""
    written: list[str] = []
    announcer = Announcer(written.append)
    announcer.say("at once")
    announcer.redraw()
    with announcer.prompt():
        for number in range(MOST_LINES + 1):
            announcer.say(str(number))
        assert written == ["at once"]
    assert written[1:] == [str(number) for number in range(1, MOST_LINES + 1)]

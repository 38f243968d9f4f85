"""The bounds of the prompt's waiting, without a terminal; what is seen is tests/terminal's."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, get_app
from prompt_toolkit.data_structures import Size
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import DummyInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from secure_client import Client, CommandFailed, ConnectionLostError
from secure_client.answers.rendering import Renderer
from secure_client.terminal import news, repl, running, waiting
from secure_client.terminal.prompt.announcer import MOST_LINES, Announcer
from secure_client.typed.line import Line, learn
from secure_client.typed.precautions import Precautions
from secure_protocol.description import CommandDescription
from secure_protocol.replies import Push
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer


@pytest.fixture
def stdout() -> io.StringIO:
    """What is written as data."""
    return io.StringIO()


@pytest.fixture
def terminal(client: Client, stdout: io.StringIO) -> repl.Repl:
    """A prompt that nobody types at."""
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        return repl.Repl(client, Renderer(stdout), history=InMemoryHistory())


def typed(text: str) -> Line:
    """What `text` is at the prompt."""
    line = Line.parse(text)
    assert line is not None
    return line


def test_a_command_waits_for_the_connection_only_so_long(
    terminal: repl.Repl, client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is given up, and the next connection does not run it."""
    monkeypatch.setattr(waiting, "RECONNECT_PATIENCE", 0.05)
    server.stop()
    client._link.wait_for(lambda status: status.session is None, PATIENCE)
    with pytest.raises(ConnectionLostError, match="was not sent"):
        terminal._run(typed("COUNT"))
    server.start()
    client.reconnect()
    assert client.execute("ECHO", "x") == "x"
    assert server.count == 0


def test_a_running_command_may_take_longer(
    terminal: repl.Repl, server: ScriptedServer, stdout: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is for the connection, not for the command."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> object:
        assert release.wait(PATIENCE)
        return "done"

    server.handlers["SLOW"] = slow
    monkeypatch.setattr(waiting, "RECONNECT_PATIENCE", 0.01)
    monkeypatch.setattr(running, "TICK", 0.01)
    threading.Timer(0.05, release.set).start()
    assert terminal._run(typed("SLOW"))
    assert stdout.getvalue() == "done\n"


@pytest.mark.parametrize(
    ("push", "shown"),
    [
        (Push("message", ("ana", "tea at five")), "[ana] tea at five"),
        (Push("message", ("ana\x1b[2J", "x\ny")), "[ana\\x1b[2J] x\\x0ay"),
        (Push("message", ("alone",)), "message alone"),
        (Push("news", (1, "x\x07")), "news 1 x\\x07"),
    ],
)
def test_pushes_in_words(push: Push, shown: str) -> None:
    """A message names its sender; any other push its kind; neither can move the cursor."""
    assert news.of_push(push) == shown


def test_a_line_of_news_is_bounded() -> None:
    """A thousand of them may wait for a prompt to begin or end."""
    for items in (("eve", *["x" * 4000] * 100), ("eve", "x" * 100_000), ([["x" * 4000] * 100] * 100,)):
        assert len(news.of_push(Push("message", items))) <= 4097


def test_a_server_that_tells_no_commands_still_serves(client: Client, server: ScriptedServer) -> None:
    """Its answers are shown in the plainest form."""
    del server.handlers["COMMANDS"]
    with pytest.raises(CommandFailed):
        client.commands()
    learn(client)
    stream = io.StringIO()
    renderer = Renderer(stream)
    told = running.Told(renderer, pytest.fail, "ECHO x")
    assert running.run_line(client, typed("ECHO x"), renderer, told, Precautions("work")) is False
    assert stream.getvalue() == "x\n"


@pytest.mark.parametrize("line", ["HELP", "COMMANDS"])
def test_the_list_of_commands_is_as_the_server_tells_it_now(client: Client, server: ScriptedServer, line: str) -> None:
    """In the language that was chosen meanwhile; so completion is, too."""
    server.handlers["HELP"] = lambda _peer, _arguments: ["not for people"]
    client.commands()
    server.commands[:] = [CommandDescription("SAUDAR", "Diz olá.", "user", group="Gente")]
    stream = io.StringIO()
    renderer = Renderer(stream, people=True)
    running.run_line(client, typed(line), renderer, running.Told(renderer, pytest.fail, line), Precautions("work"))
    assert stream.getvalue().split("\n")[:2] == ["Gente", "  SAUDAR  Diz olá."]


def test_where_the_commands_are_not_told_help_is_the_servers(client: Client, server: ScriptedServer) -> None:
    """Folded or not."""
    server.handlers["HELP"] = lambda _peer, _arguments: ["ECHO  Send a text back."]
    del server.handlers["COMMANDS"]
    stream = io.StringIO()
    renderer = Renderer(stream, people=True)
    running.run_line(client, typed("HELP"), renderer, running.Told(renderer, pytest.fail, "HELP"), Precautions("work"))
    assert stream.getvalue() == "ECHO  Send a text back.\n"


def test_a_flood_of_news_loses_the_oldest() -> None:
    """Held back while a prompt begins, and never more than so many."""
    written: list[str] = []
    announcer = Announcer(lambda text, _colour: written.append(text))
    announcer.say("at once")
    announcer.redraw()
    with announcer.prompt():
        for number in range(MOST_LINES + 1):
            announcer.say(str(number))
        assert written == ["at once"]
    assert written[1:] == [str(number) for number in range(1, MOST_LINES + 1)]


def test_news_behind_the_end_of_a_prompt_leaves_the_terminal_alone() -> None:
    """Its loop runs for a moment longer; to ask the terminal something then is to have its answer echoed."""
    written: list[str] = []
    announcer = Announcer(lambda text, _colour: written.append(text))
    screen, before = io.StringIO(), ""

    def once_it_is_over() -> None:
        nonlocal before
        if get_app().future is not None:
            asyncio.get_running_loop().call_soon(once_it_is_over)
            return
        before = screen.getvalue()
        announcer.say("late")

    terminal = Vt100_Output(screen, lambda: Size(24, 80), enable_cpr=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=terminal):
        keys.send_text("done\r")
        with announcer.prompt() as begin:
            session: PromptSession[str] = PromptSession("> ")

            def begin_both() -> None:
                begin()
                once_it_is_over()

            assert session.prompt(pre_run=begin_both) == "done"
            assert screen.getvalue() == before != ""
            assert written == []
    assert written == ["late"]


def test_a_goodbye_is_no_lost_connection(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """However soon the server closes after it: the user left in order, and the exit code is 0."""
    # Without reconnecting: a completion asked for behind the goodbye would connect again and hide the end.
    client = Client(server.address, token=token, ca=authority.ca, reconnect=False)

    class Slow(Renderer):
        """Writes the goodbye only when the connection has already ended."""

        def answer(
            self,
            command: str,
            value: object,
            description: CommandDescription | None,
            job: int | None = None,
            following: Iterator[list[dict[object, object]]] | None = None,
        ) -> None:
            client._link.wait_for(lambda status: status.error is not None, PATIENCE)
            super().answer(command, value, description, job, following)

    with client, create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = repl.Repl(client, Slow(io.StringIO()), history=InMemoryHistory())
        keys.send_text("EXIT\r")
        assert prompt.run() == 0
        assert client.status.error is not None

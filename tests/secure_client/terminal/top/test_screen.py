"""What the screen of `top` does at its end; what is seen of it is tests/terminal's."""

from __future__ import annotations

from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from secure_client import Client
from secure_client.terminal.top.screen import TopScreen
from tests.secure_client.terminal.top.test_frame import view_of


def test_who_has_left_may_leave_again(client: Client) -> None:
    """By a Ctrl-C that comes together with `q`, say: prompt-toolkit hands it on behind the end."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        screen = TopScreen(client, view_of(), None)
        keys.send_text("q")
        screen.run()
        screen.leave()
    assert client.on_state is None  # given back

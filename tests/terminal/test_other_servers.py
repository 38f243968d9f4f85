r"""From one server to another in the same terminal: `\connect` and `\profile`, in the real program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_client.profiles.profiles import Profile, Profiles
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt
from tests.terminal.screen import Screen
from tests.terminal.test_asking import answer, sent
from tests.terminal.test_local_commands import told
from tests.terminal.test_pasting import paste
from tests.terminal.test_repl import CTRL_C, ENTER, enter, leave

LAB = Token.generate()


@pytest.fixture
def lab(authority: Authority, home: Path) -> Iterator[ScriptedServer]:
    """Another server, with a token of its own; two profiles are of it, and one is of a server that is away."""
    with ScriptedServer(authority.issue("server"), token=LAB) as running:
        ca, endpoint = str(authority.ca), f"localhost:{running.port}"
        Profiles(home).add("lab", Profile(endpoint=endpoint, ca=ca, token=LAB.reveal()))
        Profiles(home).add("lab-asking", Profile(endpoint=endpoint, ca=ca))
        Profiles(home).add("away", Profile(endpoint="localhost:1", ca=ca, token=LAB.reveal()))
        running.commands.append(CommandDescription("WIPE", arguments=(ArgumentDescription("host"),), danger=True))
        running.handlers["WIPE"] = lambda _peer, arguments: f"wiped {arguments[0]}"
        yield running


def at(screen: Screen, server: ScriptedServer) -> None:
    """Wait until the toolbar tells of a server, and the prompt is there."""
    screen.wait(lambda: f"localhost:{server.port} " in screen.toolbar and "connected" in screen.toolbar)
    at_prompt(screen)


def test_one_goes_on_at_another_server(screen: Screen, server: ScriptedServer, lab: ScriptedServer) -> None:
    """And is told where one is; what is typed then runs there, and nothing more runs at the one before."""
    told(screen, "\\profile", "others away, lab, lab-asking")
    told(screen, "\\alias here = ECHO at home", "secure>")
    enter(screen, "\\connect lab")
    screen.wait(f"Connected to localhost:{lab.port} as ana.")
    at(screen, lab)
    told(screen, "ECHO over there", "ECHO: over there")
    told(screen, "here", "Unknown command")
    told(screen, "\\profile", "profile lab")
    assert "ECHO over there" in sent(lab)
    assert "ECHO over there" not in sent(server)
    enter(screen, f"\\connect localhost:{lab.port}")
    screen.wait("Several profiles are of")
    screen.wait("You are still at lab.")
    at_prompt(screen)
    before = lab.sessions
    enter(screen, "\\connect")
    lab.wait_for(lambda: lab.sessions == before + 1)
    at(screen, lab)
    told(screen, "\\connect one two", "Type \\connect PROFILE, or \\connect HOST:PORT.")
    leave(screen)


def test_one_stays_where_another_server_cannot_be_had(
    screen: Screen, server: ScriptedServer, lab: ScriptedServer
) -> None:
    """It says why; what was typed or pasted for the other one runs nowhere."""
    told(screen, "\\connect a:b:c", "You are still at localhost:")
    told(screen, "\\profile nowhere", "There is no profile `nowhere`")
    at_prompt(screen)
    screen.type(f"\\connect away{ENTER}ECHO for-the-other{ENTER}")
    screen.wait("Is the server running, and is this its address? You are still at localhost:")
    assert "Waiting" not in screen.text
    told(screen, "ECHO here", "ECHO: here")
    paste(screen, "\\connect away\nECHO pasted-for-it")
    screen.type(ENTER)
    screen.wait("Not run: 1 of 2 lines.")
    at_prompt(screen)
    paste(screen, "\\connect lab\nECHO pasted-for-lab")
    screen.type(ENTER)
    screen.wait("Not run: 1 of 2 lines.")
    at(screen, lab)
    leave(screen)
    for each in (server, lab):
        assert not any("for-the-other" in line or "pasted-for" in line for line in sent(each))


def test_a_token_is_asked_for_hidden_and_none_of_another_server_is_shown(screen: Screen, lab: ScriptedServer) -> None:
    """That of SECURE_CLIENT_TOKEN is the first server's. Ctrl-C stays there."""
    enter(screen, "\\profile lab-asking")
    screen.wait("Token for localhost:")
    screen.type(CTRL_C)
    screen.wait("Interrupted. You are still at localhost:")
    enter(screen, "\\connect lab-asking")
    screen.wait(lambda: "Token for localhost:" in screen.text.partition("\\connect")[2])
    screen.type(LAB.reveal() + ENTER)
    at(screen, lab)
    assert LAB.reveal().encode() not in screen.raw
    leave(screen)


def test_a_yes_that_was_given_beforehand_is_for_the_first_server(open_client: Open, lab: ScriptedServer) -> None:
    """At another one it is asked."""
    screen = open_client("--yes")
    enter(screen, "\\connect lab")
    at(screen, lab)
    told(screen, "ECHO x", "ECHO: x")
    enter(screen, "WIPE web")
    answer(screen, "go on:", "no" + ENTER)
    at_prompt(screen)
    assert "WIPE web" not in sent(lab)
    leave(screen)


def test_one_can_leave_a_server_that_is_away(screen: Screen, proxy: FaultProxy, lab: ScriptedServer) -> None:
    """Without waiting for it."""
    proxy.down()
    screen.wait("was lost")
    screen.wait(lambda: screen.typing == "secure!")
    screen.type("\\connect lab" + ENTER)
    at(screen, lab)
    told(screen, "ECHO x", "ECHO: x")
    leave(screen)

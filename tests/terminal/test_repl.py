"""What a person sees at the prompt, in the real program, while the network comes and goes."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.description import CommandDescription
from secure_protocol.token import Token
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt, known
from tests.terminal.screen import PATIENCE, Screen

CTRL_C, CTRL_D, UP, TAB, ENTER = "\x03", "\x04", "\x1b[A", "\t", "\r"


def enter(screen: Screen, line: str) -> None:
    """Type a whole line."""
    at_prompt(screen)
    screen.type(line + ENTER)


def known_anew(screen: Screen, server: ScriptedServer) -> None:
    """Wait until the commands are known as they are now; the server tells that they changed."""
    known(screen)  # before that the client would not ask for them again
    before = server.names().count("COMMANDS")
    server.push("commands-changed")
    server.wait_for(lambda: server.names().count("COMMANDS") == before + 1)


def leave(screen: Screen) -> None:
    """Leave with Ctrl-D, in peace."""
    at_prompt(screen)
    screen.type(CTRL_D)
    assert screen.ended() == 0


def test_a_command_is_typed_and_answered(screen: Screen) -> None:
    """The answer stands between two prompts, in the server's wording."""
    enter(screen, "ECHO hello")
    screen.wait("ECHO: hello")
    enter(screen, "time")
    screen.wait("2023-11-14T")
    leave(screen)


def test_the_toolbar_says_who_where_and_that_it_is_connected(screen: Screen, proxy: FaultProxy) -> None:
    """And on its other side what the command being typed wants."""
    assert f"ana@localhost:{proxy.port}" in screen.toolbar
    assert "connected" in screen.toolbar
    screen.type("restart ")
    screen.wait(lambda: "web|worker [--force]" in screen.toolbar)
    screen.type(CTRL_C)
    leave(screen)


def test_completion_comes_from_the_server_and_enter_accepts_without_running(
    screen: Screen, server: ScriptedServer
) -> None:
    """The first Enter takes what the menu offers; the second runs the line."""
    screen.wait("secure>")
    screen.type("restart w")
    screen.wait("worker")
    screen.type(TAB)
    screen.wait(lambda: screen.typing == "secure> restart web")
    screen.type(ENTER)
    screen.type(" --force" + ENTER)
    screen.wait("restarted web")
    assert [request for request in server.received if request[0] == "restart"] == [["restart", "web", "--force"]]
    leave(screen)


def test_tab_completes_a_sole_candidate_before_the_next_key(screen: Screen, server: ScriptedServer) -> None:
    """However fast one types: `EC`, Tab and Enter in one go never run `EC`."""
    screen.type(f"EC{TAB}hi{ENTER}")
    screen.wait("ECHO: hi")
    enter(screen, f"tim{TAB}")
    screen.wait(lambda: any(request == ["TIME"] for request in server.received))
    leave(screen)


def test_typing_goes_on_while_the_connection_is_replaced(
    screen: Screen, proxy: FaultProxy, server: ScriptedServer
) -> None:
    """The news stands above the prompt, what was typed stays, and the line then runs on the new connection."""
    screen.type("ECHO half")
    screen.wait(lambda: screen.typing == "secure> ECHO half")
    proxy.down()
    screen.wait("was lost")
    screen.wait(lambda: screen.typing == "secure! ECHO half")
    screen.wait(lambda: "reconnecting in" in screen.toolbar)
    screen.type(" way")
    screen.wait(lambda: screen.typing == "secure! ECHO half way")
    proxy.up()
    screen.wait("Connected again")
    screen.wait(lambda: screen.typing == "secure> ECHO half way")
    assert next(i for i, line in enumerate(screen.lines) if "Connected again" in line) < screen.lines.index(
        "secure> ECHO half way"
    )
    screen.type(ENTER)
    screen.wait("ECHO: half way")
    assert re.search(rb"\x1b\[33m[^\x1b]*was lost", screen.raw), "yellow"
    assert b"\x1b[32mConnected again" in screen.raw, "green"
    assert server.sessions == 2
    leave(screen)


def test_a_command_typed_while_disconnected_runs_after_the_reconnect(screen: Screen, proxy: FaultProxy) -> None:
    """It waits, saying so."""
    proxy.down()
    screen.wait("was lost")
    enter(screen, "ECHO later")
    screen.wait("waiting for the connection")
    proxy.up()
    screen.wait("ECHO: later")
    leave(screen)


def test_ctrl_c_gives_up_a_command_that_waits_for_the_connection(
    screen: Screen, proxy: FaultProxy, server: ScriptedServer
) -> None:
    """Nothing of it is sent after the reconnect."""
    proxy.down()
    screen.wait("was lost")
    enter(screen, "COUNT")
    screen.wait("waiting for the connection")
    screen.type(CTRL_C)
    screen.wait("nothing was sent")
    proxy.up()
    screen.wait("Connected again")
    enter(screen, "ECHO after")
    screen.wait("ECHO: after")
    assert server.count == 0
    leave(screen)


def test_leaving_works_while_the_server_is_down(screen: Screen, proxy: FaultProxy) -> None:
    """At once, and the exit code says that the connection was lost."""
    proxy.down()
    screen.wait("was lost")
    at_prompt(screen)
    screen.type(CTRL_D)
    assert screen.ended() == 3


def test_ctrl_c_stops_waiting_for_a_running_command(screen: Screen, server: ScriptedServer) -> None:
    """The first asks the server to end it; the second brings the prompt back at once. A late reply stays unseen."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> Iterator[str]:
        yield "begun"
        assert release.wait(PATIENCE)
        yield "late"

    server.handlers["SLOW"] = slow
    enter(screen, "SLOW")
    screen.wait("begun")  # so the client waits, and Ctrl-C means the command
    screen.type(CTRL_C)
    screen.wait("Asked the server to end it")
    screen.type(CTRL_C)
    screen.wait("may still run")
    release.set()
    enter(screen, "ECHO next")
    screen.wait("ECHO: next")
    assert "late" not in screen.text
    leave(screen)


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(screen: Screen, server: ScriptedServer) -> None:
    """As in every shell; an empty line does nothing."""
    screen.type("COUNT")
    screen.wait(lambda: screen.typing == "secure> COUNT")
    screen.type(CTRL_C)
    screen.wait(lambda: screen.typing == "secure>")
    screen.type(ENTER)
    enter(screen, "ECHO x")
    screen.wait("ECHO: x")
    assert server.count == 0
    leave(screen)


def test_exit_prints_the_goodbye_and_leaves(screen: Screen) -> None:
    """The server says it; the program ends with 0."""
    enter(screen, "exit")
    assert screen.ended() == 0
    assert "Goodbye." in screen.text


def test_a_revoked_token_stops_with_its_own_words(screen: Screen, server: ScriptedServer) -> None:
    r"""Above the prompt, in the toolbar, and in the exit code; `\reconnect` is the way on."""
    server.close_all("revoked", sentence="The token was revoked.")
    screen.wait("ask the administrator")
    screen.wait(lambda: "stopped: revoked" in screen.toolbar)
    enter(screen, "ECHO x")
    screen.wait("\\reconnect tries again")
    server.tokens = {Token.generate().reveal()}
    enter(screen, "\\reconnect")
    screen.wait("was refused by")
    at_prompt(screen)
    screen.type(CTRL_D)
    assert screen.ended() == 4


def test_a_kicked_client_says_so_and_comes_back_when_asked(screen: Screen, server: ScriptedServer) -> None:
    """Not by itself: an administrator wanted it gone."""
    server.close_all("kicked", sentence="Maintenance")
    screen.wait("administrator")
    screen.wait(lambda: "stopped: kicked" in screen.toolbar)
    assert "Maintenance" in screen.text
    enter(screen, "\\reconnect")
    screen.wait("Connected again")
    leave(screen)


def test_an_idle_client_connects_with_the_next_command(screen: Screen, server: ScriptedServer) -> None:
    """It does not keep a session alive that nobody uses."""
    server.close_all("idle")
    screen.wait(lambda: "idle" in screen.toolbar)
    enter(screen, "ECHO back")
    screen.wait("ECHO: back")
    assert server.sessions == 2
    leave(screen)


def test_what_may_have_run_is_not_repeated_and_said(screen: Screen, proxy: FaultProxy, server: ScriptedServer) -> None:
    """The network fails between a request and its reply; one run, and a warning."""

    def run_and_cut(_peer: Peer, _arguments: list[str]) -> object:
        server.count += 1
        proxy.cut()
        return "lost"

    server.handlers["COUNT"] = run_and_cut
    enter(screen, "COUNT")
    screen.wait("may have run")
    screen.wait("Connected again")
    assert server.count == 1
    leave(screen)


def test_a_push_is_shown_above_the_prompt(screen: Screen, server: ScriptedServer) -> None:
    """Without its control characters, and without disturbing what is typed."""
    screen.type("ECHO ty")
    screen.wait(lambda: screen.typing == "secure> ECHO ty")
    server.push("news", "the roof \x1b[31mis on fire")
    screen.wait("news the roof \\x1b[31mis on fire")
    screen.type("ped" + ENTER)
    screen.wait("ECHO: typed")
    leave(screen)


def test_completion_goes_by_commands_that_changed(screen: Screen, server: ScriptedServer) -> None:
    """As soon as the server says so; that is no line of its own above the prompt."""
    enter(screen, "ECHO one")
    screen.wait("ECHO: one")
    server.commands.append(CommandDescription("ZEBRA", "Stripes"))
    known_anew(screen, server)
    enter(screen, "ECHO two")  # answered behind it
    screen.wait("ECHO: two")
    at_prompt(screen)
    screen.type("zeb")
    screen.wait("Stripes")
    screen.type(TAB)
    screen.wait(lambda: screen.typing == "secure> ZEBRA")
    assert "commands-changed" not in screen.text
    screen.type(CTRL_C)
    leave(screen)


def test_the_history_is_private_and_holds_no_secret(screen: Screen, home: Path) -> None:
    """Mode 0600, neither AUTH nor anything with a token; and the arrow key brings the last line back."""
    enter(screen, "ECHO kept")
    screen.wait("ECHO: kept")
    enter(screen, "AUTH something")
    screen.wait("Unknown command")
    enter(screen, "ECHO scs_abc_def")
    screen.wait("ECHO: scs_abc_def")
    assert "secure> ECHO scs_*******" in screen.text
    at_prompt(screen)
    screen.type(UP)
    screen.wait(lambda: screen.typing == "secure> ECHO kept")
    screen.type(CTRL_C)
    leave(screen)
    history = home / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    text = history.read_text(encoding="utf-8")
    assert "ECHO kept" in text
    assert "something" not in text
    assert "scs_" not in text


def test_a_table_has_a_frame_and_no_control_characters(screen: Screen) -> None:
    """For people; `--json` and pipes are for programs."""
    enter(screen, "CLIENTS")
    screen.wait("quick\\x1b[31mstart")
    assert any("───" in line for line in screen.lines)
    leave(screen)


def test_local_commands_begin_with_a_backslash(screen: Screen) -> None:
    r"""`\help` lists them, an unknown one is told, `\quit` leaves."""
    enter(screen, "\\help")
    screen.wait("\\reconnect")
    enter(screen, "\\nonsense")
    screen.wait("There is no \\nonsense")
    enter(screen, "\\reconnect")
    screen.wait("already")
    enter(screen, "\\quit")
    assert screen.ended() == 0


def test_a_smaller_window_keeps_the_state_in_view(screen: Screen) -> None:
    """The hint gives way, not the state."""
    screen.type("RESTART ")
    screen.wait(lambda: "web|worker" in screen.toolbar)
    screen.resize(12, 50)
    screen.wait(lambda: "connected" in screen.toolbar and "…" in screen.toolbar)
    screen.type(CTRL_C)
    leave(screen)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["no-color", "dumb"])
def test_terminals_without_colours(open_client: Open, environment: dict[str, str]) -> None:
    """NO_COLOR and TERM=dumb: the same words, no colours."""
    screen = open_client(**environment)
    screen.wait("secure>")
    enter(screen, "ECHO plain")
    screen.wait("ECHO: plain")
    enter(screen, "nonsense")
    screen.wait("nknown command")
    enter(screen, "CLIENTS")
    screen.wait("quick")
    assert not re.search(rb"\x1b\[([0-9]+;)*[349][0-9][m;]", screen.raw)
    leave(screen)


def test_the_first_connection_has_to_work(open_client: Open, proxy: FaultProxy) -> None:
    """A server that is not there, perhaps a typo, is told at once with exit code 3 and no prompt."""
    proxy.down()
    screen = open_client()
    assert screen.ended() == 3
    assert "Cannot reach localhost" in screen.text
    assert "secure>" not in screen.text


def test_the_token_is_asked_for_and_not_shown(open_client: Open, token: Token) -> None:
    """With no other source; also where TERM=dumb, on which prompt-toolkit would show it."""
    screen = open_client(SECURE_CLIENT_TOKEN="", TERM="dumb")
    screen.wait("Token for localhost")
    screen.type(token.reveal() + ENTER)
    screen.wait("secure>")
    assert token.secret.encode() not in screen.raw
    leave(screen)

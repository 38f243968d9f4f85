"""Several lines at once, pasted or made by hand, in the real program."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_client.terminal.repl import MOST_LINES
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.secure_client.test_job import Stream
from tests.terminal.conftest import Open
from tests.terminal.resting import at_prompt
from tests.terminal.screen import Screen
from tests.terminal.test_asking import answer, sent
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, UP, leave

ALT_ENTER = "\x1b\r"


@pytest.fixture(autouse=True)
def _commands(server: ScriptedServer) -> None:
    number = ArgumentDescription("number")
    server.commands += [
        CommandDescription("KICK", arguments=(number,), confirm="Kick {number}?"),
        CommandDescription("WIPE", arguments=(number,), danger=True),
        CommandDescription("UNLOCK", arguments=(ArgumentDescription("key", secret=True),)),
        CommandDescription("FAIL"),
    ]
    for name in ("KICK", "WIPE", "UNLOCK"):
        server.handlers[name] = lambda _peer, arguments: f"done {' '.join(arguments)}"
    server.handlers["FAIL"] = lambda _peer, _arguments: ErrorReply("ERR", "It failed.")


def paste(screen: Screen, text: str) -> None:
    """Paste as a terminal does that brackets what is pasted, and wait until it is there."""
    at_prompt(screen)
    screen.type(f"\x1b[200~{text}\x1b[201~")
    screen.wait(text.rstrip("\n").rpartition("\n")[2])


def test_pasted_lines_run_one_after_the_other(screen: Screen, server: ScriptedServer) -> None:
    """Each is shown with its answer, as if it had been typed; one that fails keeps none from running."""
    paste(screen, "ECHO one\n\n# a comment\n  FAIL\nECHO 'not closed\nECHO two words\n")
    screen.type(ENTER)
    screen.wait(lambda: "ECHO: two words" in screen.text and screen.typing == "secure>")
    shown = [line for line in screen.lines if line][screen.lines.index("secure> ECHO one") :]
    first = shown.index("ECHO: one") - 1
    assert shown[first : first + 8] == [
        "secure> ECHO one",
        "ECHO: one",
        "secure> FAIL",
        "ERROR: It failed.",
        "secure> ECHO 'not closed",
        "A quote is not closed, or text follows a closing quote at once.",
        "secure> ECHO two words",
        "ECHO: two words",
    ]
    assert sent(server) == ["ECHO one", "FAIL", "ECHO two words"]
    leave(screen)


def test_one_question_comes_before_all_of_them(screen: Screen, server: ScriptedServer) -> None:
    """It shows what would be asked; a no sends nothing, and leaves the lines to be mended."""
    paste(screen, "ECHO first\nkick 13\nkick 64")
    screen.type(ENTER)
    screen.wait("Kick 13? Kick 64? Run all 3 lines? [y/N]")
    screen.type("n" + ENTER)
    screen.wait(lambda: "Not confirmed; nothing was sent." in screen.text and screen.typing.endswith("kick 64"))
    assert sent(server) == []
    screen.type("\x7f5" + ENTER)  # they can be edited: kick 65
    answer(screen, "Run all 3 lines? [y/N]", "y" + ENTER)
    screen.wait("done 65")
    assert sent(server) == ["ECHO first", "kick 13", "kick 65"]
    assert screen.text.count("[y/N]") == 2
    paste(screen, "kick 1\nwipe 2")
    screen.type(ENTER)
    answer(screen, "Run all 2 lines? Type yes in full to go on:", "y" + ENTER)
    screen.wait(lambda: screen.typing.endswith("wipe 2"))
    assert len(sent(server)) == 3
    screen.type(CTRL_C)
    leave(screen)


def test_the_client_says_yes_beforehand(open_client: Open, server: ScriptedServer) -> None:
    """Then nobody is asked."""
    screen = open_client("--yes")
    paste(screen, "kick 1\nkick 2")
    screen.type(ENTER)
    screen.wait("done 2")
    assert sent(server) == ["kick 1", "kick 2"]
    leave(screen)


def test_ctrl_c_ends_the_lines(screen: Screen, server: ScriptedServer) -> None:
    """The one that runs is ended, and how many do not run is said; so where the connection fails."""

    def slow(peer: Peer, _arguments: list[str]) -> Stream:
        yield "begun"
        return peer.wait_for_cancel()

    server.handlers["SLOW"] = slow
    paste(screen, "ECHO one\nSLOW\nECHO two\nECHO three")
    screen.type(ENTER)
    screen.wait("begun")
    screen.type(CTRL_C)
    screen.wait("Not run: 2 of 4 lines.")
    server.wait_for(lambda: len(sent(server)) == 3)  # a Ctrl-C right behind "begun" is told before the server has it
    assert sent(server) == ["ECHO one", "SLOW", "CANCEL"]
    server.handlers["CUT"] = lambda peer, _arguments: peer.cut()
    paste(screen, "CUT\nSLOW")
    screen.type(ENTER)
    screen.wait("may have run")
    screen.wait("Not run: 1 of 2 lines.")
    screen.wait("Connected again")
    leave(screen)


def test_a_goodbye_among_them_is_the_last(screen: Screen, server: ScriptedServer) -> None:
    """What stands behind it is not run."""
    paste(screen, "ECHO one\nEXIT\nECHO two")
    screen.type(ENTER)
    assert screen.ended() == 0
    assert "ECHO two" not in sent(server)


def test_lines_are_made_by_hand(screen: Screen, server: ScriptedServer) -> None:
    """By Alt-Enter. All come back together from the history, where the arrow moves from line to line first."""
    screen.type(f"ECHO one{ALT_ENTER}ECHO two")
    screen.wait("ECHO two")
    assert sent(server) == []
    screen.type(ENTER)
    screen.wait(lambda: "ECHO: two" in screen.text and screen.typing == "secure>")
    screen.type(UP)
    screen.wait(lambda: screen.typing.endswith("ECHO two"))
    screen.type(UP + "\x05!")  # the end of the line above
    screen.wait("ECHO one!")
    screen.type(ENTER)
    screen.wait(lambda: "ECHO: one!" in screen.text and screen.typing == "secure>")
    assert sent(server) == ["ECHO one", "ECHO two", "ECHO one!", "ECHO two"]
    leave(screen)


def test_secrets_among_them_are_hidden_and_kept_nowhere(screen: Screen, home: Path) -> None:
    """As of a line alone."""
    paste(screen, "ECHO one\nUNLOCK ")
    screen.type("s3cret")
    screen.wait("UNLOCK ******")
    screen.type(ENTER)
    screen.wait(lambda: "done" in screen.text and screen.typing == "secure>")
    shown = screen.raw.replace(b"done s3cret", b"")  # which is the server's own
    assert b"s3cret" not in shown
    leave(screen)
    assert "UNLOCK" not in (home / "history").read_text(encoding="utf-8")


def test_too_many_are_no_pasting(screen: Screen, server: ScriptedServer) -> None:
    """A file is named as the better way; they are in the history, for they would hide what is said of them."""
    paste(screen, "\n".join(["ECHO x"] * MOST_LINES + ["ECHO y"]))
    screen.type(ENTER)
    screen.wait(f"{MOST_LINES + 1} lines are more than the {MOST_LINES} that are run at once")
    screen.wait("The arrow up brings the lines back.")
    assert sent(server) == []
    at_prompt(screen)
    screen.type(UP)
    screen.wait(lambda: screen.typing.endswith("ECHO y"))
    screen.type(CTRL_C + CTRL_D)
    assert screen.ended() == 0

"""Answers that are taller than the screen, in the real program."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from pathlib import Path

import pytest

from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.resting import at_prompt
from tests.terminal.screen import PATIENCE
from tests.terminal.test_repl import CTRL_C, ENTER, enter, leave

PAGER = """
import json, os, signal, sys
text = sys.stdin.read()
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"pager: interrupted\\n"))
with open(sys.argv[1], "w") as told:
    json.dump([text, os.environ.get("LESSSECURE")], told)
with open("/dev/tty") as keys:
    print("pager: here", flush=True)
    while keys.readline() != "q\\n":
        pass
"""
DYING_PAGER = """
import os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.stdin.read()
attributes = termios.tcgetattr(1)
attributes[3] &= ~(termios.ECHO | termios.ICANON)
termios.tcsetattr(1, termios.TCSANOW, attributes)
os.write(1, b"pager: here\\r\\n")
signal.pause()
"""


@pytest.fixture(autouse=True)
def _long(server: ScriptedServer) -> None:
    server.handlers["LIST"] = lambda _peer, arguments: [f"row {number}" for number in range(int(arguments[0]))]


def test_what_is_taller_than_the_screen_is_paged(open_client: Open, server: ScriptedServer, tmp_path: Path) -> None:
    """And nothing else. Ctrl-C is the pager's; what happens meanwhile is told behind it."""
    program, told = tmp_path / "pager.py", tmp_path / "told.json"
    program.write_text(PAGER, encoding="utf-8")
    screen = open_client(PAGER=shlex.join([sys.executable, str(program), str(told)]))
    enter(screen, "LIST 20")
    screen.wait(lambda: "row 19" in screen.text and screen.typing == "secure>")
    assert not told.exists()
    enter(screen, "LIST 24")
    screen.wait("pager: here")
    text, secure = json.loads(told.read_text(encoding="utf-8"))
    assert text == "".join(f"row {number}\n" for number in range(24))
    assert secure == "1", "less runs nothing for a server's text"
    server.push("message", "eve", "hello")
    screen.type(CTRL_C)
    screen.wait("pager: interrupted")
    assert "hello" not in screen.text
    screen.type("q" + ENTER)
    screen.wait("[eve] hello")
    told.unlink()
    enter(screen, "\\format json")
    enter(screen, "LIST 50")
    screen.wait(lambda: "row 49" in screen.text)
    at_prompt(screen)
    assert not told.exists()
    leave(screen)


@pytest.mark.parametrize("pager", ["", "cat", "no-such-pager --at-all", "false", "'not closed"])
def test_without_a_pager_nothing_is_lost(open_client: Open, pager: str) -> None:
    """Where none is wanted, there, or of use; which is said, once."""
    screen = open_client(PAGER=pager)
    for again in (False, True):
        screen.raw = b""
        enter(screen, "LIST 30")
        screen.wait(lambda: b"row 29\r\n" in screen.raw and screen.typing == "secure>")
        for number in range(30):
            assert screen.raw.count(f"row {number}\r\n".encode()) == 1
        told = screen.raw.count(b"does not work, so all was written")
        assert told == (not again and pager not in ("", "cat"))
    leave(screen)


def test_a_terminal_that_can_do_nothing_has_no_pager(open_client: Open) -> None:
    """Less would have it press Return first."""
    screen = open_client(PAGER="no-such-pager", TERM="dumb")
    enter(screen, "LIST 30")
    screen.wait(lambda: "row 29" in screen.text and screen.typing == "secure>")
    assert b"no-such-pager" not in screen.raw
    leave(screen)


def test_a_pager_that_dies_leaves_the_terminal_as_it_was(
    open_client: Open, server: ScriptedServer, tmp_path: Path
) -> None:
    """And one that Ctrl-C ends has shown what the user wanted to see: it is not written once more."""
    program, go_on = tmp_path / "dying.py", threading.Event()
    program.write_text(DYING_PAGER, encoding="utf-8")
    server.handlers["SLOW"] = lambda _peer, _arguments: str(go_on.wait(PATIENCE))
    screen = open_client(PAGER=shlex.join([sys.executable, str(program)]))
    enter(screen, "LIST 30")
    screen.wait("pager: here")
    screen.type(CTRL_C)
    at_prompt(screen)
    assert "row 29" not in screen.text
    screen.type("SLOW" + ENTER)
    screen.wait(screen.child.getecho)
    go_on.set()
    screen.wait("True")
    leave(screen)

"""Answers that are taller than the screen, in the real program."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.test_repl import CTRL_C, ENTER, at_prompt, enter, leave

PAGER = """
import json, os, signal, sys
text = sys.stdin.read()
signal.signal(signal.SIGINT, lambda *_: print("pager: interrupted", flush=True))
with open(sys.argv[1], "w") as told:
    json.dump([text, os.environ.get("LESSSECURE")], told)
with open("/dev/tty") as keys:
    print("pager: here", flush=True)
    while keys.readline() != "q\\n":
        pass
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
    """Where none is wanted, there, or of use."""
    screen = open_client(PAGER=pager)
    enter(screen, "LIST 30")
    screen.wait(lambda: "row 29" in screen.text and screen.typing == "secure>")
    for number in range(30):
        assert screen.raw.count(f"row {number}\r\n".encode()) == 1
    leave(screen)

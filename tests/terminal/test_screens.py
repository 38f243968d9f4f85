"""The screen after whatever may happen to it: the prompt is never stuck, doubled or lost, in a window of any size."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, Push, ReplyKind
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt, known, rests
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_pasting import ALT_ENTER, paste
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, UP, enter, known_anew, leave

SIZES = [(24, 80), *(pytest.param(size, marks=pytest.mark.long) for size in [(10, 40), (50, 200)])]
MARK = "\x00"
EVIL = "\x1b[2J\x1b[31mred\x07\x9b1m\r\nsecure> \u202eevil"


@pytest.fixture(params=SIZES, ids=lambda size: "x".join(map(str, size)))
def sized(request: pytest.FixtureRequest, open_client: Open) -> Screen:
    """The program in a window of that size, its prompt on the screen."""
    rows, columns = request.param
    screen = open_client()
    screen.resize(rows, columns)
    screen.wait(lambda: "connected" in screen.toolbar and screen.typing == "secure>")
    known(screen)
    return screen


def test_three_lines_one_of_them_failing(sized: Screen, server: ScriptedServer) -> None:
    """Each with its answer."""
    server.handlers["FAIL"] = lambda _peer, _arguments: ErrorReply("ERR", "It failed.")
    paste(sized, "ECHO one\nFAIL\nECHO two")
    sized.type(ENTER)
    sized.wait("ECHO: two")
    rests(sized)
    shown = [line for line in sized.lines if line]
    at = shown.index("ERROR: It failed.")
    assert shown[at - 1 : at + 3] == ["secure> FAIL", "ERROR: It failed.", "secure> ECHO two", "ECHO: two"]
    leave(sized)


def test_news_while_somebody_types(sized: Screen, server: ScriptedServer) -> None:
    """What was typed stands below them, and the cursor where it was; a flood as well."""
    sized.type("ECHO half")
    rests(sized, "ECHO half")
    for number in range(100):
        server.push("message", "eve", f"number {number}")
    sized.wait("[eve] number 99")
    rests(sized, "ECHO half")
    sized.type(" done" + ENTER)
    sized.wait("ECHO: half done")
    rests(sized)
    leave(sized)


def test_a_mark_stops_no_typing(screen: Screen, server: ScriptedServer) -> None:
    """Set by Ctrl-Space, perhaps by a slip: whatever has no use for it goes on as without. It cuts as in emacs."""
    server.commands.append(CommandDescription("WIPE", confirm="Wipe all?"))
    screen.type(f"CHO abc{MARK}\x01E")
    screen.wait(lambda: screen.typing == "secure> ECHO abc")
    screen.type(f"{MARK}\x05\x7f")
    screen.wait(lambda: screen.typing == "secure> ECHO ab")
    screen.type(MARK + ENTER)
    screen.wait("ECHO: ab")
    at_prompt(screen)
    screen.type(f"ECHO x{MARK}\x01\x17")
    screen.wait(lambda: screen.typing == "secure>")
    screen.type(f"ECHO one{MARK}{ALT_ENTER}ECHO two{MARK}{ENTER}")
    screen.wait(lambda: "ECHO: two" in screen.text and screen.typing == "secure>")
    known_anew(screen, server)
    enter(screen, "WIPE")
    screen.wait(lambda: screen.typing == "Wipe all? [y/N]")
    screen.type(f"n{MARK}{ENTER}")
    screen.wait("nothing was sent")
    leave(screen)


def test_the_line_breaks_in_the_middle_of_an_answer(sized: Screen, server: ScriptedServer, proxy: FaultProxy) -> None:
    """What came stays, what became of it is said once, and the prompt is there."""
    begun, go = threading.Event(), threading.Event()

    def parts(_peer: Peer, _arguments: list[str]) -> Iterator[object]:
        yield "part one"
        yield Push("progress", (0.5, "half way"))
        begun.set()
        go.wait(PATIENCE)
        yield "part two"

    server.handlers["TAIL"] = parts
    enter(sized, "TAIL")
    sized.wait("50 %")
    proxy.cut()
    sized.wait("is not known")
    go.set()
    sized.wait("Connected again")
    rests(sized)
    assert "50 %" not in sized.text
    assert sized.text.count("broke off") == 1
    enter(sized, "ECHO after")
    sized.wait("ECHO: after")
    rests(sized)
    leave(sized)


def test_the_window_changes_while_anything_stands_in_it(screen: Screen, server: ScriptedServer) -> None:
    """Typing, the menu, a question, a bar; larger and smaller."""
    server.commands.append(CommandDescription("WIPE", arguments=(ArgumentDescription("host"),), confirm="Wipe {host}?"))
    known_anew(screen, server)
    for rows, columns in ((10, 40), (50, 200), (24, 80)):
        screen.type("RESTART w")
        screen.wait("worker")
        screen.resize(rows, columns)
        screen.wait(lambda: "worker" in screen.text and "connected" in screen.toolbar)
        screen.type(CTRL_C)
        rests(screen)
        screen.type("ECHO typed")
        rests(screen, "ECHO typed")
        screen.resize(columns // 4, rows * 3)
        rests(screen, "ECHO typed")
        screen.type(CTRL_C)
        enter(screen, "WIPE web")
        screen.wait("Wipe web? [y/N]")
        screen.resize(rows, columns)
        screen.type("n" + ENTER)
        screen.wait("nothing was sent")
        rests(screen)
    leave(screen)


@pytest.mark.parametrize("way", ["stream", pytest.param("answer", marks=pytest.mark.long)])
def test_ten_thousand_lines(screen: Screen, server: ScriptedServer, way: str) -> None:
    """All of them, in order, and then the prompt."""
    lines = [f"line {number}" for number in range(10_000)]

    def stream(_peer: Peer, _arguments: list[str]) -> Iterator[object]:
        yield from lines

    server.handlers["MANY"] = stream if way == "stream" else lambda _peer, _arguments: lines
    enter(screen, "MANY")
    screen.wait(lambda: "line 9999" in screen.text)
    rests(screen)
    assert screen.raw.count(b"line ") == 10_000
    assert screen.raw.index(b"line 4999\r") < screen.raw.index(b"line 5000\r")
    leave(screen)


def test_a_server_that_sends_escape_sequences(sized: Screen, server: ScriptedServer) -> None:
    """In answers, errors, parts, progress, news, tables, and in what it says of its commands: shown, and not obeyed."""
    server.commands += [
        CommandDescription("EVIL", EVIL, arguments=(ArgumentDescription(f"x{EVIL}", choices=(EVIL,)),), group=EVIL),
        CommandDescription("ASKS", confirm=f"Sure? {EVIL}"),
        CommandDescription("ROWS", reply=ReplyKind.TABLE, columns=(f"c{EVIL}",)),
    ]
    server.handlers["TEXT"] = lambda _peer, _arguments: EVIL
    server.handlers["ERROR"] = lambda _peer, _arguments: ErrorReply("ERR", EVIL.replace("\r\n", " "))
    server.handlers["ROWS"] = lambda _peer, _arguments: [{f"c{EVIL}": EVIL}]

    def parts(_peer: Peer, _arguments: list[str]) -> Iterator[object]:
        yield EVIL
        yield Push("progress", (0.5, EVIL))

    server.handlers["PARTS"] = parts
    server.handlers["HELP"] = lambda _peer, _arguments: [EVIL]
    known_anew(sized, server)
    for line in ("TEXT", "ERROR", "PARTS", "ROWS", "HELP", "HELP EVIL"):
        enter(sized, line)
        sized.wait(lambda: sized.typing == "secure>")
    server.push("message", EVIL, EVIL)
    server.push(EVIL, EVIL)
    enter(sized, "ASKS")
    sized.wait("[y/N]")
    sized.type("n" + ENTER)
    sized.wait("nothing was sent")
    at_prompt(sized)
    sized.type("EVIL ")
    sized.wait(lambda: sized.typing.startswith("secure> EVIL"))
    sized.type(CTRL_C)
    rests(sized)
    for sent in (b"\x1b[2J\x1b[31mred", b"\x07", b"\x9b1m", "\u202e".encode()):
        assert sent not in sized.raw
    leave(sized)


def test_two_clients_on_one_history(open_client: Open) -> None:
    """Neither loses a line, nor tears one; the next time both are there."""
    first, second = open_client(), open_client()
    for screen in (first, second):
        known(screen)
    for number in range(5):
        for screen, name in ((first, "a"), (second, "b")):
            enter(screen, f"ECHO {name}{number}")
            screen.wait(f"ECHO: {name}{number}")
    leave(first)
    leave(second)
    again = open_client()
    known(again)
    enter(again, "ECHO last")
    again.wait("ECHO: last")
    at_prompt(again)
    again.type(UP)
    again.wait(lambda: again.typing == "secure> ECHO last")
    for number in reversed(range(5)):
        for name in ("b", "a"):
            again.type(UP)
            again.wait(lambda name=name, number=number: again.typing == f"secure> ECHO {name}{number}")  # type: ignore[misc]
    again.type(CTRL_C)
    leave(again)


def _skip_where_python_loads_nothing(environment: dict[str, str]) -> None:
    """CPython from 3.12 on loads no extension module by a path that the locale cannot spell; wcwidth has one."""
    argv = [sys.executable, "-c", "import wcwidth"]
    loaded = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, check=False)
    if b"UnicodeEncodeError" in loaded.stderr:
        pytest.skip(f"this Python, in this locale, loads no extension modules from {sys.prefix!a}")


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"TERM": "vt100"}],
    ids=["C", "no-utf-8", "vt100"],
)
def test_other_locales_and_terminals(open_client: Open, server: ScriptedServer, environment: dict[str, str]) -> None:
    """What cannot be shown is shown otherwise; nothing ends by it."""
    _skip_where_python_loads_nothing(environment)
    server.handlers["WIDE"] = lambda _peer, _arguments: "再起動 ação 🚀"
    server.handlers["HELP"] = lambda _peer, _arguments: ["x"]
    screen = open_client(**environment)
    screen.wait(lambda: "connected" in screen.toolbar)
    enter(screen, "ECHO x")
    screen.wait("ECHO: x")
    enter(screen, "WIDE")
    screen.wait(lambda: "再" in screen.text.replace(" ", "") or "\\u518d" in screen.text)
    enter(screen, "HELP")
    screen.wait("RESTART")
    at_prompt(screen)
    screen.type(CTRL_D)
    assert screen.ended() == 0
    assert "Traceback" not in screen.text

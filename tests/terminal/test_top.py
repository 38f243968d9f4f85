"""`top` in the real program: what a person sees of a busy server, and what the keys do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_client.i18n import translator
from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ErrorReply
from secure_protocol.token import Token
from tests.secure_client.busy_server import Busy
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import HALF, at_prompt, known, rests
from tests.terminal.screen import Screen
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, enter, leave

TAB, ESC, DOWN = "\t", "\x1b", "\x1b[B"
ALTERNATE, GIVEN_BACK = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture
def busy(server: ScriptedServer) -> Busy:
    """What the server does."""
    return Busy(server)


@pytest.fixture
def top(busy: Busy, open_client: Open) -> Callable[..., Screen]:
    """Start the program in a window of a size, and look at the server; the answer is on the screen."""
    assert busy.clients

    def start(rows: int = 24, columns: int = 80, line: str = "top", **environment: str) -> Screen:
        screen = open_client(rows=rows, columns=columns, **environment)
        known(screen)
        enter(screen, line)
        screen.wait(lambda: "1.4.0" in screen.lines[0] and "STATUS" in screen.text)
        return screen

    return start


def whole(screen: Screen) -> str:
    """What is wrong with a frame that should fill the window; nothing if it does."""
    rows, _columns = screen.size
    lines = screen.lines
    if "1.4.0" not in lines[0] or sum("1.4.0" in line for line in lines) != 1:
        return f"the head: {lines[0]!r}"
    if not lines[rows - 1].startswith(" q "):
        return f"the keys: {lines[rows - 1]!r}"
    broken = HALF.search(screen.text)
    return f"half an escape sequence: {broken.group()!r}" if broken else ""


def told(screen: Screen, row: int, pattern: str) -> None:
    """Wait for something in a row, counted from the top or the bottom."""
    screen.wait(lambda: re.search(pattern, screen.lines[row]))


@pytest.mark.parametrize("language", ["en", "pt_BR"])
@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_all_is_seen_at_once(top: Callable[..., Screen], rows: int, columns: int, language: str) -> None:
    """The first frame is full: sparklines of the last minute, places, the process, the lists, the keys."""
    screen = top(rows, columns, LC_ALL=f"{language}.UTF-8")
    screen.wait(lambda: not whole(screen))
    words = translator(language)
    screen.wait(lambda: {"█", "▁"} <= set(screen.lines[2 + (rows == 50)]))
    for word in (
        "commands/s",
        "latency",
        "handshakes",
        "strangers",
        "workers",
        "memory",
        "Commands",
        "Clients",
        "quit",
    ):
        screen.wait(words(word))
    for figure in (" 1.20k", "240 µs", "12.1 ms", "812/1.02k", "48.2k", "3/16", "84.1 MB", "857/1.05M", "31.2k"):
        screen.wait(figure)
    screen.wait(lambda: ("ci-deploy" in screen.text) == (columns == 200))
    screen.type("q")
    rests(screen)
    leave(screen)


def test_leaving_gives_the_screen_back(top: Callable[..., Screen]) -> None:
    """By q, Ctrl-C and Ctrl-D; then the prompt works on, and what happened meanwhile is told."""
    screen = top()
    for key, line in (("q", "top"), (CTRL_C, "\\top --interval 500ms"), (CTRL_D, "TOP")):
        assert screen.raw.count(ALTERNATE) == screen.raw.count(GIVEN_BACK) + 1
        screen.type(key)
        screen.wait(lambda: screen.raw.count(ALTERNATE) == screen.raw.count(GIVEN_BACK))
        rests(screen)
        enter(screen, "ECHO hello")
        screen.wait("ECHO: hello")
        if key != CTRL_D:
            enter(screen, line)
            screen.wait(lambda: "1.4.0" in screen.lines[0])
    leave(screen)


def test_the_window_changes(top: Callable[..., Screen]) -> None:
    """Right after it the frame fits; one that is too small says so, and nothing is left of it."""
    screen = top()
    for rows, columns in ((50, 200), (8, 40), (100, 300), (24, 80)):
        screen.resize(rows, columns)
        screen.wait(lambda: not whole(screen))
        screen.wait(lambda: ("10.0.0.7" in screen.text) == (screen.size[1] >= 160))
    screen.resize(5, 20)
    screen.wait("top needs a window of 40x8; this one has 20x5.")
    screen.resize(24, 80)
    screen.wait(lambda: not whole(screen))
    screen.type("q")
    at_prompt(screen)


def test_one_is_looked_into_and_kicked(top: Callable[..., Screen], busy: Busy) -> None:
    """The cursor stays on it; the question names it, a reason is told, and a no leaves it alone."""
    screen = top()
    screen.type("k")
    told(screen, -1, "Choose a client first: Tab goes to the clients.")
    screen.type(TAB)
    screen.wait("ci-deploy")
    screen.type(DOWN)
    screen.type(ENTER)
    told(screen, 1, "Client 8")
    screen.wait(lambda: re.search(r"user +bob", screen.text))
    screen.wait(lambda: re.search(r"last commands\n +command STATUS web  seconds 0.002", screen.text))
    screen.type(ESC)
    screen.wait(lambda: not whole(screen))
    screen.type("k")
    told(screen, -1, r"^ Kick 8 \(bob, 10\.0\.0\.8:40008\)\? y/n")
    screen.type("n")
    screen.wait(lambda: not whole(screen))
    assert not busy.kicked
    screen.type("kr")
    told(screen, -1, "^ reason:$")
    screen.type("lunch break" + ENTER)
    told(screen, -1, "Kicked client 8.")
    screen.wait(lambda: "bob" not in screen.text)
    screen.type("ky")
    screen.wait(lambda: len(busy.kicked) == 2)
    assert busy.kicked[0] == ["8", "lunch break"]
    assert len(busy.kicked[1]) == 1
    screen.type("q")
    at_prompt(screen)


def test_rates_of_clients_are_between_looks(top: Callable[..., Screen]) -> None:
    """The first look has none; the busiest is above then."""
    screen = top(line="top --interval 500ms")
    screen.type(TAB)
    screen.wait(lambda: re.search(r"ci-deploy.* [\d.]+k? +[\d.]+ kB", screen.text))
    screen.wait(lambda: screen.text.index("ci-deploy") < screen.text.index("bob") < screen.text.index("ana  "))
    screen.type("q")
    at_prompt(screen)


def test_the_list_is_filtered(top: Callable[..., Screen], busy: Busy) -> None:
    """By the server's grammar, whose errors are told, and change nothing; commands by a part of their name."""
    screen = top()
    screen.type("/")
    told(screen, -1, "^ filter:$")
    screen.type("IS" + ENTER)
    screen.wait(lambda: "DISK" in screen.text and "RESTART" not in screen.text)
    screen.type(TAB)
    screen.wait("ci-deploy")
    screen.type("/user=bob" + ENTER)
    screen.wait(lambda: "ci-deploy" not in screen.text and "10.0.0.8" in screen.text)
    screen.wait(lambda: "filter: user=bob" in screen.text)
    screen.type("/\x15nonsense" + ENTER)
    told(screen, -1, "There is no field nonsense: there is user.")
    screen.wait(lambda: "filter: user=bob" in screen.text and "10.0.0.8" in screen.text)
    screen.type("/ 'x" + ENTER)
    told(screen, -1, "A quote is not closed")
    screen.type("/\x15" + ENTER)
    screen.wait(lambda: "ci-deploy" in screen.text and "filter:" not in screen.text)
    assert ["user=bob", "--sort", "-commands", "--limit", "50"] in busy.asked
    screen.type("q")
    at_prompt(screen)


def test_the_order_is_chosen(top: Callable[..., Screen]) -> None:
    """By the next column, marked; and reversed."""
    screen = top()
    screen.wait(lambda: "▼last min" in screen.text)
    screen.type(">")
    screen.wait("▼calls")
    screen.type("<<")
    screen.wait("▲command")
    screen.wait(lambda: screen.text.index("DISK") < screen.text.index("STATUS"))
    screen.type("r")
    screen.wait("▼command")
    screen.wait(lambda: screen.text.index("TAIL") < screen.text.index("STATUS"))
    screen.type("q")
    at_prompt(screen)


def test_pause_pace_and_help(top: Callable[..., Screen], server: ScriptedServer) -> None:
    """A pause asks nothing; the pace goes from step to step; the keys are told in full."""
    screen = top()
    screen.type("+")
    told(screen, 0, "every 5 s$")
    screen.type("---")
    told(screen, 0, "every 0.5 s$")
    screen.type(" ")
    told(screen, 0, "paused$")
    asked = server.names().count("SERVER")
    screen.type("?")
    screen.wait("leaves; so do Ctrl-C and Ctrl-D.")
    screen.type("q")
    screen.wait(lambda: not whole(screen))
    assert server.names().count("SERVER") == asked
    screen.type(" ")
    server.wait_for(lambda: server.names().count("SERVER") > asked + 1)
    screen.type("q")
    at_prompt(screen)


def test_a_connection_that_breaks_is_told_and_replaced(
    top: Callable[..., Screen], proxy: FaultProxy, server: ScriptedServer
) -> None:
    """In the head; the figures stay until there are new ones, and the keys work all the while."""
    screen = top(line="top --interval 500ms")
    proxy.down()
    told(screen, 0, r"connection lost, (re)?connecting")
    screen.type(TAB)
    screen.wait(lambda: "RESTART" not in screen.text)
    screen.wait(lambda: "1.20k" in screen.lines[1])
    seen = server.names().count("CLIENTS")
    proxy.up()
    told(screen, 0, "every 0.5 s$")
    server.wait_for(lambda: server.names().count("CLIENTS") > seen + 1)
    screen.wait("ci-deploy")
    screen.type("q")
    rests(screen)
    screen.wait(lambda: "connected" in screen.text)
    leave(screen)


def test_a_server_that_says_nothing_keeps_nobody(top: Callable[..., Screen], proxy: FaultProxy) -> None:
    """It is said after a while; keys work, and leaving does."""
    screen = top(line="top --interval 500ms")
    proxy.hold()
    told(screen, 0, r"no answer for \d+ s$")
    screen.type("?")
    screen.wait("leaves; so do Ctrl-C and Ctrl-D.")
    screen.type(CTRL_C)
    at_prompt(screen)
    proxy.release()
    leave(screen)


def test_one_that_was_kicked_may_come_back(top: Callable[..., Screen], server: ScriptedServer) -> None:
    """By a key; not by itself."""
    screen = top(line="top --interval 500ms")
    server.close_all("kicked")
    told(screen, 0, "stopped: kicked; c connects again$")
    screen.type("c")
    told(screen, 0, "every 0.5 s$")
    screen.type("q")
    at_prompt(screen)


def test_an_error_of_the_moment_is_told(top: Callable[..., Screen], busy: Busy) -> None:
    """In the head; the next look may be answered."""
    screen = top(line="top --interval 500ms")
    stats, busy.stats = busy.stats, ErrorReply("THROTTLED", "Too many commands.")
    told(screen, 0, "Too many commands.$")
    busy.stats = stats
    told(screen, 0, "every 0.5 s$")
    screen.type("q")
    at_prompt(screen)


def test_an_older_server_lists_its_clients_all_the_same(server: ScriptedServer, open_client: Open) -> None:
    """One whose CLIENTS cannot choose is asked for all; without CLIENT SHOW the row is told."""
    busy = Busy(server, chooses=False, shows=False)
    screen = open_client()
    known(screen)
    enter(screen, "top")
    screen.wait("1.4.0")
    screen.type(TAB)
    screen.wait("ci-deploy")
    screen.type(ENTER)
    screen.wait("Client 9")
    screen.wait(lambda: "cipher" in screen.text)
    assert [] in busy.asked
    screen.type("qq")
    at_prompt(screen)


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        ("ERR", "This server has no SERVER STATS, which top shows: it is of an older version."),
        (ErrorCode.NOPERM, "top is for administrators: this server does not let you run SERVER STATS."),
    ],
)
def test_without_figures_a_sentence_says_why(
    server: ScriptedServer, open_client: Open, refusal: str, sentence: str
) -> None:
    """And the prompt stays."""
    server.handlers["SERVER"] = lambda _peer, _arguments: ErrorReply(refusal, "No.")
    screen = open_client(columns=120)
    known(screen)
    enter(screen, "\\top")
    screen.wait(sentence)
    enter(screen, "top")  # which is the server's to answer, then
    screen.wait("Unknown command")
    leave(screen)


def test_a_command_of_that_name_is_the_servers(server: ScriptedServer, busy: Busy, open_client: Open) -> None:
    """Nothing hides it, also with -c."""
    assert busy.clients
    server.commands.append(server.commands[0]._replace(name="TOP"))
    server.handlers["TOP"] = lambda _peer, _arguments: "the operator's own"
    screen = open_client()
    known(screen)
    enter(screen, "top")
    screen.wait("the operator's own")
    enter(screen, "\\top")
    screen.wait("1.4.0")
    screen.type("q")
    at_prompt(screen)


def test_neither_colours_nor_letters_are_needed(top: Callable[..., Screen]) -> None:
    """NO_COLOR is honoured, and a locale that knows ASCII alone."""
    screen = top(NO_COLOR="1", LC_ALL="C")
    screen.wait(lambda: not whole(screen))
    assert screen.text.isascii()
    screen.wait(lambda: re.search(r"[_.@]{5}", screen.lines[2]))
    drawn = screen.raw[screen.raw.index(ALTERNATE) :]
    assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|9[0-7])m", drawn)
    screen.type("q")
    at_prompt(screen)


def test_what_a_server_sends_moves_nothing(top: Callable[..., Screen], busy: Busy) -> None:
    """Names are printable, and cut by their width."""
    assert not isinstance(busy.stats, ErrorReply)
    busy.stats["by_command"][0]["command"] = "STATUS\x1b[2J\n\u202e" + "漢" * 100
    busy.clients[0]["user"] = "\x1b]0;x\x07" * 20
    screen = top()
    screen.wait(lambda: not whole(screen))
    screen.wait(lambda: "STATUS\\x1b" in screen.text)
    screen.type(TAB)
    screen.wait("\\x1b]0")
    screen.wait(lambda: not whole(screen))
    screen.type("q")
    at_prompt(screen)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_that_ends_it_gives_the_screen_back(top: Callable[..., Screen]) -> None:
    """SIGTERM leaves the terminal as it was found."""
    screen = top()
    os.kill(screen.child.pid, signal.SIGTERM)
    assert screen.ended() == -signal.SIGTERM
    assert screen.raw.count(ALTERNATE) == screen.raw.count(GIVEN_BACK) == 1


def test_a_dumb_terminal_has_one_frame(busy: Busy, open_client: Open) -> None:
    """On which nothing can be drawn; it says how."""
    assert busy.clients
    screen = open_client(TERM="dumb")
    screen.wait("secure>")
    screen.type("ECHO ready\r")
    screen.wait("ECHO: ready")
    screen.type("top\r")
    screen.wait("top needs a terminal that it can draw on; top --once prints one frame.")
    screen.type("top --once\r")
    screen.wait(lambda: "STATUS" in screen.text and "ci-deploy" in screen.text)
    screen.type("exit\r")
    assert screen.ended() == 0


@pytest.mark.usefixtures("unmeasured")
def test_one_frame_for_programs(
    server: ScriptedServer, busy: Busy, authority: Authority, token: Token, tmp_path: Path
) -> None:
    """Plain text, the map as one JSON value, or that in an answer's form; the screen needs a terminal."""
    environment = {**os.environ, "SECURE_CLIENT_HOME": str(tmp_path), "SECURE_CLIENT_TOKEN": token.reveal()}
    environment["LC_ALL"] = "C.UTF-8"

    def run(*arguments: str) -> tuple[int, str, str]:
        argv = [sys.executable, "-m", "secure_client", server.address, "--ca", str(authority.ca), *arguments]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    status, out, error = run("-c", "top --once")
    assert (status, error) == (0, "")
    assert out.splitlines()[0] == f"ana@{server.address}  1.4.0  up 3d 4h"
    assert "STATUS" in out
    assert "ci-deploy" in out
    assert "\x1b" not in out
    status, out, _error = run("-c", "top --once --json")
    assert status == 0
    assert json.loads(out)["workers"] == {"places": 16, "running": 3, "waiting": 0, "beside": 0, "stuck": 0}
    assert out.count("\n") == 1
    status, out, _error = run("--json", "-c", "top --once", "-c", "top --sometimes")
    first, second = map(json.loads, out.splitlines())
    assert first["command"] == "top --once"
    assert first["reply"]["version"] == "1.4.0"
    assert (status, second["ok"], second["code"]) == (1, False, "SETUP")
    status, out, error = run("-c", "top")
    assert (status, out) == (1, "")
    assert "top --once prints one frame." in error
    busy.stats = ErrorReply("ERR", "Unknown command.")
    status, _out, error = run("-c", "top --once")
    assert status == 1
    assert "it is of an older version" in error

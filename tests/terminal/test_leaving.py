"""How the program ends, is stopped and goes on, and what is left of the terminal then."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.description import CommandDescription
from secure_protocol.token import Token
from tests.integration.running import eventually
from tests.integration.test_workers import alive
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt, known
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_repl import ENTER, enter, known_anew, leave

CTRL_Z = "\x1a"


if sys.platform == "win32":
    ENDING = [signal.SIGTERM]
else:
    ENDING = [signal.SIGTERM, signal.SIGHUP]


RAW_PAGER = """
import os, signal, sys, termios
sys.stdin.read()
attributes = termios.tcgetattr(1)
attributes[3] &= ~(termios.ECHO | termios.ICANON)
termios.tcsetattr(1, termios.TCSANOW, attributes)
with open(sys.argv[1], "w") as numbers:
    numbers.write(f"{os.getppid()} {os.getpid()}")
print("pager: here", flush=True)
with open("/dev/tty") as keys:
    keys.read()
signal.pause()
"""


def is_sane(screen: Screen) -> bool:
    """Whether the terminal echoes and edits lines, and brackets no pasting."""
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    import termios  # noqa: PLC0415 - POSIX has it alone

    flags = termios.tcgetattr(screen.child.child_fd)[3]
    brackets = screen.raw.rfind(b"\x1b[?2004h"), screen.raw.rfind(b"\x1b[?2004l")
    return bool(flags & termios.ECHO and flags & termios.ICANON) and brackets[0] <= brackets[1]


def test_a_goodbye_is_said_once(screen: Screen) -> None:
    """By the server's answer; the end of the connection is none to be mended."""
    enter(screen, "exit")
    assert screen.ended() == 0
    assert screen.text.count("Goodbye") == 1
    assert "reconnect" not in screen.text


@pytest.fixture(params=[False, True], ids=["known", "unknown"])
def cut_off(request: pytest.FixtureRequest, open_client: Open, server: ScriptedServer, proxy: FaultProxy) -> Screen:
    """The program whose connection is gone, and not to be had; it knows the commands, or was never told."""
    untold, gate = request.param, threading.Event()
    if untold:
        answer = server.handlers["COMMANDS"]
        server.handlers["COMMANDS"] = lambda peer, arguments: gate.wait(PATIENCE) and answer(peer, arguments)
    screen = open_client()
    screen.wait("connected") if untold else known(screen)
    at_prompt(screen)
    proxy.down()
    gate.set()
    screen.wait("reconnecting in")
    return screen


def test_leaving_needs_no_connection(cut_off: Screen) -> None:
    """Nobody is there to say it to. Also where the commands were never told."""
    enter(cut_off, "exit")
    assert cut_off.ended() == 0
    assert "Not connected" not in cut_off.text


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("while_", ["typing", "asked", "running"])
def test_a_signal_leaves_the_terminal_sane(
    screen: Screen, server: ScriptedServer, while_: str, number: signal.Signals
) -> None:
    """And ends the program, as it ends any other: by that signal."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> Iterator[str]:
        yield "begun"
        assert release.wait(PATIENCE)

    server.handlers["SLOW"] = slow
    server.commands.append(CommandDescription("WIPE", danger=True))
    at_prompt(screen)
    assert not is_sane(screen)
    if while_ == "typing":
        screen.type("ECHO half")
        screen.wait("ECHO half")
    elif while_ == "asked":
        known_anew(screen, server)
        screen.type("WIPE" + ENTER)
        screen.wait("in full to go on:")
    else:
        screen.type("SLOW" + ENTER)
        screen.wait("begun")
    screen.child.kill(number)
    assert screen.ended() == -number
    release.set()
    assert is_sane(screen)
    assert "connected" not in screen.text, "what was drawn below the prompt is left"


def ended_by(screen: Screen, number: signal.Signals) -> int:
    """Send a signal, and again while it is not heeded; return the exit code.

    Python looks at signals between two steps of its own: one that comes between the last look and the reading of a
    line, as `getpass` does it, is heeded when that is interrupted by the next.
    """
    deadline = time.monotonic() + PATIENCE
    while screen.child.isalive() and time.monotonic() < deadline:
        screen.child.kill(number)
        screen.settle()
        time.sleep(0.1)
    return screen.ended()


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_signal_at_the_hidden_prompt_leaves_the_terminal_sane(
    open_client: Open, number: signal.Signals, term: str
) -> None:
    """Where a token is asked for, and the terminal shows nothing."""
    screen = open_client(SECURE_CLIENT_TOKEN="", TERM=term)
    screen.wait("Token for localhost")
    screen.wait(lambda: not screen.child.getecho())
    assert ended_by(screen, number) == -number
    assert is_sane(screen)


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_signal_at_a_question_leaves_the_terminal_sane(
    open_client: Open, server: ScriptedServer, number: signal.Signals, term: str
) -> None:
    """With `-c`, and at the prompt of a terminal that can do nothing; nothing was sent."""
    server.commands.append(CommandDescription("WIPE", confirm="Wipe all?"))
    dumb = term == "dumb"
    screen = open_client(*([] if dumb else ["-c", "WIPE"]), TERM=term)
    if dumb:
        enter(screen, "WIPE")
    screen.wait(lambda: screen.typing == "Wipe all? [y/N]")
    screen.child.kill(number)
    assert screen.ended() == -number
    assert is_sane(screen)
    assert "WIPE" not in server.names()


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_while_a_pager_is_open_leaves_the_terminal_sane(
    server: ScriptedServer, authority: Authority, token: Token, home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The pager had changed it, and does not live on: the shell has the keys again, from the first on."""
    server.handlers["LIST"] = lambda _peer, _arguments: [f"row {number}" for number in range(100)]
    program, marks = tmp_path / "pager.py", tmp_path / "numbers"
    program.write_text(RAW_PAGER, encoding="utf-8")
    variables = {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": token.reveal(), "PS1": "shell> "}
    variables["PAGER"] = shlex.join([sys.executable, str(program), str(marks)])
    command = [sys.executable, "-m", "secure_client", server.address, "--ca", str(authority.ca)]
    with Screen(["bash", "--norc", "--noprofile", "-i"], variables, columns=200) as shell:
        shell.wait(lambda: shell.typing == "shell>")
        shell.type(shlex.join(command) + ENTER)
        enter(shell, "LIST")
        shell.wait("pager: here")
        client, pager = map(int, marks.read_text(encoding="ascii").split())
        os.kill(client, number)
        shell.wait(lambda: shell.typing == "shell>")
        shell.type("stty -a | grep -Eow -e '-?(echo|icanon)'" + ENTER)
        shell.wait(lambda: {"echo", "icanon"} <= set(shell.lines))
        eventually(lambda: not alive(pager))


def test_ctrl_z_stops_it_and_it_goes_on_as_it_was(
    server: ScriptedServer, authority: Authority, token: Token, home: Path
) -> None:
    """What was typed is there again; the shell that it was started from has a sane terminal meanwhile."""
    variables = {"SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": token.reveal(), "PS1": "shell> "}
    command = [sys.executable, "-m", "secure_client", server.address, "--ca", str(authority.ca)]
    with Screen(["bash", "--norc", "--noprofile", "-i"], variables, columns=200) as shell:
        shell.wait(lambda: shell.typing == "shell>")
        shell.type(shlex.join(command) + ENTER)
        shell.wait(lambda: shell.typing == "secure>")
        shell.type("ECHO half")
        shell.wait("secure> ECHO half")
        shell.type(CTRL_Z)
        shell.wait(lambda: shell.typing == "shell>")
        shell.type("echo $((6 * 7))" + ENTER)
        shell.wait("42")
        shell.wait(lambda: shell.typing == "shell>")
        shell.type("fg" + ENTER)
        shell.wait(lambda: shell.typing == "secure> ECHO half")
        shell.type(" done" + ENTER)
        shell.wait("ECHO: half done")
        at_prompt(shell)
        shell.type("exit" + ENTER)
        shell.wait(lambda: "Goodbye." in shell.text and shell.typing == "shell>")


def test_who_waits_for_the_connection_sees_when_the_next_try_is_made(cut_off: Screen, proxy: FaultProxy) -> None:
    """In the place of the toolbar; it is gone when the answer is there. Also where the commands were never told."""
    cut_off.type("ECHO late" + ENTER)
    cut_off.wait(lambda: "reconnecting in" in cut_off.typing and f"ana@localhost:{proxy.port}" in cut_off.typing)
    proxy.up()
    cut_off.wait("ECHO: late")
    at_prompt(cut_off)
    assert not any("reconnecting" in line for line in cut_off.lines if line != cut_off.toolbar)
    leave(cut_off)

"""The real server behind a network that fails for long, or in the middle of a job, in a window of any size."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.terminal.fault_proxy import FaultProxy
from tests.terminal.resting import at_prompt, rests
from tests.terminal.screen import PATIENCE, Screen
from tests.terminal.test_jobs import Commands, argv, commands, environment, proxy, running
from tests.terminal.test_repl import CTRL_C, CTRL_D, ENTER, enter, leave
from tests.terminal.test_screens import SIZES

__all__ = ["argv", "commands", "environment", "proxy", "running"]  # fixtures of this file, too

BAR = "░"
OUTAGE = 30.0
"""Seconds: what a server takes that starts anew with its machine."""


@pytest.fixture(params=SIZES, ids=lambda size: "x".join(map(str, size)))
def screen(request: pytest.FixtureRequest, argv: list[str], environment: dict[str, str]) -> Iterator[Screen]:
    """The client at its prompt, connected, in a window of that size."""
    rows, columns = request.param
    with Screen(argv, environment, rows=rows, columns=columns) as opened:
        opened.wait(lambda: "connected" in opened.toolbar and opened.typing == "secure>")
        yield opened


def told(screen: Screen, words: str) -> int:
    """How often a sentence stands in all that was written, however it is wrapped."""
    return "".join(" ".join(screen.transcript).split()).count("".join(words.split()))


@pytest.mark.long
def test_half_a_minute_without_the_server(screen: Screen, proxy: FaultProxy) -> None:
    """One types on meanwhile: the prompt is whole at each look, and the line runs once when there is a server again."""
    enter(screen, "ECHO zero")
    screen.wait("ECHO: zero")
    at_prompt(screen)
    screen.type("ECHO one")
    rests(screen, "ECHO one")
    proxy.down()
    over = time.monotonic() + OUTAGE
    typed, countdowns = "ECHO one", set()
    while time.monotonic() < over:
        screen.settle()
        rests(screen, typed)
        countdowns.add(screen.toolbar)
        if len(typed) < 30:
            screen.type(" two")
            typed += " two"
            rests(screen, typed)
    assert len(countdowns) > 10, "the seconds until the next try are counted down"
    screen.type(ENTER)
    screen.settle()
    proxy.up()
    screen.type("\\reconnect" + ENTER)  # typed ahead, for the next try may be half a minute away
    deadline = time.monotonic() + 2 * PATIENCE
    while not told(screen, "ECHO: one two") and time.monotonic() < deadline:
        screen.settle()
    screen.wait(lambda: told(screen, "ECHO: one two") == 1)
    rests(screen)
    assert told(screen, "was lost") == told(screen, "Connected again to") == 1
    leave(screen)


def test_a_job_goes_on_after_a_broken_line(screen: Screen, commands: Commands, proxy: FaultProxy) -> None:
    """Bar and all; each part is there once, in order, and then the prompt."""
    enter(screen, "DEPLOY 4")
    screen.wait(lambda: BAR in screen.text)  # in a narrow window it is all that there is room for
    proxy.cut()
    screen.wait(lambda: told(screen, "Connected again to") == 1)
    commands.let(2)
    screen.wait(lambda: told(screen, "step 2 of it") == 1)
    screen.wait(lambda: BAR in screen.text)
    commands.let(2)
    screen.wait(lambda: "deployed" in screen.transcript)
    rests(screen)
    shown = [line for line in screen.transcript if line.startswith(("step", "deployed"))]
    assert shown == [*(f"step {number} of it" for number in range(4)), "deployed"]
    assert BAR not in screen.text
    enter(screen, "ECHO after")
    screen.wait("ECHO: after")
    rests(screen)
    leave(screen)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_all_of_it_in_portuguese(
    argv: list[str], environment: dict[str, str], proxy: FaultProxy, commands: Commands, size: tuple[int, int]
) -> None:
    """What the server says and what the client says; no English sentence is between them."""
    rows, columns = size
    with Screen(argv, {**environment, "LC_ALL": "pt_BR.UTF-8"}, rows=rows, columns=columns) as screen:
        screen.wait(lambda: "conectado" in screen.toolbar and screen.typing == "secure>")
        assert told(screen, "HELP lista os comandos do servidor, \\help os deste terminal; Ctrl-D sai.")
        enter(screen, "ECHO ação")
        screen.wait("ECHO: ação")
        enter(screen, "NADA")
        screen.wait(lambda: told(screen, "Comando não reconhecido"))
        enter(screen, "FOREVER")
        screen.wait("still here")
        screen.type(CTRL_C)
        assert commands.ended.wait(PATIENCE)
        rests(screen)
        proxy.cut()
        screen.wait(lambda: told(screen, "Conectado novamente a localhost"))
        rests(screen)
        screen.type(CTRL_D)
        assert screen.ended() == 0
        for english in ("connect", "lost", "error:", "Interrupted", "leaves", "unknown", "cancelled"):
            assert english not in " ".join(screen.transcript)

"""SERVER SLOW: the commands that took longest, without what nobody may read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest

from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.recording.recorded import OK
from secure_server.recording.recording import LATE
from secure_server.session.call import GRACE_SECONDS
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, Host

SECRET = "what nobody may read"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets; `WAIT` and `QUIETLY` let so many seconds pass."""

    def wait(_context: Context, seconds: int, *_words: str) -> str:
        running.clock.now += seconds
        return "done"

    def tell(_context: Context, _word: Annotated[str, Argument(secret=True)]) -> str:
        running.clock.now += 7
        return "done"

    with Host(tmp_path) as running:
        running.command("WAIT", wait)
        running.command("HIDE", wait, secret=True)
        running.command("TELL", tell)
        yield running


def slow(host: Host, flags: str = "") -> list[list[str]]:
    """Ask on the admin socket, and read the cells of each row."""
    lines = host.ask(host.local(), f"SERVER SLOW {flags}").splitlines()[1:-1]
    return [line.split(None, 5) for line in lines]


def test_the_slowest_comes_first(host: Host) -> None:
    """With who asked, from where, and what they were given."""
    ada = host.user()
    for seconds in ("2", "5", "3"):
        host.ask(ada, f"WAIT {seconds} a b")
    rows = slow(host)
    assert [row[1:] for row in rows] == [
        ["5000.0", "ada", "127.0.0.1:40000", "WAIT", "5 a b"],
        ["3000.0", "ada", "127.0.0.1:40000", "WAIT", "3 a b"],
        ["2000.0", "ada", "127.0.0.1:40000", "WAIT", "2 a b"],
    ]
    assert [row[1] for row in slow(host, "--limit 1")] == ["5000.0"]


def test_secrets_are_not_in_it(host: Host) -> None:
    """Neither those of a command that is secret, nor a secret argument, nor a token in a wrong place."""
    ada, token = host.user(), host.token("bob").reveal()
    host.ask(ada, f"HIDE 5 {SECRET}")
    host.ask(ada, f"TELL {SECRET.replace(' ', '-')}")
    host.ask(ada, f"WAIT 3 {token}")
    rows = slow(host)
    assert [row[5] for row in rows[:2]] == ["(secret)", "(secret)"]
    assert SECRET.split(maxsplit=1)[0] not in str(rows)
    assert token not in str(rows)


def test_long_arguments_are_cut_and_many_are_counted(host: Host) -> None:
    """A table is no place for a file."""
    host.ask(host.user(), f"WAIT 5 {'x' * 3000} {'y ' * 50}")
    ((*_, told),) = slow(host)
    assert len(told) < 400
    assert told.endswith("(+20)")


def test_a_reset_begins_anew(host: Host) -> None:
    """What is shown is forgotten, and that it was is recorded and on disk, as all that an administrator changes."""
    host.ask(host.user(), "WAIT 5")
    assert len(slow(host, "--reset")) == 1
    assert host.ask(host.local(), "SERVER SLOW") == "No command has taken long.\n.\n"
    command = host.registry.named("SERVER SLOW")
    assert command is not None
    assert command.durable


def test_a_limit_is_one_of_what_is_kept(host: Host) -> None:
    """The error says which."""
    assert "100" in host.ask(host.local(), "SERVER SLOW --limit 101")


def test_what_the_gate_no_longer_looks_at_is_in_it(host: Host) -> None:
    """An operator's own inline command may be slow, too."""

    def nap(_context: Context, *_words: bytes) -> bytes:
        host.clock.now += 4
        return b"x"

    host.command("NAP", nap, inline=True, audit=False)
    ada = host.program(2)
    for _ in range(2):
        host.call(ada, "NAP", "well")
    assert b"NAP" in ada.cleared
    assert [row[4:] for row in slow(host)] == [["NAP", "well"], ["NAP", "well"]]


def test_a_command_left_behind_is_in_it_once(host: Host) -> None:
    """For as long as its peer waited; that its handler went on is told of its worker."""
    began, go_on = threading.Event(), threading.Event()

    def hang(_context: Context) -> str:
        began.set()
        go_on.wait(PATIENCE)
        return "late"

    host.command("HANG", hang, timeout=1.0)
    ada = host.user()
    ada.receive(b"HANG\n", host.clock())
    assert began.wait(PATIENCE)
    host.wait(1.0)
    host.wait(GRACE_SECONDS)
    assert not ada.busy
    host.clock.now += 50
    go_on.set()
    eventually(lambda: (ada.number, "HANG", f"{LATE} {OK}") in host.commands)
    ((_, ms, _, _, command, *_),) = slow(host)
    assert (float(ms) <= 1000 * (1.0 + GRACE_SECONDS), command) == (True, "HANG")
    shown = {item.command: item for item in host.statistics.shown().commands}["HANG"]
    assert (shown.calls, shown.failed) == (1, 1)

"""The admin shell on a real server, as an operator sees it."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.integration.program import arguments
from tests.terminal.screen import Screen

WIDE = 200
"""Columns at which the table of clients fits."""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose history is this test's own."""
    return {"SECURE_CLIENT_HOME": str(tmp_path / "home")}


def admin(data: Path) -> list[str]:
    """The command line of the admin shell."""
    return [sys.executable, "-m", "secure_server", "admin", "--data-dir", str(data)]


def test_the_shell_lists_and_kicks(server: ServerFactory, home: dict[str, str]) -> None:
    """`clients` shows who is there, `kick` ends one with a reason, `tokens` names no secret, `exit` leaves."""
    running = server()
    with running.text() as peer, Screen(admin(running.data), home, columns=WIDE) as screen:
        screen.wait("admin>")
        screen.type("clients\r")
        screen.wait(lambda: any("TLS_AES" in line and " user " in line for line in screen.lines))
        row = next(line.split() for line in screen.lines if "TLS_AES" in line)
        assert row[4:6] == ["tls", "TLSv1.3"]
        screen.type(f"kick {row[0]} lunch break\r")
        screen.wait("Kicked client")
        assert peer.line() == "ERROR: CLOSED reason=kicked lunch break"
        screen.type("clients\r")
        screen.wait(lambda: screen.text.count("local:") >= 3)
        screen.type("tokens\r")
        screen.wait("last_used")
        assert running.token().split("_")[2] not in screen.text
        screen.type("exit\r")
        screen.wait("Goodbye.")
        assert screen.ended() == 0


@pytest.mark.usefixtures("unmeasured")
def test_a_filter_without_a_match_says_so(server: ServerFactory, home: dict[str, str]) -> None:
    """How many there are, and what they do not match; a program reads an empty list."""
    running = server()
    shell = [*admin(running.data), "-c", "CLIENTS USER nobody NAME x"]
    environment = {**os.environ, **home}
    with running.text(), running.text():
        shown = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
        listed = subprocess.run(
            [*shell, "--json"], env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    assert shown == "None of the 3 clients match USER nobody NAME x.\n"
    assert json.loads(listed)["reply"] == []


def test_run_with_a_shell_ends_with_it(certificates: Path, tmp_path: Path, home: dict[str, str]) -> None:
    """`run --shell` is server and shell in one terminal; leaving the shell drains the server."""
    with Screen([*arguments(certificates, tmp_path / "data"), "--shell"], home, columns=WIDE) as screen:
        screen.wait("listening on 127.0.0.1:")
        screen.wait("admin>")
        screen.type("clients\r")
        screen.wait(lambda: any(line.split()[1:3] == [f"local:{getpass.getuser()}", "admin"] for line in screen.lines))
        screen.wait(lambda: screen.typing == "admin>")
        screen.type("\x04")
        screen.wait("stopping …")
        assert screen.ended() == 0


def test_without_a_server_one_sentence_says_how_to_start_one(tmp_path: Path, home: dict[str, str]) -> None:
    """Exit code 3, and the command that mends it."""
    with Screen(admin(tmp_path), home, columns=WIDE) as screen:
        screen.wait("secure-server run")
        assert screen.ended() == 3


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
@pytest.mark.parametrize("locale", ["C", "pt_BR"])
@pytest.mark.usefixtures("unmeasured")
def test_numbers_are_completed_with_whose_they_are(
    server: ServerFactory, home: dict[str, str], rows: int, columns: int, locale: str
) -> None:
    """`kick` and Tab show who that is, and from where."""
    running = server()
    with (
        running.text() as peer,
        Screen(admin(running.data), {**home, "LC_ALL": locale}, rows=rows, columns=columns) as screen,
    ):
        screen.wait(lambda: screen.typing == "admin>")
        number = min(session.number for session in running.server.sessions)
        screen.type("kick ")
        screen.wait(lambda: "KICK id" in screen.toolbar)
        screen.type("\t")
        where = "{}:{}".format(*peer.socket.getsockname()[:2])
        screen.wait(lambda: any(line.split()[:3] == [str(number), "user", where] for line in screen.lines))


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
@pytest.mark.parametrize(
    ("locale", "nothing"), [("C", "No address has earned a penalty."), ("pt_BR", "Nenhum endereço recebeu penalidade.")]
)
@pytest.mark.usefixtures("unmeasured")
def test_short_words_on_the_screen(
    server: ServerFactory, home: dict[str, str], rows: int, columns: int, locale: str, nothing: str
) -> None:
    """They run, they are hinted at and explained by `help`; a command of the operator's is hidden by none."""
    running = server(commands={"BACKUP": {"run": ["echo", "the operator's own"]}})
    environment = {**home, "LC_ALL": locale}
    with Screen(admin(running.data), environment, rows=rows, columns=columns) as screen:
        screen.wait(lambda: screen.typing == "admin>")
        screen.type("penalties\r")
        screen.wait(nothing)
        screen.type("token ")
        screen.wait(lambda: "TOKEN SHOW name-or-id" in screen.toolbar)
        screen.type("\x15backup\r")
        screen.wait("the operator's own")
        screen.type("help penalties\r")
        screen.wait(lambda: "PENALTY LIST" in screen.lines)

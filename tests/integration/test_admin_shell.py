"""The admin shell on a real server, as an operator sees it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.builtin.clients.listing import CLIENT_COLUMNS
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.program import arguments
from tests.integration.running import eventually
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
        screen.wait(lambda: "whom" in screen.toolbar)
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


@pytest.mark.parametrize(
    ("rows", "columns", "shown"),
    [
        (24, 80, ["id", "user", "role", "address", "idle", "commands", "in", "out", "last"]),
        (50, 200, list(CLIENT_COLUMNS)),
    ],
)
def test_clients_are_a_row_each(
    server: ServerFactory, home: dict[str, str], rows: int, columns: int, shown: list[str]
) -> None:
    """In a narrow terminal without the columns that are missed least, which are named; in a wide one with all."""
    running = server()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(running.text())
        screen = stack.enter_context(Screen(admin(running.data), home, rows=rows, columns=columns))
        screen.wait("admin>")
        screen.type("clients\r")
        screen.wait(lambda: "CLIENTS" in screen.text and screen.typing == "admin>")
        (head,) = [number for number, line in enumerate(screen.lines) if line.split() == shown]
        table = screen.lines[head + 2 : head + 7]
        assert [line.split()[1] for line in table] == ["user"] * 4 + [f"local:{getpass.getuser()}"]
        assert all(len(line) <= columns for line in table)
        gone = ", ".join(name for name in CLIENT_COLUMNS if name not in shown)
        assert (f"No room for {gone}; --columns chooses others." in screen.text) is bool(gone)
        screen.type("clients role=user --columns id,cipher,connected,state,age --sort -id --limit 2\r")
        screen.wait(lambda: "authenticated" in screen.text and screen.typing == "admin>")
        chosen = [line.split() for line in screen.lines if "authenticated" in line]
        assert [row[0] for row in chosen] == sorted((row[0] for row in chosen), key=int, reverse=True)
        assert len(chosen) == 2
        screen.type("clients --closed\r")
        screen.wait("None of the 0 clients match --closed.")
        screen.type("exit\r")
        assert screen.ended() == 0


def test_those_that_left_are_shown_with_their_reason(server: ServerFactory, home: dict[str, str]) -> None:
    """Whoever was kicked, and who left by itself, the last one first."""
    running = server()
    with running.text(), running.text() as other, Screen(admin(running.data), home, columns=80) as screen:
        screen.wait("admin>")
        other.ask("EXIT")
        screen.type("kick 1 lunch\r")
        screen.wait("Kicked client 1")
        eventually(lambda: len(running.server.sessions.closed()) == 2)
        screen.type("clients --closed role=user\r")
        screen.wait(lambda: "goodbye" in screen.text and "kicked" in screen.text)
        lines = [line.split() for line in screen.lines if line.endswith((" goodbye", " kicked"))]
        assert [(line[0], line[-1]) for line in lines] == [("1", "kicked"), ("2", "goodbye")]
        screen.type("exit\r")
        assert screen.ended() == 0


def test_the_admin_program_writes_csv_and_raw(server: ServerFactory, home: dict[str, str]) -> None:
    """As the client does; one form at a time."""
    running = server()
    shell, environment = [*admin(running.data), "-c", "CLIENTS --columns user,role,cipher"], {**os.environ, **home}

    def output(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shell, *options], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    who = f"local:{getpass.getuser()}"
    assert output("--csv").stdout == f"user,role,cipher\n{who},admin,\n"
    assert output("--raw").stdout == f"{who}\tadmin\t\n"
    refused = output("--csv", "--json")
    assert refused.returncode == 2
    assert "Give one of --json, --csv and --raw." in refused.stderr


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_tables_of_the_programs_part_no_word(
    server: ServerFactory, home: dict[str, str], certificates: Path, rows: int, columns: int
) -> None:
    """Tokens, records and certificates: ids, names, addresses, moments and fingerprints are whole on a line."""
    running = server()
    with running.text() as peer:
        address = "{}:{}".format(*peer.socket.getsockname())
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        made = [Tokens(storage).create(f"worker-{number}") for number in range(9)]
    pem = x509.load_pem_x509_certificate((certificates / "server.pem").read_bytes())
    day, data = f"{datetime.now(UTC).astimezone():%Y-%m-}", ["--data-dir", str(running.data)]
    looked: list[tuple[list[str], list[str]]] = [
        (["token", "list", *data], [*(token.id for token in made), "worker-8", day]),
        (["audit", "show", "--who", "user", *data], [address, "authentication", day]),
        (["certs", "show", "--dir", str(certificates)], ["server.pem", pem.fingerprint(SHA256()).hex()]),
    ]
    for words, whole in looked:
        with Screen([sys.executable, "-m", "secure_server", *words], home, rows=rows, columns=columns) as screen:
            assert screen.ended() == 0
            shown = screen.transcript
            for word in whole:
                assert any(word in line for line in shown), (words, word, shown)
            assert all(len(line) <= columns for line in shown)

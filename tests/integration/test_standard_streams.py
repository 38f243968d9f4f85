"""Every program and command with standard streams that take nothing: full, closed, or with nobody at the other end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from tests.conftest import ServerFactory
from tests.integration.forked import Case, run
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT, arguments

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full"),
]

SENTENCE = "Standard output takes nothing more ("
TAKEN_BACK = "Nobody was shown the token, so it is revoked again."


def programs(certs: Path, data: Path, port: int, token: Path, name: str) -> list[list[str]]:
    """Each command that prints something, with arguments by which it succeeds."""
    own, at = ["--data-dir", str(data)], ["--dir", str(certs)]
    client = ["secure-client", f"localhost:{port}", "--ca", str(certs / "ca.pem"), "--token-file", str(token)]
    lists = [["token", "list"], ["token", "show", "user"], ["audit", "show"]]
    return [
        *(["secure-server", *words, *own] for words in lists),
        *(["secure-server", *words, *own, "--json"] for words in lists),
        ["secure-server", "token", "revoke", name, *own],
        ["secure-server", "token", "purge", "--older", "1d", *own],
        ["secure-server", "audit", "verify", *own],
        ["secure-server", "certs", "ensure", *at],
        ["secure-server", "certs", "show", *at],
        ["secure-server", "certs", "show", "--json", *at],
        ["secure-server", "certs", "revoke", name, *at, *own],
        ["secure-server", "certs", "revoked", *own],
        ["secure-server", "certs", "revoked", "--json", *own],
        ["secure-server", "certs", "restore", name, *own],
        ["secure-server", "certs", "rollover", "--dir", f"{certs}-{name}"],
        ["secure-server", "admin", *own, "-c", "CLIENTS", "-c", "PING"],
        ["secure-server", "admin", *own, "-c", "CLIENTS", "--json"],
        [*client, "-c", "PING", "-c", "COMMANDS"],
        [*client, "-c", "PING", "--json"],
        ["secure-client", "profile", "list"],
        ["scripts/generate_certs.py", *at],
    ]


def explanations() -> list[list[str]]:
    """The same without anything done."""
    asked = ["secure-server", "secure-client", *(f"scripts/{one}.py" for one in ("quickstart", "test"))]
    groups = [["token"], ["audit"], ["certs"], ["token", "create"], ["run"], ["admin"]]
    helps = [["secure-server", *words, "--help"] for words in groups] + [[one, "--help"] for one in asked]
    versions = [["secure-server", "--version"], ["secure-client", "--version"]]
    return [*helps, *versions, ["secure-client", "profile", "--help"], ["secure-client", "enroll", "--help"]]


HOWS = [(1, "full"), (1, "closed"), (1, "pipe"), (2, "full")]


@pytest.mark.parametrize("hows", [HOWS[:1], pytest.param(HOWS, marks=pytest.mark.long)], ids=["full", "each"])
def test_every_program_says_so_in_one_sentence(
    certificates: Path, tmp_path: Path, server: ServerFactory, hows: list[tuple[int, str]]
) -> None:
    """And ends with 3, not with a traceback; a reader that had enough is no fault, and stderr decides nothing."""
    running = server()
    token, home, certs = tmp_path / "token", tmp_path / "home", Path(shutil.copytree(certificates, tmp_path / "certs"))
    token.write_text(running.token(Role.USER), encoding="ascii")
    cases = [Case(["secure-client", "profile", "add", "web", "localhost:1"], 2, "full")]
    cases += [Case(argv, 1, "full") for argv in explanations()[:: 1 if hows == HOWS else 4]]
    cases += [Case(["secure-client", "--version"], descriptor, how) for descriptor, how in HOWS]
    for descriptor, how in hows:
        name = f"{how}{descriptor}"
        shutil.copytree(certificates, f"{certs}-{name}")
        cases += [Case(["secure-server", "token", "create", name, "--data-dir", str(running.data)], 2, "full")]
        table = programs(certs, running.data, running.server.port, token, name)
        cases += [Case(argv, descriptor, how) for argv in table]
    for case, ended in zip(cases, run(cases, home), strict=True):
        told = (case.descriptor, case.how) in HOWS[:2]
        assert (ended.status, ended.said.count(SENTENCE)) == ((3, 1) if told else (0, 0)), (case, ended)
        assert "Traceback" not in ended.said, (case, ended)


def test_a_token_that_nobody_was_shown_is_revoked(certificates: Path, tmp_path: Path) -> None:
    """Whatever it is for; a replaced one is good as long as before, also where it was to end."""
    data = ["--data-dir", str(tmp_path / "data")]
    create, rotate = (["secure-server", "token", one] for one in ("create", "rotate"))
    enroll = ["--enroll", "--certs-dir", str(certificates)]
    made = [Case([*create, "old", "--expires", "30d", *data], 2, "full")]
    lost = [
        [*create, "new", *data],
        [*create, "new", "--quiet", "--once", *data],
        [*create, "new", *enroll, *data],
        [*create, "new", *enroll, "--once", "--quiet", *data],
        [*rotate, "old", *data],
        [*rotate, "old", "--quiet", "--grace", "1h", *data],
    ]
    cases = [*made, *(Case(argv, 1, how) for how in ("full", "closed", "pipe") for argv in lost)]
    for case, ended in zip(cases[1:], run(cases, tmp_path)[1:], strict=True):
        last = ended.said.splitlines()[-1]
        assert (ended.status, ended.said.count(SENTENCE), last.endswith(TAKEN_BACK)) == (3, 1, True), (case, ended)
    with SQLiteTokenStorage(tmp_path / "data" / "tokens.db") as storage:
        old, *others = storage.load_all()
    assert old.state(old.created + 29 * 86400) is TokenState.ACTIVE
    assert len(others) == 3 * len(lost)
    assert all(record.revoked is not None for record in others)


def test_a_shown_token_stays_good_whatever_becomes_of_stderr(tmp_path: Path) -> None:
    """The notes beside it are lost, the token is not."""
    argv = ["secure-server", "token", "create", "bia", "--data-dir", str(tmp_path / "data")]
    (ended,) = run([Case(argv, 2, "closed")], tmp_path)
    with SQLiteTokenStorage(tmp_path / "data" / "tokens.db") as storage:
        (record,) = storage.load_all()
    assert (ended.status, Token.parse(ended.said).id, record.revoked) == (0, record.id, None)


@pytest.mark.parametrize(("unbuffered", "where"), [("", ">/dev/full"), ("1", ">/dev/full"), ("", ">&-")])
def test_a_new_interpreter_does_so_too(unbuffered: str, where: str) -> None:
    """From its first line to its last, whose flush is the interpreter's own; with and without a buffer."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m secure_client --version {where}', sys.executable], cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered}, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count(SENTENCE), done.stderr.count("\n")) == (3, 1, 1), done.stderr


def test_a_server_whose_first_line_is_lost_ends(certificates: Path, tmp_path: Path) -> None:
    """Whoever started it waits for that line; one that is started with it closed waits for nothing, and it serves."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            arguments(certificates, tmp_path / "data"), cwd=ROOT, stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count(SENTENCE), "Traceback" in done.stderr) == (3, 1, False), done.stderr
    assert not (tmp_path / "data" / "admin.sock").exists()

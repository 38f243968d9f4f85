"""`secure-server token`, as people and scripts use it."""

from __future__ import annotations

import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite import storage
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.storage import Use
from secure_server.auth.token_record import TokenRecord
from secure_server.cli.token import token as group

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


def run(data: Path, *arguments: str) -> Result:
    """Run `token ARGUMENTS --data-dir DATA` in this process."""
    return CliRunner().invoke(group, [*arguments, "--data-dir", str(data)])


def records(data: Path) -> list[TokenRecord]:
    """What is in the database."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return storage.load_all()


def test_create_prints_the_token_alone_on_stdout(data: Path) -> None:
    """So that a script can take it, while a person is told that it is shown once."""
    result = run(data, "create", "bia", "--role", "operator", "--expires", "30d", "--allow", "echo,TIME")
    assert result.exit_code == 0
    made = Token.parse(result.stdout)
    assert result.stdout == made.reveal() + "\n"
    assert "Shown once" in result.stderr
    assert made.secret not in result.stderr
    (record,) = records(data)
    assert (record.id, record.name, record.role) == (made.id, "bia", Role.OPERATOR)
    assert record.allow == frozenset({"ECHO", "TIME"})
    assert record.expires == record.created + 30 * 86_400


@pytest.mark.parametrize("when", [1e18, -1e18, math.inf])
def test_a_moment_that_is_no_date_keeps_nobody_from_the_tokens(data: Path, when: float) -> None:
    """Somebody else's program wrote it, or a disk that fails: it is listed, and what to do against it works."""
    run(data, "create", "bia", "--expires", "30d")
    run(data, "create", "eve")
    with closing(sqlite3.connect(data / "tokens.db")) as db, db:
        db.execute("UPDATE tokens SET created = :when, last_used = :when, lifetime = :when", {"when": when})
        db.execute("UPDATE tokens SET expires = ? WHERE name = 'bia'", (when,))
    for arguments in (["list"], ["list", "--json"], ["show", "bia"], ["rotate", "eve"], ["revoke", "bia"], ["purge"]):
        result = run(data, *arguments)
        assert (result.exit_code, result.exception) == (0, None), result.output
    assert {record.name for record in records(data)} == {"eve"}


@pytest.mark.parametrize("command", ["create", "rotate"])
def test_quiet_prints_nothing_else(data: Path, command: str) -> None:
    """For scripts that show stderr to people."""
    if command == "rotate":
        run(data, "create", "bia")
    result = run(data, command, "bia", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == Token.parse(result.stdout).reveal() + "\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["create"], "Missing argument"),
        (["create", "a b"], "a name is 1 to 64"),
        (["create", "scs_x"], "looks like a token"),
        (["create", "bia", "--role", "root"], "'user', 'operator', 'admin'"),
        (["create", "bia", "--role", "nobody"], "'user', 'operator', 'admin'"),
        (["create", "bia", "--expires", "soon"], "30s, 15m, 12h, 30d or 4w"),
        (["create", "bia", "--allow", ""], "an allow-list is"),
        (["create", "bia", "--networks", "10.0.0.1/8"], "10.0.0.1/8 is no network; write it as in 10.0.0.0/8"),
        (["create", "bia", "--rate", "fast"], "a rate is"),
        (["create", "bia", "--max-sessions", "0"], "a token has 1 to"),
        (["create", "bia", "--max-sessions", "x"], "not a valid integer"),
        (["rotate", "bia", "--grace", "soon"], "30s, 15m, 12h, 30d or 4w"),
        (["purge", "--older", "soon"], "30s, 15m, 12h, 30d or 4w"),
        (["explode"], "No such command"),
    ],
)
def test_what_is_asked_wrongly_exits_2(data: Path, arguments: list[str], sentence: str) -> None:
    """With a sentence on stderr, nothing on stdout, and no token made."""
    result = run(data, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert not (data / "tokens.db").exists() or records(data) == []


def test_what_cannot_be_done_exits_1(data: Path) -> None:
    """A name that is taken, one that is not there, a database that is none; each sentence says what to do."""
    run(data, "create", "bia")
    for arguments, sentence in (
        (["create", "bia"], "secure-server token rotate bia"),
        (["revoke", "ana"], "secure-server token list"),
        (["rotate", "ana"], "secure-server token create ana"),
        (["show", "ana"], "secure-server token list"),
    ):
        result = run(data, *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert sentence in result.stderr
    (data / "tokens.db").write_text("no database at all\n" * 100)
    result = run(data, "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not a token database" in result.stderr


def test_only_create_makes_a_database(data: Path) -> None:
    """A mistyped --data-dir is told, not filled with an empty database."""
    listed = run(data, "list")
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert "There are no tokens" in listed.stderr
    assert "secure-server token create NAME" in listed.stderr
    assert json.loads(run(data, "list", "--json").stdout) == []
    for command in (["revoke", "bia"], ["rotate", "bia"], ["show", "bia"], ["purge"]):
        result = run(data, *command)
        assert result.exit_code == 1
        assert "check --data-dir" in result.stderr
    assert not data.exists()


@pytest.mark.parametrize("words", [["list"], ["create", "bia"]])
def test_a_database_that_was_cut_to_nothing_is_told(data: Path, words: list[str]) -> None:
    """It is not taken for one without tokens; moved away, there is a new one."""
    assert run(data, "create", "ada").exit_code == 0
    (data / "tokens.db").write_bytes(b"")
    done = run(data, *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is damaged; restore it from a backup or move it away" in done.stderr
    (data / "tokens.db").rename(data / "old.db")
    assert run(data, "create", "bia").exit_code == 0
    assert [made.name for made in records(data)] == ["bia"]


def test_list_shows_a_table_without_secrets(data: Path) -> None:
    """Every row whole on one line, however long its name; states and times as promised."""
    name = "x" * 64
    made = [Token.parse(run(data, "create", *arguments).stdout) for arguments in ([name], ["bia", "--expires", "4w"])]
    run(data, "revoke", made[1].id)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        storage.touch([Use(made[0].id, 1_800_000_000.75, "192.0.2.1:5")])
    out = run(data, "list").stdout
    assert out.split()[:9] == ["id", "name", "role", "created", "expires", "last", "used", "sessions", "state"]
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    used = r"2027-01-1\d \d\d:\d\d:\d\d 192\.0\.2\.1:5"
    assert re.search(rf"^ *{made[0].id} +{name} +user +{date} +never +{used} +- +active *$", out, re.MULTILINE)
    assert re.search(rf"^ *{made[1].id} +bia +user +{date} +{date} +never +- +revoked *$", out, re.MULTILINE)
    assert "\x1b" not in out
    assert not any(token.secret in out for token in made)


def test_what_somebody_wrote_into_the_database_is_not_for_the_terminal_to_obey(data: Path) -> None:
    """Whoever may write there is not who looks at it, root maybe."""
    made = Token.parse(run(data, "create", "ada").stdout)
    with closing(sqlite3.connect(data / "tokens.db")) as db, db:
        db.execute("UPDATE tokens SET name = 'a' || char(27) || '[2J', last_address = char(155, 8238), last_used = 1")
    listed, shown = run(data, "list"), run(data, "show", made.id)
    assert listed.exit_code == 0, listed.output
    assert r"a\x1b[2J" in listed.stdout
    assert (listed.output + shown.output).replace("\n", "").isprintable()


def test_what_no_terminal_shows_is_whole_and_without_colours(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow somebody says it is: an id that was cut could not be revoked."""
    monkeypatch.setenv("COLUMNS", "60")
    made = Token.parse(run(data, "create", "a-rather-long-name-for-a-narrow-terminal").stdout)
    heading, rule, row = run(data, "list").stdout.splitlines()
    assert row.split()[:2] == [made.id, "a-rather-long-name-for-a-narrow-terminal"]
    assert len(rule) >= len(heading)
    assert "\x1b" not in f"{heading}{rule}{row}"


def test_list_json_is_for_programs(data: Path) -> None:
    """Times with their offset, null for never, no digest."""
    made = Token.parse(run(data, "create", "bia", "--expires", "12h", "--allow", "TIME,ECHO").stdout)
    (item,) = json.loads(run(data, "list", "--json").stdout)
    created, expires = (datetime.fromisoformat(item.pop(key)) for key in ("created", "expires"))
    assert created.tzinfo is not None
    assert expires - created == timedelta(hours=12)
    assert item == {
        "id": made.id,
        "name": "bia",
        "role": "user",
        "state": "active",
        "revoked": None,
        "spent": None,
        "last_used": None,
        "last_address": None,
        "sessions": None,
        "use": "lasting",
        "allow": ["ECHO", "TIME"],
        "networks": None,
        "max_sessions": None,
        "rate": None,
        "replaces": None,
        "replaced_by": None,
        "still_used": None,
    }


def test_rotate_then_revoke_the_old_one(data: Path) -> None:
    """Rotate names the command that ends the old token; revoking by name then says all that it ended."""
    old = Token.parse(run(data, "create", "bia").stdout)
    rotated = run(data, "rotate", "bia")
    assert f"secure-server token revoke {old.id}" in rotated.stderr
    assert run(data, "revoke", old.id).stdout == f"revoked {old.id} bia\n"
    third = run(data, "rotate", "bia")
    assert old.id not in third.stderr
    ids = {Token.parse(result.stdout).id for result in (rotated, third)}
    assert set(run(data, "revoke", "bia").stdout.splitlines()) == {f"revoked {token_id} bia" for token_id in ids}


def test_a_grace_ends_the_old_one_by_itself(data: Path) -> None:
    """The sentence says until when; the list tells what is still used, where it is known: not of sessions, offline."""
    old = Token.parse(run(data, "create", "bia").stdout)
    assert "still used" not in run(data, "list").stdout
    rotated = run(data, "rotate", "bia", "--grace", "24h")
    new = Token.parse(rotated.stdout)
    before, after = records(data)
    assert (before.id, before.expires, after.expires) == (old.id, after.created + 86_400, None)
    assert f"{old.id} works too, until 20" in rotated.stderr
    listed = run(data, "list").stdout
    assert listed.split()[9:11] == ["used", "state"]
    assert re.search(rf"^ *{old.id} .* - +- +active *$", listed, re.MULTILINE)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        storage.touch([Use(old.id, after.created + 1, "192.0.2.1:5")])
    assert re.search(rf"^ *{old.id} .*192\.0\.2\.1:5 +- +yes +active *$", run(data, "list").stdout, re.MULTILINE)
    assert [item["replaced_by"] for item in json.loads(run(data, "show", "bia", "--json").stdout)] == [new.id, None]


def test_show_tells_everything_but_the_secret(data: Path) -> None:
    """A line for each thing; of a name, each of its tokens, with an empty line between them."""
    made = Token.parse(
        run(
            data, "create", "bia", "--allow", "TIME,ECHO", "--networks", "10.0.0.0/8,::1",
            "--max-sessions", "2", "--rate", "100/m:5", "--quiet",
        ).stdout
    )  # fmt: skip
    shown = run(data, "show", "bia").stdout
    for line in (
        f"id: {made.id}", "name: bia", "state: active", "expires: -", "sessions: -", "allow: ECHO,TIME",
        "networks: 10.0.0.0/8,::1/128", "max_sessions: 2", "rate: 100/m:5", "still_used: -",
    ):  # fmt: skip
        assert line in shown.splitlines()
    assert made.secret not in shown
    run(data, "rotate", "bia")
    assert run(data, "show", "bia").stdout.count("\n\nid: ") == 1
    assert run(data, "show", made.id).stdout.count("id: ") == 1


def test_purge_says_how_many(data: Path) -> None:
    """A second run finds nothing more, and that is fine."""
    for name in ("ana", "bia", "eve"):
        run(data, "create", name)
    run(data, "revoke", "ana")
    run(data, "revoke", "bia")
    assert run(data, "purge", "--older", "1d").stdout == "Removed: 0.\n"
    assert run(data, "purge").stdout == "Removed: 2.\n"
    assert run(data, "purge").stdout == "Removed: 0.\n"
    assert [record.name for record in records(data)] == ["eve"]


def test_a_real_process(data: Path) -> None:
    """Exit code and streams as a shell sees them, in another process than the one that reads the result."""
    program = "from secure_server.cli.token import token; token()"
    arguments = ["create", "bia", "--role", "admin", "--data-dir", str(data)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    (record,) = records(data)
    assert Token.parse(done.stdout).id == record.id
    assert record.role is Role.ADMIN
    assert "Shown once" in done.stderr


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_reading_waits_for_no_writer(data: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the database locked, `list` and `show` tell what was there before."""
    monkeypatch.setattr(storage, "BUSY_TIMEOUT", 0.0)
    run(data, "create", "bia")
    with closing(sqlite3.connect(data / "tokens.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        other.execute("UPDATE tokens SET name = 'ana'")
        for command in (["list"], ["show", "bia"]):
            done = run(data, *command)
            assert (done.exit_code, "bia" in done.stdout) == (0, True), done.output


@pytest.mark.parametrize("command", [["create", "ana"], ["rotate", "bia"], ["revoke", "bia"], ["purge"]])
def test_a_writer_that_stays_is_one_sentence(data: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wait, and nothing was changed."""
    run(data, "create", "bia")
    monkeypatch.setattr(storage, "BUSY_TIMEOUT", 0.05)
    with closing(sqlite3.connect(data / "tokens.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = run(data, *command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "is busy with another program's write; try again in a moment" in done.stderr
    assert [record.name for record in records(data)] == ["bia"]


def test_a_writer_that_ends_is_waited_for(data: Path) -> None:
    """Nobody is told of it."""
    run(data, "create", "bia")
    with closing(sqlite3.connect(data / "tokens.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ends = threading.Timer(0.1, other.rollback)
        ends.start()
        done = run(data, "create", "ana", "--quiet")
        ends.join()
    assert (done.exit_code, done.stderr) == (0, "")

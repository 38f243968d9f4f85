"""`secure-server audit`: what people and programs see."""

from __future__ import annotations

import json
import time
from collections import deque
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_server.audit.chain import Link
from secure_server.audit.record import Entry, Withheld
from secure_server.audit.tail import trail_files
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.cli import audit as program
from secure_server.cli import main
from tests.secure_server.audit.conftest import NOVEMBER, Books


def run(books: Books, *arguments: str) -> Result:
    """Run it on that trail."""
    return CliRunner().invoke(main, ["audit", *arguments, "--data-dir", str(books.directory)])


@pytest.fixture
def kept(books: Books) -> Books:
    """A trail of an hour each: ada kills, ada kicks, bia kills."""
    for hour, (who, command) in enumerate((("ada", "CLIENT KILL"), ("ada", "KICK"), ("bia", "CLIENT KILL"))):
        entry = Entry(NOVEMBER + hour * 3600, "command", "ok", who, "127.0.0.1:5", 1, command, [b"7", b"a b", b""])
        books.journal.append(deque([entry]))
    books.journal.sync()
    return books


def shown(books: Books, *arguments: str) -> list[tuple[str, str]]:
    """Who and what of the records that are shown."""
    result = run(books, "show", "--json", *arguments)
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    return [(record["who"], record["command"]) for record in records]


def test_json_is_the_lines_as_they_are(kept: Books) -> None:
    """So that a program sees all that there is, and can hash them."""
    assert run(kept, "show", "--json").stdout_bytes.splitlines() == kept.lines()


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--who", "ada"), [0, 1]),
        (("--command", "client kill"), [0, 2]),
        (("--command", "CLIENT"), [0, 2]),
        (("--command", "KICK", "--who", "ada"), [1]),
        (("--command", "CLI"), []),
        (("user=ada", "command=client"), [0]),
        (("not", "user=ada"), [2]),
        (("number>1", "--who", "ada"), [1]),
        (("--since", "2026-11-18T12:06:40+00:00"), [1, 2]),
        (("--until", "2026-11-18T12:06:40+00:00"), [0]),
        (("--since", "2026-11-18"), [0, 1, 2]),
        (("--until", "2026-11-18"), []),
        (("--since", "36500d"), [0, 1, 2]),
    ],
)
def test_records_are_chosen(kept: Books, options: tuple[str, ...], numbers: list[int]) -> None:
    """All conditions together; ends in time are half open."""
    everything = [("ada", "CLIENT KILL"), ("ada", "KICK"), ("bia", "CLIENT KILL")]
    assert shown(kept, *options) == [everything[number] for number in numbers]


def test_so_long_ago_counts_from_now(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """`2h` is two hours before this moment."""
    for hour in range(4):
        books.clock.now = NOVEMBER + hour * 3600
        books.write(f"H{hour}")
    monkeypatch.setattr(time, "time", lambda: NOVEMBER + 4 * 3600)
    assert [what for _, what in shown(books, "--since", "2h")] == ["H2", "H3"]
    assert [what for _, what in shown(books, "--since", "3h", "--until", "90m")] == ["H1", "H2"]


def test_people_get_a_table(kept: Books) -> None:
    """One row a record, arguments as they were given."""
    result = run(kept, "show")
    rows = [line.split() for line in result.stdout.splitlines() if "127.0.0.1" in line]
    assert [row[2] for row in rows] == ["ada", "ada", "bia"]
    assert 'CLIENT KILL 7 a b ""' in result.stdout


def test_a_table_says_what_is_withheld(books: Books) -> None:
    """A secret, and data that are not in the trail."""
    entry = Entry(NOVEMBER, "command", "ok", "ada", "127.0.0.1:5", 1, "PUT", [b"x", Withheld(7, "ab12"), Withheld()])
    books.journal.append(deque([entry]))
    books.journal.sync()
    assert "PUT x <7 bytes, SHA-256 ab12> ***" in " ".join(run(books, "show").stdout.split())
    assert run(books, "verify").exit_code == 0


def test_nothing_found_says_so_on_stderr(kept: Books) -> None:
    """And stdout stays empty, for programs."""
    for options in ((), ("--json",)):
        result = run(kept, "show", "--who", "eve", *options)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.startswith("Nothing of that is in the audit trail of ")


def test_a_long_table_shows_the_latest(kept: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how many there are."""
    monkeypatch.setattr(program, "TABLE_ROWS", 2)
    result = run(kept, "show")
    assert "Only the latest 2 of 3 are shown" in result.stderr
    assert result.stdout.count("127.0.0.1") == 2


def test_lines_that_are_no_records_are_counted(kept: Books) -> None:
    """What can be read is shown."""
    kept.edit(*kept.lines(), b"nonsense")
    result = run(kept, "show", "--json")
    assert len(result.stdout.splitlines()) == 3
    assert "1 lines are no records" in result.stderr


def test_what_somebody_wrote_into_the_file_is_not_for_the_terminal_to_obey(kept: Books) -> None:
    """Whoever may write there is not who looks at it, maybe root. Nor does a time that is none hide other records."""
    (path,) = trail_files(kept.directory)
    wicked = {"seq": 4, "event": "e", "outcome": "ok", "who": "\x1b[2J\u202eeve", "detail": {"\x9b1m": "\x07"}}
    with path.open("a", encoding="utf-8") as file:
        for moment in ("never", "0001-01-01T00:00:00+14:00"):
            file.write(json.dumps(wicked | {"time": moment, "previous": "x"}, ensure_ascii=False) + "\n")
    for options in ((), ("--json",)):
        result = run(kept, "show", *options)
        assert result.exit_code == 0, result.exception
        assert len(result.stdout.splitlines()) >= 5
        assert result.stdout.replace("\n", "").isprintable()
    assert json.loads(result.stdout.splitlines()[-1])["who"] == wicked["who"]


def test_verify_says_intact_and_what_to_note_down(kept: Books) -> None:
    """The place of the last record, which `--expect` takes."""
    result = run(kept, "verify")
    end = Link.of(3, kept.lines()[-1])
    assert result.exit_code == 0
    assert result.stdout == f"Intact. Records: 3; files: 1; the last record is {end}\n"
    assert "--expect" in result.stderr
    assert run(kept, "verify", "--expect", str(end), "--expect", f"1:{Link.of(1, kept.lines()[0]).hash}").exit_code == 0


def test_verify_says_how_many_records_are_lost(kept: Books) -> None:
    """That the disk was full is nobody's doing, and no break; but whoever relies on the trail should know."""
    for outcome, detail in (("resumed", {"lost": 2}), ("lost", {"count": 3})):
        kept.journal.append(deque([Entry(NOVEMBER, "trail", outcome, detail=detail)]))
    result = run(kept, "verify")
    assert result.exit_code == 0
    assert "Records that could not be written and are lost: 5; see: secure-server audit show\n" in result.stderr


def test_verify_names_what_is_wrong(kept: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each on stdout, and exit code 1."""
    kept.edit(kept.lines()[0], b"nonsense", b"more")
    result = run(kept, "verify")
    assert result.exit_code == 1
    assert "audit-2026-11.jsonl:2 is no record: it was damaged or put there.\n" in result.stdout
    assert "Records 2 to 3 are missing at the end.\n" in result.stdout
    assert "is not intact: problems found: 3." in result.stderr
    monkeypatch.setattr(program, "PROBLEMS", 1)
    assert run(kept, "verify").stdout.splitlines()[1:] == ["… and 2 more."]


def test_verify_of_nothing(books: Books) -> None:
    """There may be no trail yet; but a directory that is not there is a mistake."""
    result = run(books, "verify")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "There is no audit trail in " in result.stderr
    for what in ("verify", "show"):
        gone = CliRunner().invoke(main, ["audit", what, "--data-dir", str(books.directory / "gone")])
        assert gone.exit_code == 1
        assert "There is no directory " in gone.stderr


def test_a_trail_that_cannot_be_read(kept: Books) -> None:
    """A sentence with the file and why."""
    kept.file.unlink()
    (kept.directory / "audit-2026-11.jsonl").mkdir()
    for what in ("verify", "show"):
        result = run(kept, what)
        assert result.exit_code == 1
        assert "audit-2026-11.jsonl cannot be read: Is a directory." in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("show", "--since", "yesterday"), ("show", "--until", "25h30"), ("verify", "--expect", "12"), ("show", "extra")],
)
def test_bad_input_is_a_usage_error(books: Books, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and a hint how to write it."""
    result = run(books, *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_a_token_change_that_cannot_be_recorded_is_told(tmp_path: Path) -> None:
    """The change stands, for its token is shown once; and the person who made it knows."""
    SQLiteTokenStorage(tmp_path / "tokens.db").close()
    (tmp_path / "audit.lock").mkdir()
    result = CliRunner().invoke(main, ["token", "create", "ada", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout.startswith("scs_")
    assert f"The change was made, but the audit trail in {tmp_path} could not be written: Is a dir" in result.stderr
    assert trail_files(tmp_path) == []


def test_a_program_beside_the_server_tells_of_a_break(tmp_path: Path) -> None:
    """Whoever changes a token while the trail was replaced reads of it; the change is recorded."""
    create = ["token", "create", "--data-dir", str(tmp_path)]
    assert CliRunner().invoke(main, [*create, "ada"]).exit_code == 0
    trail_files(tmp_path)[0].unlink()
    result = CliRunner().invoke(main, [*create, "bia"])
    assert result.exit_code == 0
    assert "The audit trail was broken: its end was cut off or removed. It goes on in audit-" in result.stderr
    assert len(trail_files(tmp_path)) == 1

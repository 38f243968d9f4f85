"""AUDIT: how the trail is, for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.audit.chain import START
from secure_server.audit.journal import LOCK
from secure_server.audit.record import Entry
from secure_server.audit.tail import trail_files
from secure_server.audit.trail import AuditTrail
from secure_server.config.settings import Audit
from tests.secure_server.host import Host


@pytest.fixture
def trail(host: Host, tmp_path: Path) -> Iterator[AuditTrail]:
    """The host's."""
    made = AuditTrail(tmp_path, Audit())
    object.__setattr__(host.services, "audit", made)
    yield made
    made.stop()


def answers(host: Host) -> dict[str, str]:
    """What AUDIT says to a person."""
    *lines, end = host.ask(host.local(), "AUDIT").splitlines()
    assert end == "."
    return dict(line.split(": ", 1) for line in lines)


def test_it_tells_where_the_trail_ends(host: Host, trail: AuditTrail) -> None:
    """What `audit verify --expect` takes."""
    assert answers(host)["end"] == str(START)
    trail.record("server", "started")
    trail.write()
    told = answers(host)
    assert told["end"].startswith("1:")
    assert (told["state"], told["since"], told["waiting"], told["lost"]) == ("written", "-", "0", "0")


def test_it_tells_of_breaks(host: Host, trail: AuditTrail, tmp_path: Path) -> None:
    """Of whatever run, by the file that tells more."""
    trail.record("server", "started")
    trail.write()
    assert answers(host)["broken"] == "-"
    (file,) = trail_files(tmp_path)
    file.unlink()
    trail.record("server", "stopped")
    trail.write()
    assert answers(host)["broken"] == file.name.replace(".jsonl", ".2.jsonl")


def test_it_tells_that_the_trail_cannot_be_written(host: Host, trail: AuditTrail, tmp_path: Path) -> None:
    """Since when, why, and what waits."""
    (tmp_path / LOCK).mkdir()
    trail.record("server", "started")
    trail.write()
    told = answers(host)
    assert (told["state"], told["why"], told["waiting"]) == ("failing", "Is a directory", "1")
    assert told["since"].endswith("+00:00")
    (tmp_path / LOCK).rmdir()


def test_it_tells_that_there_is_none(host: Host) -> None:
    """Where the configuration has it off."""
    assert host.ask(host.local(), "AUDIT") == "ERROR: The audit trail is off: audit.trail in the configuration.\n"


def test_it_is_for_administrators(host: Host) -> None:
    """Others are refused."""
    assert "NOPERM" in host.ask(host.user(), "AUDIT")


def shown(host: Host, filters: str = "") -> list[list[str]]:
    """The rows of SERVER AUDIT, without the time."""
    lines = host.ask(host.local(), f"SERVER AUDIT {filters}").splitlines()
    return [[word for number, word in enumerate(line.split()) if number != 1] for line in lines[1:-1]]


@pytest.fixture
def recorded(trail: AuditTrail) -> AuditTrail:
    """Five records."""
    trail.record("server", "started")
    for who, address, outcome in (("ana", "192.0.2.7:40000", "accepted"), ("", "198.51.100.9:40001", "refused")):
        trail.record("authentication", outcome, who=who, address=address, detail={"mechanism": "bearer"})
    for command, arguments in (("CLIENT KILL", [b"ID", b"7"]), ("TOKEN CREATE", None)):
        trail.put(Entry(trail.now(), "command", "ok", "ana", "192.0.2.7:40000", 3, command, arguments))
    trail.write()
    return trail


@pytest.mark.usefixtures("recorded")
def test_records_are_shown_oldest_first(host: Host) -> None:
    """All about each, what a secret was not."""
    assert shown(host) == [
        ["1", "-", "-", "server", "-", "started", "-"],
        ["2", "ana", "192.0.2.7:40000", "authentication", "-", "accepted", "mechanism=bearer"],
        ["3", "-", "198.51.100.9:40001", "authentication", "-", "refused", "mechanism=bearer"],
        ["4", "ana", "192.0.2.7:40000", "command", "CLIENT", "KILL", "ID", "7", "ok", "-"],
        ["5", "ana", "192.0.2.7:40000", "command", "TOKEN", "CREATE", "…", "ok", "-"],
    ]


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ("user=ana", "2 4 5"),
        ("event=authentication outcome=refused", "3"),
        ("address=192.0.2.0/24 event!=command", "2"),
        ("network=198.51.100.9", "3"),
        ("command=client", "4"),
        ('command="client kill"', "4"),
        ("command~token", "5"),
        ("session=3", "4 5"),
        ("age<1h number>3", "4 5"),
        ("since=1h until=2001-01-01", ""),
        ("until=1h", ""),
        ("detail~bearer not outcome=refused", "2"),
        ("--limit 2", "4 5"),
        ("--limit 2 --before 4", "2 3"),
    ],
)
def test_filters_choose_records(host: Host, filters: str, numbers: str) -> None:
    """By the grammar of all filters; the latest, so many of them, before a number."""
    assert " ".join(row[0] for row in shown(host, filters)) == numbers


@pytest.mark.usefixtures("recorded")
def test_what_is_not_understood_is_told(host: Host) -> None:
    """With the fields there are; and that there is no such record."""
    me = host.local()
    assert "fields are number, event, outcome, user, " in host.ask(me, "SERVER AUDIT colour=blue")
    assert "Filter since takes a moment: since=2h" in host.ask(me, "SERVER AUDIT since=soon")
    assert host.ask(me, "SERVER AUDIT user=eve") == "There is no such record in the audit trail.\n.\n"
    assert host.ask(host.user(), "SERVER AUDIT").startswith("ERROR: NOPERM ")


@pytest.mark.usefixtures("recorded")
def test_filters_of_records_are_completed(host: Host) -> None:
    """Fields, and values that are known."""
    assert host.ask(host.local(), "COMPLETE SERVER AUDIT eve") == "event=\n.\n"
    assert "event=authentication" in host.ask(host.local(), "COMPLETE SERVER AUDIT event=a")
    assert host.ask(host.local(), "COMPLETE SERVER AUDIT user=lo") == "user=local:root\n.\n"


def test_a_line_that_is_no_record_hides_no_other(host: Host, recorded: AuditTrail, tmp_path: Path) -> None:
    """Half a line, while another is written, or nonsense."""
    (file,) = trail_files(tmp_path)
    with file.open("ab") as end:
        end.write(b'nonsense\n{"seq":6')
    assert [row[0] for row in shown(host, "--limit 2")] == ["4", "5"]
    assert recorded.directory == tmp_path

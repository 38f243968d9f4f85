"""AUDIT: how the trail is, for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.audit.chain import START
from secure_server.audit.journal import LOCK
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

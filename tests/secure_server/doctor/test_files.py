"""What is found in files: each fault, and nothing where all is well."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from secure_server.audit.offline import OfflineTrail
from secure_server.config.file import load
from secure_server.doctor import files
from secure_server.doctor.files import FILES, INODES, Place
from secure_server.doctor.finding import Finding, Severity, examine, in_order, named
from secure_server.files.owner import as_itself
from secure_server.identity.identity import IdentityFiles
from secure_server.pki.preflight import check_pair


@pytest.fixture
def place(certificates: Path, tmp_path: Path) -> Place:
    """A server's files, with nothing wrong about them."""
    certs, data = tmp_path / "certs", tmp_path / "data"
    shutil.copytree(certificates, certs)
    data.mkdir(mode=0o700)
    return at(certs, data)


def at(certs: Path, data: Path, **overrides: object) -> Place:
    """A place in these directories."""
    tables = {"certs_dir": str(certs), "data_dir": str(data), "jobs": {"disk": "1MB", "output": "1MB"}, **overrides}
    return Place(load(None, tables), datetime.now(UTC), as_itself)


def told(place: Place) -> list[tuple[str, str, str]]:
    """What is found, in short."""
    return [(str(item.severity), item.about, str(item.sentence)) for item in examine(FILES, place)]


def later(place: Place, **by: float) -> Place:
    """The same at another time."""
    return Place(place.config, place.now + timedelta(**by), as_itself)


def test_nothing_is_found_where_all_is_well(place: Place) -> None:
    """Nor where the server was never started."""
    assert told(place) == []
    place.data.rmdir()
    assert told(place) == []


def test_a_certificate_that_ends_or_has_ended_is_found(place: Place) -> None:
    """Before it is too late, and with what mends it; and one whose time has not come."""
    facts = check_pair(IdentityFiles.of(place.config).certificate, IdentityFiles.of(place.config).key, now=place.now)
    day = timedelta(days=1)
    for now, severity in (
        (facts.not_after - 5 * day, "warning"),
        (facts.not_after + day, "error"),
        (facts.not_before - day, "error"),
    ):
        found = [item for item in told(Place(place.config, now, as_itself)) if "server.pem" in item[2]]
        assert [item[:2] for item in found] == [(severity, "certificate")], now


def test_a_certificate_that_is_missing_is_found(place: Place) -> None:
    """In the words of the start."""
    (Path(place.config.certs_dir) / "server.pem").unlink()
    ((severity, about, sentence),) = told(place)
    assert (severity, about) == ("error", "certificate")
    assert "is missing; run `secure-server certs ensure" in sentence


def test_a_ca_that_ends_is_found(place: Place) -> None:
    """Long before, for every client has to have the next one."""
    pem = (Path(place.config.certs_dir) / "ca.pem").read_bytes()
    end = max(root.not_valid_after_utc for root in x509.load_pem_x509_certificates(pem))
    for days, severity in ((-30, "warning"), (1, "error")):
        now = end + timedelta(days=days)
        found = [item for item in told(Place(place.config, now, as_itself)) if "The CA in" in item[2]]
        assert [item[:2] for item in found] == [(severity, "certificate")]


def test_a_ca_that_cannot_be_read_is_found(place: Place) -> None:
    """It is what clients are given."""
    (Path(place.config.certs_dir) / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nnone\n", encoding="ascii")
    assert ("error", "certificate") in [item[:2] for item in told(place)]


def test_an_address_that_the_certificate_is_not_for_is_found(place: Place) -> None:
    """Of those listened at, but for all of them at once."""
    certs, data = Path(place.config.certs_dir), place.data
    there = at(certs, data, listen={"addresses": ["192.0.2.7:5000", "0.0.0.0:5001"]})
    sentence = "The certificate is not for 192.0.2.7, where the server listens."
    assert told(there) == [("warning", "certificate", sentence)]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
def test_files_that_others_may_read_or_change_are_found(place: Place) -> None:
    """Keys, the database, the socket, the directory itself."""
    key = Path(place.config.certs_dir) / "server-key.pem"
    key.chmod(0o644)
    assert told(place) == [("warning", "permissions", f"Others may read the private key {key}.")]
    key.chmod(0o600)
    database = place.data / "tokens.db"
    database.touch(0o600)
    (place.data / "notes").touch(0o644)
    assert told(place) == []
    database.chmod(0o640)
    assert told(place) == [("warning", "permissions", f"Others may read or use {database}.")]
    place.data.chmod(0o777)
    assert ("error", "permissions") in [item[:2] for item in told(place)]


def test_a_disk_that_fills_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """First that the server's own bounds are beyond what is free, then that hardly anything is."""
    for free, severity in ((files.FULL + 1, "warning"), (files.FULL - 1, "error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: SimpleNamespace(free=free))
        there = at(Path(place.config.certs_dir), place.data, jobs={"disk": "1GB"})
        assert [item[:2] for item in told(there)] == [(severity, "disk")]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no inodes")
def test_a_disk_on_which_no_more_files_can_be_made_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for systems that have as many as they like, and say none."""
    for most, severities in ((1, ["error"]), (0, [])):
        there = SimpleNamespace(
            f_files=most, f_favail=INODES - 1, f_bavail=1 << 30, f_blocks=1, f_bfree=1, f_frsize=512
        )
        monkeypatch.setattr(os, "statvfs", lambda _path, there=there: there)
        assert [item[0] for item in told(place)] == severities


def test_a_clock_that_is_behind_the_trail_is_found(place: Place) -> None:
    """By more than clocks are corrected."""
    OfflineTrail(place.data).record("token", "created", [{"token": "x"}])
    assert told(place) == []
    (behind,) = [item for item in told(later(place, hours=-1)) if item[1] == "clock"]
    assert behind[0] == "error"
    assert "the last record of the audit trail is of" in behind[2]


def test_a_trail_that_was_broken_is_found(place: Place) -> None:
    """By its files alone, in no time."""
    OfflineTrail(place.data).record("token", "created", [{"token": "x"}])
    (file,) = place.data.glob("audit-*.jsonl")
    shutil.copy(file, file.with_suffix(".7.jsonl"))
    assert [item[:2] for item in told(place)] == [("warning", "trail")]


def test_a_limit_on_open_files_below_what_is_asked_for_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hard one, for the server raises the soft one by itself."""
    monkeypatch.setattr(files, "_most_open", lambda: 1024)
    ((severity, about, sentence),) = told(place)
    assert (severity, about) == ("warning", "descriptors")
    assert sentence.startswith("1024 files may be open, and the limits ask for ")
    monkeypatch.setattr(files, "_most_open", lambda: None)
    assert told(place) == []


def test_what_cannot_be_looked_at_is_a_finding_and_the_others_are_made() -> None:
    """One check that fails hides nothing."""

    def fails(_subject: object) -> list[Finding]:
        raise PermissionError(13, "Permission denied", "/x")

    note = Finding(Severity.NOTE, "a", "b", "c")
    first, second = examine([fails, lambda _subject: [note]], None)
    assert (first.severity, str(first.sentence)) == ("error", "/x cannot be read (Permission denied).")
    assert second is note
    assert in_order([note, first]) == [first, note]


def test_many_names_are_a_few_and_a_number() -> None:
    """One line is enough for whatever there is."""
    assert named(["a", "b"]) == "a, b"
    assert named([str(number) for number in range(8)]) == "0, 1, 2, 3, 4, … (+3)"

"""Which directories a server renews, and when: its own CA's, and no other."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.identity.renewal import CertificateRenewal
from secure_server.pki import profile
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.store import CertificateDirectory


@pytest.fixture
def due(tmp_path: Path) -> Path:
    """A directory whose server's certificate expired yesterday."""
    path = tmp_path / "certs"
    ensure(Request(path))  # with a CA of today
    files = CertificateDirectory(path)
    ca, key = files.read_certificate("ca.pem").value, files.read_key("ca-key.pem").value
    server = files.read_certificate("server.pem").value
    assert ca is not None
    assert key is not None
    assert server is not None
    old = profile.issue_leaf(
        server.public_key(),  # type: ignore[arg-type] # ours are P-256
        "secure-server server",
        profile.hosts_of(server),
        profile.Purpose.SERVER,
        ca=ca,
        ca_key=key,
        now=datetime.now(UTC) - profile.LEAF_LIFETIME - timedelta(days=1),
    )
    files.write_certificate("server.pem", old)
    return path


def content(path: Path) -> dict[str, bytes]:
    """Return the files and what they hold."""
    return {file.name: file.read_bytes() for file in path.glob("*.pem")}


def test_what_came_due_while_no_server_ran_is_renewed_at_the_start(due: Path) -> None:
    """Though it has expired: the CA and its key are here, so nobody needs to be asked."""
    before = content(due)
    renewal = CertificateRenewal.at_start(load(None, {"certs_dir": str(due)}))
    assert renewal is not None
    assert renewal.failure is None
    after = content(due)
    assert {name for name in after if after[name] != before[name]} == {"server.pem"}
    assert renewal.due is not None
    assert renewal.due > datetime.now(UTC) + timedelta(days=200)


@pytest.mark.parametrize("table", [{"renew": "off"}, {"certificate": "server.pem"}, {"key": "server-key.pem"}])
def test_what_is_named_or_not_wanted_is_left_alone(due: Path, table: dict[str, str]) -> None:
    """Somebody else manages it."""
    tls = {key: value if key == "renew" else str(due / value) for key, value in table.items()}
    before = content(due)
    assert CertificateRenewal.at_start(load(None, {"certs_dir": str(due), "tls": tls})) is None
    assert content(due) == before


def test_another_cas_certificate_is_left_alone(due: Path, tmp_path: Path) -> None:
    """Also in the default directory, beside a CA of ours or without one: `certs ensure` would replace it."""
    other = tmp_path / "other"
    ensure(Request(other))
    shutil.copy(other / "ca.pem", due / "ca.pem")
    before = content(due)
    renewal = CertificateRenewal(due)
    assert renewal.due is None
    assert not renewal.renew_if_due()
    (due / "ca.pem").unlink()
    renewal.look()
    assert renewal.due is None
    assert content(due) | {"ca.pem": b""} == before | {"ca.pem": b""}


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """The server says that the certificate is missing, and how to make one."""
    renewal = CertificateRenewal(tmp_path / "nothing")
    assert renewal.due is None
    assert not renewal.renew_if_due()
    assert not (tmp_path / "nothing").exists()


def test_a_file_that_cannot_be_read_is_told_and_nothing_is_due(due: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever serves it says more."""
    (due / "server.pem").unlink()
    (due / "server.pem").mkdir()
    renewal = CertificateRenewal(due)
    assert renewal.due is None
    assert "cannot be read: Is a directory" in caplog.text


def test_what_a_person_should_know_of_a_renewal_is_logged(due: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each renewed file with its reason; and that the clients need the new copy of a CA, where one was renewed."""
    assert CertificateRenewal(due).renew_if_due()
    assert "server.pem renewed because it expired on" in caplog.text
    assert "ca-key.pem" not in caplog.text

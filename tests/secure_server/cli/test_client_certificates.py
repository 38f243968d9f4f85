"""`secure-server certs revoke`, `restore` and `revoked`, as people and scripts use them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.cli import client_certificates
from secure_server.cli.certs import certs as group
from secure_server.pki.ensure import Request, ensure


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory in which a server has run."""
    SQLiteTokenStorage(tmp_path / "data" / "tokens.db").close()
    return tmp_path / "data"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the end of the second, where nothing is made afterwards."""
    monkeypatch.setattr(client_certificates, "_await_newer", lambda _since: None)


def run(data: Path, *arguments: str) -> Result:
    """Run `certs ARGUMENTS --data-dir DATA` in this process."""
    return CliRunner().invoke(group, [*arguments, "--data-dir", str(data)])


def barred(data: Path) -> dict[str, float]:
    """What is in the database."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return storage.load_barred()


def test_revoke_then_another_certificate(data: Path, tmp_path: Path) -> None:
    """The old files are set aside, and what `ensure` makes next is newer than the revocation, without a pause."""
    directory = tmp_path / "certs"
    ensure(Request(directory, clients=("ana",)))
    done = run(data, "revoke", "ana", "--dir", str(directory))
    assert (done.exit_code, done.stdout[:22]) == (0, "revoked ana, made unti")
    assert "Its files are in " in done.stderr
    assert f"secure-server certs ensure --dir {directory} --client ana" in done.stderr
    assert not (directory / "client-ana.pem").exists()
    ensure(Request(directory, clients=("ana",)))
    made = x509.load_pem_x509_certificate((directory / "client-ana.pem").read_bytes())
    assert made.not_valid_before_utc.timestamp() > barred(data)["ana"]


@pytest.mark.usefixtures("hasty")
def test_revoking_what_was_made_elsewhere(data: Path, tmp_path: Path) -> None:
    """It counts, and says that nobody checked the name."""
    done = run(data, "revoke", "Ana Lima", "--dir", str(tmp_path / "none"))
    assert done.exit_code == 0
    assert list(barred(data)) == ["Ana Lima"]
    assert "There is no client-Ana Lima.pem in " in done.stderr


def test_a_moment_that_is_no_date_is_listed(data: Path) -> None:
    """Somebody else's program wrote it; what it bars stays barred."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        storage.bar("ana", 1e18)
    listed = run(data, "revoked")
    assert (listed.exit_code, listed.stdout[:5]) == (0, "ana  ")
    assert run(data, "revoked", "--json").exit_code == 0


@pytest.mark.usefixtures("hasty")
def test_list_and_restore(data: Path, tmp_path: Path) -> None:
    """An empty list says so on stderr; JSON is a list in any case."""
    empty = run(data, "revoked")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "No client certificates are revoked." in empty.stderr
    assert json.loads(run(data, "revoked", "--json").stdout) == []
    run(data, "revoke", "ana", "--dir", str(tmp_path / "none"))
    assert run(data, "revoked").stdout.startswith("ana  20")
    (entry,) = json.loads(run(data, "revoked", "--json").stdout)
    assert entry["name"] == "ana"
    assert datetime.fromisoformat(entry["made_until"]).tzinfo is not None
    assert run(data, "restore", "ana").stdout == "restored ana\n"
    assert barred(data) == {}
    again = run(data, "restore", "ana")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "no certificates of ana are revoked" in again.stderr


@pytest.mark.parametrize("command", [("revoke", "ana"), ("restore", "ana"), ("revoked",)])
def test_the_wrong_data_directory_is_told(tmp_path: Path, command: tuple[str, ...]) -> None:
    """A database made there would revoke nothing, and nobody would notice."""
    done = run(tmp_path / "wrong", *command)
    assert done.exit_code == 1
    assert "no server has run there; check --data-dir" in done.stderr
    assert not (tmp_path / "wrong").exists()


def test_a_name_that_is_none_is_usage(data: Path) -> None:
    """Exit code 2."""
    done = run(data, "revoke", "a" * 65)
    assert done.exit_code == 2
    assert "common name is 1 to 64 characters" in done.stderr

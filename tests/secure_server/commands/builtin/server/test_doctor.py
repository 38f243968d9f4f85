"""SERVER DOCTOR, as an administrator sees it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from secure_server.auth.principal import Role
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.doctor.checks import COUNT
from secure_server.doctor.running import IDLE_SECONDS
from tests.secure_server.host import Host

TRAIL = "The audit trail is off, so nobody can tell who did what."


@pytest.fixture
def host(certificates: Path, tmp_path: Path) -> Host:
    """A host whose files are well."""
    certs, data = tmp_path / "certs", tmp_path / "data"
    shutil.copytree(certificates, certs)
    data.mkdir(mode=0o700)
    config = load(None, {"certs_dir": str(certs), "data_dir": str(data), "jobs": {"disk": "1MB", "output": "1MB"}})
    return Host(data, config)


def findings(host: Host) -> list[str]:
    """The lines of the table."""
    return host.ask(host.local(), "SERVER DOCTOR").splitlines()[1:-1]


def test_what_is_wrong_is_a_table_the_worst_first(host: Host) -> None:
    """Files, databases, and what only the server knows."""
    with host:
        host.token()
        idle = host.user("ana").number
        assert [line.split()[0] for line in findings(host)] == ["note"]
        assert TRAIL in findings(host)[0]
        host.ask(host.local(), "CONFIG SET limits.max_clients 9")
        host.file = ConfigError("The configuration a.toml: this is wrong.")
        host.clock.now += IDLE_SECONDS
        (Path(host.config.certs_dir) / "server-key.pem").chmod(0o644)
        found = findings(host)
        assert [line.split()[0] for line in found] == ["error", "warning", *["note"] * (len(found) - 2)]
        assert "The configuration's file cannot be used: The configuration a.toml: this is wrong." in found[0]
        assert any(f"Clients sent nothing for a day: {idle}" in line for line in found)
        assert any("Set until the restart: limits.max_clients." in line for line in found)


def test_nothing_wrong_says_how_much_was_looked_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence in place of an empty table."""
    monkeypatch.setattr("secure_server.doctor.running.RUNNING", ())
    monkeypatch.setattr("secure_server.commands.builtin.server.doctor.RUNNING", ())
    with host:
        host.token()
        assert host.ask(host.local(), "SERVER DOCTOR").splitlines()[0] == f"Nothing is wrong: {COUNT} checks."


def test_only_administrators_may(host: Host) -> None:
    """It names files and people."""
    with host:
        assert "needs the role admin" in host.ask(host.user(role=Role.OPERATOR), "SERVER DOCTOR")

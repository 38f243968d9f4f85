"""SERVER BACKUP, as an administrator sees it."""

from __future__ import annotations

import shutil
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_server.auth.principal import Role
from secure_server.cli.restore import restore
from secure_server.commands.builtin.server.backup import KEPT
from secure_server.config.file import load
from tests.secure_server.host import Host


@pytest.fixture
def host(certificates: Path, tmp_path: Path) -> Host:
    """A host with a token, certificates and a configuration."""
    certs, data, file = tmp_path / "certs", tmp_path / "data", tmp_path / "a.toml"
    shutil.copytree(certificates, certs)
    data.mkdir(mode=0o700)
    file.write_text('[timeouts]\nidle = "5m"\n', encoding="utf-8")
    made = Host(data, load(None, {"certs_dir": str(certs), "data_dir": str(data)}))
    made.services = replace(made.services, configuration_file=file)
    made.dispatcher._services = made.services
    made.token("ada")
    return made


def test_a_backup_is_whole_and_can_be_restored(host: Host, tmp_path: Path) -> None:
    """Closed to others, with what `secure-server restore` needs."""
    with host:
        answer = host.ask(host.local(), "SERVER BACKUP monday")
    target = tmp_path / "data" / "backups" / "monday"
    assert answer.startswith(f"The backup in {target} is whole (")
    assert "Tokens: 1; audit records: 0; jobs: 0; " in answer
    assert (target / "config.toml").read_text(encoding="utf-8") == '[timeouts]\nidle = "5m"\n'
    if sys.platform != "win32":
        assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(target.parent.stat().st_mode) == 0o700
    places = ["--data-dir", str(tmp_path / "new"), "--certs-dir", str(tmp_path / "new-certs")]
    done = CliRunner().invoke(restore, [str(target), *places])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new" / "tokens.db").exists()


def test_one_without_a_name_is_called_by_the_time(host: Host, tmp_path: Path) -> None:
    """And no two are the same."""
    with host:
        assert "is whole" in host.ask(host.local(), "SERVER BACKUP")
        (made,) = (tmp_path / "data" / "backups").iterdir()
        assert made.name.startswith("20")
        assert host.ask(host.local(), f"SERVER BACKUP {made.name}") == (
            f"ERROR: There is a backup {made.name} already; choose another name.\n"
        )


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", "-x", "a\\b", "x" * 65])
def test_a_name_leads_nowhere_else(host: Host, tmp_path: Path, name: str) -> None:
    """Nothing is made then."""
    with host:
        assert host.call(host.local(), "SERVER", "BACKUP", "--", name).startswith(b"-ERR ")
    assert not (tmp_path / "data" / "backups").exists()


def test_so_many_are_kept_and_none_is_removed(host: Host, tmp_path: Path) -> None:
    """Whoever has that many is told where they are."""
    for number in range(KEPT):
        (tmp_path / "data" / "backups" / str(number)).mkdir(parents=True)
    with host:
        answer = host.ask(host.local(), "SERVER BACKUP more")
    assert answer.startswith(f"ERROR: There are {KEPT} backups in {tmp_path / 'data' / 'backups'} already; ")


def test_what_cannot_be_copied_is_told_and_nothing_is_left(host: Host, tmp_path: Path) -> None:
    """A backup that is not whole is none."""
    (tmp_path / "a.toml").unlink()
    with host:
        answer = host.ask(host.local(), "SERVER BACKUP monday")
        assert answer == "ERROR: No backup was made: No such file or directory; see the server's log.\n"
        assert list((tmp_path / "data" / "backups").iterdir()) == []
        assert "needs the role admin" in host.ask(host.user("bob", Role.OPERATOR), "SERVER BACKUP")

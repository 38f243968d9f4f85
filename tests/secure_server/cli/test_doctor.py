"""`secure-server doctor`, with the server down and up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_server.cli import main
from secure_server.doctor.checks import COUNT, OF_FILES
from tests.conftest import ServerFactory


def doctor(certs: Path, data: Path, *options: str) -> Result:
    """Run it."""
    config = data.with_name("a.toml")
    config.write_text('[jobs]\ndisk = "1MB"\noutput = "1MB"\n', encoding="utf-8")
    given = ["--data-dir", str(data), "--dir", str(certs), "--config", str(config), *options]
    return CliRunner().invoke(main, ["doctor", *given], env={"LC_ALL": "C"})


def test_files_are_looked_at_with_the_server_down(certificates: Path, tmp_path: Path) -> None:
    """A note is no error, an error is exit code 1."""
    certs, data = tmp_path / "certs", tmp_path / "data"
    shutil.copytree(certificates, certs)
    data.mkdir(mode=0o700)
    ended = doctor(certs, data)
    first, second = ended.stdout.splitlines()
    assert (ended.exit_code, first) == (0, "note: tokens: There are no tokens, so nobody can log in.")
    assert second == "    Make one with secure-server token create NAME."
    assert "only its files were looked at" in ended.stderr
    CliRunner().invoke(main, ["token", "create", "ana", "--data-dir", str(data)])
    assert doctor(certs, data).stdout == f"Nothing is wrong: {len(OF_FILES)} checks.\n"
    (certs / "server.pem").unlink()
    ended = doctor(certs, data, "--json")
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["server"], told["checks"]) == (1, "down", len(OF_FILES))
    assert [row["severity"] for row in told["findings"]] == ["error"]


def test_a_running_server_is_asked(server: ServerFactory) -> None:
    """It looks at itself besides."""
    running = server(jobs={"disk": "1MB", "output": "1MB"}, limits={"max_clients": 100})
    certs = running.ca.parent
    with running.text():
        running.server.draining.begin(30, 1)
        ended = doctor(certs, running.data, "--json")
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["server"], told["checks"]) == (0, "up", COUNT)
    assert "The server is draining, and takes in nobody but administrators." in [
        row["finding"] for row in told["findings"]
    ]


@pytest.mark.parametrize("text", ["[limits]\nmax_clients = 0\n", "nonsense"])
def test_a_configuration_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    """As by every other program: exit code 2."""
    config = tmp_path / "a.toml"
    config.write_text(text, encoding="utf-8")
    ended = CliRunner().invoke(main, ["doctor", "--data-dir", str(tmp_path), "--config", str(config)])
    assert ended.exit_code == 2
    assert str(config) in ended.stderr

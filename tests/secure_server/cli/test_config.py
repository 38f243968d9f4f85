"""`secure-server config`: whether a server can run by a file, what it says, and what runs otherwise."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_server.cli import main
from secure_server.config.file import load
from tests.conftest import ServerFactory
from tests.integration.running import Running

GOOD = '[limits]\nmax_clients = 7\n[commands.DISK]\nrun = ["df"]\nenvironment.KEY = "hunter2"\n'


def run(*words: str, **environment: str) -> Result:
    """Run the program in this process."""
    return CliRunner().invoke(main, ["config", *words], env=environment, prog_name="secure-server")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that can be used."""
    path = tmp_path / "a.toml"
    path.write_text(GOOD)
    return path


def test_a_file_that_can_be_used_is_confirmed(file: Path) -> None:
    """In one sentence, however it is named; so is that none is."""
    for done in (run("check", "--config", str(file)), run("check", SECURE_SERVER_CONFIG=str(file))):
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == f"The configuration {file} can be used.\n"
    done = run("check")
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("No configuration is named")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[limits]\nmax_clients = 0", "limits.max_clients: expected a whole number from 1 to 10000000, found 0."),
        ("[limits", "is not valid TOML"),
        ('[commands.DISK]\nrun = ["df", "{a}"]', "commands.DISK.run: {a} is not declared; add arguments.a."),
        ('[commands.PING]\nrun = ["df"]', "the command PING is defined twice"),
        ('[commands]\nmodules = ["no_such_module"]', "The module no_such_module cannot be found"),
        (
            '[tls]\nclient_certificates = "optional"\n[certificates."a b"]\nrole = "user"',
            "[certificates.a b]: ",
        ),
    ],
)
def test_what_is_wrong_is_told(file: Path, text: str, why: str) -> None:
    """All that would keep a server from its start or a reload: one sentence, and exit code 2."""
    file.write_text(text)
    done = run("check", "--config", str(file))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert why in done.stderr


@pytest.mark.parametrize("command", ["check", "show"])
def test_what_is_no_file_is_told(tmp_path: Path, command: str) -> None:
    """None at all, a directory."""
    done = run(command, "--config", str(tmp_path / "none.toml"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"The configuration {tmp_path / 'none.toml'} cannot be read: No such file or directory.\n"
    assert run(command, "--config", str(tmp_path)).exit_code == 2


def test_the_whole_configuration_is_shown(file: Path, tmp_path: Path) -> None:
    """It says the same when it is read; defaults are marked, and what a program finds in its environment is masked."""
    shown = run("show", "--config", str(file)).stdout
    assert "hunter2" not in shown
    assert 'environment.KEY = "***"' in shown
    assert "max_clients = 7\n" in shown
    assert "max_unauthenticated = 1000  # default\n" in shown
    file.write_text(GOOD.replace("hunter2", "***"))
    (tmp_path / "shown.toml").write_text(shown)
    assert load(tmp_path / "shown.toml") == load(file)
    assert run("show", "--config", str(tmp_path / "shown.toml")).stdout == shown


def test_the_directories_of_the_environment_hold(file: Path) -> None:
    """As they do for `run`."""
    file.write_text('data_dir = "a"\ncerts_dir = "b"\n')
    shown = tomllib.loads(run("show", "--config", str(file), SECURE_SERVER_DATA_DIR="c").stdout)
    assert (shown["data_dir"], shown["certs_dir"]) == ("c", "b")


def diff(running: Running, *options: str) -> Result:
    """Ask a running server."""
    return run("diff", "--data-dir", str(running.data), *options)


def test_what_runs_otherwise_is_asked_of_the_server(server: ServerFactory) -> None:
    """A table, or JSON; again and again until it is taken up, and what takes a restart after that, too."""
    running = server()
    assert diff(running).stdout == "The file says what runs.\n"
    running.configure(limits={"max_clients": 7}, threads={"workers": 9})
    for _ in range(2):
        rows = [line.split() for line in diff(running).stdout.splitlines()]
        assert ["limits.max_clients", "10000", "7", "no"] in rows
    running.server.reload()
    done = diff(running, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["reply"] == [
        {"key": "threads.workers", "running": "8", "file": "9", "restart": "yes"}
    ]


def test_without_a_server_there_is_nobody_to_ask(tmp_path: Path) -> None:
    """As of `admin`."""
    done = run("diff", "--data-dir", str(tmp_path))
    assert done.exit_code == 3
    assert "No server runs in" in done.stderr

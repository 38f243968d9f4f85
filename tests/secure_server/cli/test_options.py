"""Which directory a command works in: as its own options say, else the environment, else the configuration."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.cli import main
from secure_server.cli.beside import elsewhere
from tests.conftest import ServerFactory

CONFIG, DATA, CERTS = "SECURE_SERVER_CONFIG", "SECURE_SERVER_DATA_DIR", "SECURE_SERVER_CERTS_DIR"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and nothing in the environment; no server runs that one could know of."""
    for name in (CONFIG, DATA, CERTS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(elsewhere, "SOCKETS", tmp_path / "none")
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def run(*words: str) -> Result:
    """Run `secure-server`, which succeeds."""
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done


def names(data: Path) -> list[str]:
    """Whose tokens are in a data directory."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return [record.name for record in storage.load_all()]


def configuration(path: Path, data: Path, certs: Path) -> str:
    """Write one; return its name."""
    path.write_text(f"data_dir = {json.dumps(str(data))}\ncerts_dir = {json.dumps(str(certs))}\n", encoding="utf-8")
    return str(path)


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a file named on the command line before one that the environment names."""
    file, other = (configuration(tmp_path / f"{one}.toml", tmp_path / one, tmp_path) for one in ("file", "other"))
    run("token", "create", "x", "--config", file)
    monkeypatch.setenv(CONFIG, other)
    run("token", "create", "x")
    run("token", "create", "y", "--config", file)
    monkeypatch.setenv(DATA, str(tmp_path / "environment"))
    run("token", "create", "x", "--config", file)
    run("token", "create", "x", "--data-dir", str(tmp_path / "said"))
    found = {one: names(tmp_path / one) for one in ("file", "other", "environment", "said")}
    assert found == {"file": ["x", "y"], "other": ["x"], "environment": ["x"], "said": ["x"]}


@pytest.mark.parametrize("by", ["option", "environment"])
def test_every_command_takes_a_configuration(
    tmp_path: Path, here: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """And makes nothing in the current directory."""
    data, certs = tmp_path / "its-data", Path(shutil.copytree(certificates, tmp_path / "its-certs"))
    file = configuration(tmp_path / "server.toml", data, certs)
    config = ["--config", file] if by == "option" else []
    if by == "environment":
        monkeypatch.setenv(CONFIG, file)
    for words in (
        "token create x", "token create y --enroll", "token rotate x", "token list", "token show x", "token revoke x",
        "token purge", "audit show", "audit verify", "certs ensure --client x", "certs show", "certs revoke x",
        "certs revoked", "certs restore x", "certs rollover",
    ):  # fmt: skip
        run(*words.split(), *config)
    refused = CliRunner().invoke(main, ["admin", "-c", "PING", *config])
    assert (refused.exit_code, str(data) in refused.stderr) == (3, True)
    assert names(data) == ["y"]
    assert (certs / "ca-next-key.pem").exists()
    assert list(here.iterdir()) == []


def test_a_configuration_that_is_none_is_told(tmp_path: Path) -> None:
    """As by `run`, with exit code 2."""
    (tmp_path / "server.toml").write_text("[listen\n")
    for words in (["token", "list"], ["certs", "show"]):
        done = CliRunner().invoke(main, [*words, "--config", str(tmp_path / "server.toml")])
        assert (done.exit_code, "not valid TOML" in done.stderr) == (2, True)


def test_a_token_says_where_it_is_good(tmp_path: Path, here: Path) -> None:
    """Where nobody named a directory: a new one is not made without a word, nor an old one taken."""
    assert f"Made a new data directory, {here / 'data'};" in run("token", "create", "ana").stderr
    assert f"the server whose data directory is {here / 'data'}." in run("token", "create", "bia").stderr
    assert run("token", "create", "eva", "--quiet").stderr == ""
    assert "data directory" not in run("token", "create", "ana", "--data-dir", str(tmp_path / "said")).stderr


def test_a_token_for_a_server_that_runs_elsewhere(
    tmp_path: Path, here: Path, server: ServerFactory, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is not made in a new directory beside it by mistake; where certificates are, a server is being set up."""
    monkeypatch.setattr(elsewhere, "SOCKETS", Path("/proc/net/unix"))
    if not elsewhere.SOCKETS.exists():
        pytest.skip("needs the list of sockets that Linux has")
    server()
    refused = CliRunner().invoke(main, ["token", "create", "bia"])
    assert (refused.exit_code, refused.stdout) == (2, "")
    for part in (str(here / "data"), "--data-dir", DATA, "--config"):
        assert part in refused.stderr
    assert list(here.iterdir()) == []
    run("token", "create", "bia", "--data-dir", "data")
    shutil.rmtree(here / "data")
    shutil.copytree(certificates, here / "certs")
    run("token", "create", "bia")


def test_which_sockets_are_a_servers(tmp_path: Path) -> None:
    """Other programs have an `admin.sock`, too."""
    assert not elsewhere.runs_elsewhere("tokens.db", tmp_path / "none")
    listed = tmp_path / "unix"
    for path, ours in ((f"{tmp_path}/admin.sock", False), ("data/admin.sock", True), (f"{tmp_path}/other.sock", False)):
        listed.write_text(f"Num RefCount Protocol Flags Type St Inode Path\nffff: 2 0 1 1 1 7 {path}\nffff: 3 0 1 3\n")
        assert elsewhere.runs_elsewhere("tokens.db", listed) is ours
    (tmp_path / "tokens.db").touch()
    listed.write_text(f"\nffff: 2 0 1 1 1 7 {tmp_path}/admin.sock\n")
    assert elsewhere.runs_elsewhere("tokens.db", listed)


def test_an_enrolment_line_is_for_the_running_server(server: ServerFactory, certificates: Path, tmp_path: Path) -> None:
    """Its port, which the system chose, and its address, under the name that the configuration has for it."""
    running = server()
    base = ["token", "create", "--enroll", "--quiet", "--data-dir", str(running.data), "--certs-dir", str(certificates)]
    assert f"scs://127.0.0.1:{running.server.port}?" in run(*base, "ana").stdout
    assert "scs://127.0.0.1:7000?" in run(*base, "bia", "--port", "7000").stdout
    assert f"scs://localhost:{running.server.port}?" in run(*base, "eva", "--host", "localhost").stdout
    config = tmp_path / "server.toml"
    for host, name, shown in (("localhost", "ida", "localhost"), ("127.0.0.2", "lia", "127.0.0.1")):
        config.write_text(f'[listen]\nhost = "{host}"\nport = 0\n', encoding="utf-8")
        line = run(*base, name, "--config", str(config)).stdout
        assert f"scs://{shown}:{running.server.port}?" in line


def test_a_socket_that_is_none_is_not_asked(tmp_path: Path, certificates: Path) -> None:
    """A link would lead to another program's; nobody listens at a file."""
    if sys.platform == "win32":
        pytest.skip("there are no Unix sockets here")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "other.sock"))
        other.listen()
        (data / "admin.sock").symlink_to(tmp_path / "other.sock")
        done = run("token", "create", "ana", "--enroll", "--data-dir", str(data), "--certs-dir", str(certificates))
        assert "scs://127.0.0.1:5000?" in done.stdout
        other.settimeout(0)
        with pytest.raises(BlockingIOError):
            other.accept()

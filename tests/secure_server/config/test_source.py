"""Where the configuration comes from stays the same each time that it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.config.source import Source


def test_the_command_line_wins_each_time(tmp_path: Path) -> None:
    """Whatever the file comes to say of it later; what it does not say is the file's."""
    file = tmp_path / "a.toml"
    file.write_text('data_dir = "one"\n[listen]\nport = 1\n')
    source = Source(file, {"listen": {"port": 7}, "data_dir": "mine"}, ["ops"])
    before = source.read()
    file.write_text('data_dir = "two"\n[listen]\nport = 2\nhost = "::1"\n[commands]\nmodules = ["more"]\n')
    after = source.read_again()
    assert (before.listen.port, after.listen.port, after.listen.host) == (7, 7, "::1")
    assert before.data_dir == after.data_dir == str(Path.cwd() / "mine")
    assert (before.commands.modules, after.commands.modules) == (("ops",), ("more", "ops"))


def test_relative_paths_begin_where_the_server_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also once a command has gone elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text('[tls]\ncertificate = "c.pem"\n[commands.A]\nrun = ["ls"]\ndirectory = "there"\n')
    source = Source(Path("a.toml"))
    before = source.read()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert source.read_again() == before
    assert before.data_dir == str(tmp_path / "data")
    assert before.tls.certificate == str(tmp_path / "c.pem")
    assert before.commands.declared["A"]["directory"] == str(tmp_path / "there")


def test_without_a_file_all_is_at_its_default() -> None:
    """But for what the command line says."""
    source = Source(None, {"listen": {"port": 7}})
    assert source.read() == source.read_again() == load(None, {"listen": {"port": 7}}).located()

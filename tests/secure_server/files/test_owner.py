"""Whose a data directory may be, and becoming its owner."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_server.cli import main
from secure_server.config.file import load
from secure_server.files.owner import DirectoryError, as_owner, check, check_copy
from secure_server.server import Server
from secure_server.starting import StartError
from tests.integration.running import NOBODY

if sys.platform == "win32":
    pytest.skip("owners and modes as POSIX has them", allow_module_level=True)

as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to be somebody else")


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [(0o777, "run: chmod go-w"), (0o770, "run: chmod go-w"), (0o702, "run: chmod go-w"), (0o1777, "of all users")],
)
def test_a_directory_that_others_may_write_is_refused(tmp_path: Path, mode: int, sentence: str) -> None:
    """With what mends it; that of all users is nobody's to close."""
    tmp_path.chmod(mode)
    with pytest.raises(DirectoryError, match=sentence):
        check(tmp_path)
    tmp_path.chmod(0o755)
    check(tmp_path)
    check(tmp_path / "none")


@pytest.mark.parametrize(
    "words",
    [
        "token create x", "token list", "token show x", "token revoke x", "token rotate x", "token purge",
        "audit show", "audit verify", "certs revoke x", "certs restore x", "certs revoked", "admin -c PING", "run",
    ],
)  # fmt: skip
def test_every_command_refuses_it(tmp_path: Path, certificates: Path, words: str) -> None:
    """Before anything is made there."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    argv = [*words.split(), "--data-dir", str(data)]
    if words == "run":
        with pytest.raises(StartError, match="chmod go-w"):
            Server(load(None, {"data_dir": str(data), "certs_dir": str(certificates)}))
    else:
        done = CliRunner().invoke(main, argv)
        assert (done.exit_code, f"chmod go-w {data}" in done.stderr) == (2, True), done.output
    assert list(data.iterdir()) == []


@as_root
def test_root_becomes_the_owner_and_is_itself_again(tmp_path: Path) -> None:
    """With the owner's own group, whatever the directory's is; also from within another's, and after errors."""
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, NOBODY, 0)
    before = os.geteuid(), os.getegid(), os.getgroups()
    with contextlib.suppress(KeyError), as_owner(own):
        assert (os.geteuid(), 0 in os.getgroups(), os.getuid()) == (NOBODY, False, 0)
        assert os.getegid() != 0
        with as_owner(own):
            assert os.geteuid() == NOBODY
        with as_owner(tmp_path):
            assert os.geteuid() == 0
        assert os.geteuid() == NOBODY
        raise KeyError
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


@as_root
def test_a_server_that_root_runs_is_refused_where_another_is_the_owner(tmp_path: Path, certificates: Path) -> None:
    """They could put a token database there, and be administrator."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    with pytest.raises(StartError, match=r"run the server as .*, or make it root's: chown -R root"):
        Server(load(None, {"data_dir": str(data), "certs_dir": str(certificates)}))


@as_root
def test_a_directory_of_a_third_is_refused() -> None:
    """Neither this user's nor root's, by itself or by a link."""
    with tempfile.TemporaryDirectory() as name:
        data, link = Path(name), Path(name) / "link"
        os.chown(data, NOBODY, NOBODY)
        link.symlink_to("/", target_is_directory=True)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        with pytest.raises(DirectoryError, match="is a link that"):
            check(link)
        data.chmod(0o755)
        os.seteuid(4242)
        try:
            with pytest.raises(DirectoryError, match=r"belongs to .*; run this as .*chown -R"):
                check(data)
        finally:
            os.seteuid(0)


@as_root
def test_a_copy_is_ours_or_roots_or_the_datas_owners(tmp_path: Path) -> None:
    """A third may have neither the keys in it, nor made up the tokens."""
    copy, data = tmp_path / "copy", tmp_path / "data"
    for directory in (copy, data):
        directory.mkdir()
        check_copy(copy, data)
    os.chown(copy, NOBODY, NOBODY)
    with pytest.raises(DirectoryError, match=r"belongs to .*; name another directory"):
        check_copy(copy, data)
    with pytest.raises(DirectoryError, match="belongs to"):
        check_copy(copy, tmp_path / "none")
    os.chown(data, NOBODY, NOBODY)
    check_copy(copy, data)
    check_copy(tmp_path / "none", data)

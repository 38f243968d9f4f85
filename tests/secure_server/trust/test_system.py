"""The system's store, with Debian's own program where there is one, in a directory of our own."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from secure_server.trust import system
from secure_server.trust.anchor import Anchor
from secure_server.trust.store import TrustError
from secure_server.trust.system import SystemStore


@pytest.fixture
def store(tmp_path: Path) -> SystemStore:
    """One whose program does nothing."""
    return SystemStore(tmp_path, ".pem", ("true",))


def test_debians(tmp_path: Path, anchor: Anchor, renewed: Anchor) -> None:
    """All programs that go by the system's bundle have the CA, and have it no more."""
    program = "update-ca-certificates"
    if shutil.which(program) is None or shutil.which("openssl") is None:
        pytest.skip(f"needs {program}: apt-get install ca-certificates")
    local, bundles, hooks = (tmp_path / name for name in ("local", "bundles", "hooks"))
    for path in (local, bundles, hooks):
        path.mkdir()
    (tmp_path / "conf").touch()
    places = ("--localcertsdir", str(local), "--etccertsdir", str(bundles), "--hooksdir", str(hooks))
    update = (program, *places, "--certsconf", str(tmp_path / "conf"))
    store = SystemStore(local, ".crt", update, ("--fresh",))
    (local / "other.crt").write_bytes(renewed.pem)
    assert store.installed
    store.add(anchor)
    assert anchor.pem in (bundles / "ca-certificates.crt").read_bytes()
    store.remove(anchor)
    assert anchor.pem not in (bundles / "ca-certificates.crt").read_bytes()
    assert not (bundles / f"{anchor.name}.pem").is_symlink()


def test_a_file_for_each_ca(store: SystemStore, tmp_path: Path, anchor: Anchor, renewed: Anchor) -> None:
    """Everybody reads it; the CA's renewed one takes its place."""
    if sys.platform == "win32":
        pytest.skip("there is no such store")
    before = os.umask(0o077)
    try:
        store.add(anchor)
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert path.name == f"{anchor.name}.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert store.holds(anchor)
    assert not store.holds(renewed)
    assert store.knows(renewed)
    store.add(renewed)
    assert store.holds(renewed)
    assert [*tmp_path.iterdir()] == [path]
    store.remove(anchor)
    assert not store.knows(renewed)


def test_what_is_not_taken_up_does_not_look_as_if_it_were(tmp_path: Path, anchor: Anchor) -> None:
    """The program failed: so nothing is there, and the next run tries again."""
    store = SystemStore(tmp_path, ".pem", ("false",))
    with pytest.raises(TrustError, match="false failed with exit code 1"):
        store.add(anchor)
    assert not store.knows(anchor)


def test_a_directory_of_the_systems(tmp_path: Path, anchor: Anchor) -> None:
    """Who may not write there is told how to; other trouble is told as the system tells it."""
    store = SystemStore(tmp_path / "missing", ".pem", ("true",))
    assert not store.installed
    with pytest.raises(TrustError, match=r"cannot be read or written \(No such file"):
        store.add(anchor)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "missing").mkdir(mode=0o500)
    with pytest.raises(TrustError, match="run this with sudo"):
        store.add(anchor)


def test_which_system_this_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its directory and its program; else there is none."""
    for name in ("DEBIAN", "FEDORA"):
        monkeypatch.setattr(system, name, SystemStore(tmp_path / name, ".pem", ("true",)))
    assert system.system_store() is None
    for name in ("DEBIAN", "FEDORA"):
        (tmp_path / name).mkdir()
        assert system.system_store() is getattr(system, name)

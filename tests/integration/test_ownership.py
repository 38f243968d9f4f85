"""Root's programs in somebody else's directories: they are led nowhere, and leave nothing that its owner cannot use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from click.testing import CliRunner

from secure_server.backup.files import write
from secure_server.cli import restore as restoring
from tests.integration.forked import Case, run
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT
from tests.integration.running import NOBODY

if sys.platform == "win32":
    pytest.skip("owners as POSIX has them", allow_module_level=True)

pytestmark = [
    pytest.mark.long,  # a process of another user for each step
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to work as another"),
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages where nobody else may read them: in a directory that others may not enter, as /root is."""
    place = tmp_path_factory.mktemp("closed")
    for package in ("secure_protocol", "secure_server", "secure_client"):
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    place.chmod(0o700)
    return place


@pytest.fixture
def theirs(public: Path) -> Iterator[Path]:
    """A data directory of somebody else's, which they may enter."""
    if not all(parent.stat().st_mode & 0o001 for parent in public.parents):
        pytest.skip(f"needs a temporary directory that every user may enter, and {public} is none")
    data = public / "data"
    data.mkdir(mode=0o700)
    os.chown(data, NOBODY, NOBODY)
    yield data
    assert {path.lstat().st_uid for path in data.rglob("*")} <= {NOBODY}


def test_what_root_leaves_there_is_the_owners(closed: Path, theirs: Path) -> None:
    """From the first token on, in an empty directory; all that is there can be read and written by its owner."""
    commands = [
        ["token", "create", "bia"], ["token", "rotate", "bia"], ["token", "list"], ["token", "show", "bia"],
        ["certs", "revoke", "ada", "--dir", str(closed / "certs")], ["certs", "revoked"], ["certs", "restore", "ada"],
        ["audit", "show"], ["audit", "show", "--json"], ["audit", "verify"], ["token", "revoke", "bia"],
        ["token", "purge"],
    ]  # fmt: skip
    cases = [Case(["secure-server", *words, "--data-dir", str(theirs)]) for words in commands]
    for case, ended in zip(cases, run(cases, closed, closed, {"LC_ALL": "pt_BR.UTF-8"}), strict=True):
        assert (ended.status, "Traceback" in ended.said) == (0, False), (case, ended.said)
    assert "local:root" in next(theirs.glob("audit-*.jsonl")).read_text(encoding="utf-8")


@pytest.mark.parametrize("locale", ["pt_BR.UTF-8", "C.UTF-8"])
def test_nothing_is_imported_as_them(closed: Path, theirs: Path, locale: str) -> None:
    """Who could not read it: new interpreters, in which nothing was imported before, not even encodings."""
    for words in (["token", "create", "bia"], ["audit", "show"]):
        done = subprocess.run(
            [sys.executable, "-m", "secure_server", *words, "--data-dir", str(theirs)], cwd=closed,
            env=os.environ | {"LC_ALL": locale}, capture_output=True, text=True,
            timeout=PATIENCE_SECONDS * 3, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("how", ["symlink", "hardlink"])
def test_a_link_leads_root_nowhere(closed: Path, theirs: Path, how: str) -> None:
    """Neither to a file of root's, which was changed, and handed over, nor to making one."""
    secret = theirs.parent / "secret"
    secret.write_text("root's alone\n", encoding="utf-8")
    secret.chmod(0o600)
    before = secret.stat()
    cases = []
    for name in ("audit.lock", "audit.head", "audit-2026-11.jsonl", "tokens.db", "tokens.db-wal"):
        data = theirs / name
        data.mkdir(mode=0o700)
        os.chown(data, NOBODY, NOBODY)
        if how == "symlink":
            (data / name).symlink_to(secret)
            os.chown(data / name, NOBODY, NOBODY, follow_symlinks=False)
        else:
            (data / name).hardlink_to(secret)
        commands = (["token", "create", "bia"], ["audit", "verify"], ["audit", "show"])
        cases += [Case(["secure-server", *words, "--data-dir", str(data)]) for words in commands]
    ends = run(cases, closed, closed)
    after = secret.stat()
    assert not [ended for ended in ends if "Traceback" in ended.said or "root's alone" in ended.said]
    assert all(ended.status or "could not be written" in ended.said for ended in ends[::3])
    assert secret.read_text(encoding="utf-8") == "root's alone\n"
    assert (after.st_uid, after.st_mode, after.st_mtime_ns) == (before.st_uid, before.st_mode, before.st_mtime_ns)
    secret.unlink()
    for name in ("audit.lock", "audit.head", "audit-2026-11.jsonl", "tokens.db", "tokens.db-wal"):
        (theirs / name / name).unlink()


def test_root_makes_certificates_in_their_directory_as_them(closed: Path, theirs: Path) -> None:
    """The lock, the keys and what is set aside; a link in the place of one makes no file elsewhere."""
    certs = ["--dir", str(theirs)]
    (theirs / ".lock").symlink_to(theirs.parent / "made")
    os.chown(theirs / ".lock", NOBODY, NOBODY, follow_symlinks=False)
    (refused,) = run([Case(["secure-server", "certs", "ensure", *certs])], closed, closed)
    assert (refused.status, "is a link" in refused.said) == (2, True), refused.said
    assert not (theirs.parent / "made").exists()
    (theirs / ".lock").unlink()
    commands = [["ensure", "--client", "ada"], ["show"], ["rollover"]]
    for ended in run([Case(["secure-server", "certs", *words, *certs]) for words in commands], closed, closed):
        assert ended.status == 0, ended.said


def test_a_backup_holds_nothing_that_they_could_not_read(closed: Path, theirs: Path) -> None:
    """A link among the certificates would have a file of root's in the copy, and restored for everybody to read."""
    certs, copy = theirs / "certs", theirs.parent / "copy"
    data, places = theirs / "data", ["--data-dir", str(theirs / "data"), "--dir", str(theirs / "certs")]
    for directory in (data, certs):
        directory.mkdir(mode=0o700)
        os.chown(directory, NOBODY, NOBODY)
    secret = closed / "secret.pem"
    secret.write_text("root's alone\n", encoding="utf-8")
    secret.chmod(0o600)
    link = certs / "mine.pem"
    link.symlink_to(secret)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    backup = Case(["secure-server", "backup", str(copy), *places])
    create = Case(["secure-server", "token", "create", "bia", "--data-dir", str(data)])
    made, refused = run([create, backup], closed, closed)
    assert (made.status, refused.status) == (0, 1), (made.said, refused.said)
    assert "mine.pem cannot be used (Permission denied)" in refused.said
    assert not list(copy.iterdir())
    link.unlink()
    restore = Case(["secure-server", "restore", str(copy), *places, "--force"])
    for ended in run([backup, restore], closed, closed):
        assert ended.status == 0, ended.said
    assert {path.stat().st_uid for path in copy.rglob("*")} == {0}


def test_a_restore_writes_as_them(closed: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could put a link to any directory in the place of the one in which the files are made."""
    copy, places = theirs.parent / "copy", ["--data-dir", str(theirs), "--dir", str(theirs)]
    for command in (["token", "create", "bia", "--data-dir", str(theirs)], ["backup", str(copy), *places]):
        (ended,) = run([Case(["secure-server", *command])], closed, closed)
        assert ended.status == 0, ended.said
    writers: list[int] = []

    def watched(target: Path, file: BinaryIO, size: int | None = None, mode: int = 0o600) -> None:
        writers.append(os.geteuid())
        write(target, file, size, mode)

    monkeypatch.setattr(restoring, "write", watched)
    done = CliRunner().invoke(restoring.restore, [str(copy), *places, "--force"])
    assert done.exit_code == 0, done.output
    assert set(writers) == {NOBODY}

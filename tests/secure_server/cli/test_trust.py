"""`secure-server certs trust`: what it shows, asks, does and leaves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner, Result

from secure_server.cli import trust as program
from secure_server.cli.certs import certs
from secure_server.files import owner
from secure_server.trust import nss
from secure_server.trust.anchor import anchors_of
from secure_server.trust.system import SystemStore

needs_nss = pytest.mark.skipif(not nss.installed(), reason="needs certutil: apt-get install libnss3-tools")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's own place."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemStore:
    """A system's store."""
    (tmp_path / "anchors").mkdir()
    found = SystemStore(tmp_path / "anchors", ".pem", ("true",))
    monkeypatch.setattr(program, "system_store", lambda: found)
    return found


def run(certificates: Path, *arguments: str) -> Result:
    """Run `certs trust` in this process."""
    return CliRunner().invoke(certs, ["trust", "--dir", str(certificates), *arguments])


@needs_nss
def test_browsers_trust_it_and_trust_it_no_more(certificates: Path, home: Path) -> None:
    """It says what it will do and what it did; the second time there is nothing to do."""
    if sys.platform != "linux":
        pytest.skip("Chromium goes by NSS on Linux alone")
    (anchor,) = anchors_of(certificates)
    done = run(certificates, "--yes")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{anchor.title}, until 20")
    assert f"SHA-256  {anchor.fingerprint}\n" in done.stdout
    assert "~/.pki/nssdb (Chromium)  is to trust it\n" in done.stdout
    assert "~/.pki/nssdb (Chromium)  trusts it now\n" in done.stdout
    assert "started anew" in done.stderr
    (database,) = nss.databases(home)
    assert database.holds(anchor)
    again = run(certificates)  # asks nothing, as there is nothing to do
    assert again.exit_code == 0
    assert "trusts it already\n" in again.stdout
    gone = run(certificates, "--remove", "--yes")
    assert gone.exit_code == 0
    assert "trusts it no more\n" in gone.stdout
    assert not database.holds(anchor)
    assert "does not trust it\n" in run(certificates, "--remove").stdout


def test_it_tells_what_to_do_elsewhere(certificates: Path, store: SystemStore) -> None:
    """Each system with the file's whole path; not when the CA is taken out."""
    assert not store.knows(anchors_of(certificates)[0])
    told = run(certificates, "--system", "--yes").stdout
    for system in ("macOS", "Windows", "iOS, iPadOS", "Android", "Firefox"):
        (line,) = (line for line in told.splitlines() if line.startswith(f"  {system}: "))
        assert str(certificates / "ca.pem") in line
    assert "Certificate Trust Settings" in told
    assert "Android" not in run(certificates, "--system", "--remove", "--yes").stdout


def test_the_systems_store(certificates: Path, store: SystemStore) -> None:
    """Instead of the browsers'."""
    (anchor,) = anchors_of(certificates)
    done = run(certificates, "--system", "--yes")
    assert done.exit_code == 0
    assert f"{store.place}  trusts it now\n" in done.stdout
    assert "Chromium" not in done.stdout
    assert store.holds(anchor)
    assert run(certificates, "--system", "--remove", "--yes").exit_code == 0
    assert not store.holds(anchor)


def test_nothing_is_done_unasked(certificates: Path, store: SystemStore) -> None:
    """Where there is nobody to ask, `--yes` has to say it."""
    done = run(certificates, "--system")
    assert done.exit_code == 2
    assert "is to trust it" in done.stdout
    assert "add --yes" in done.stderr
    assert not store.knows(anchors_of(certificates)[0])


@needs_nss
@pytest.mark.parametrize(("answer", "code", "held"), [("y", 0, True), ("n", 1, False), ("", 1, False)])
def test_a_person_is_asked(certificates: Path, home: Path, answer: str, code: int, *, held: bool) -> None:
    """And has to say yes."""
    if sys.platform != "linux":
        pytest.skip("Chromium goes by NSS on Linux alone")
    argv = ["-m", "secure_server", "certs", "trust", "--dir", str(certificates)]
    child = pexpect.spawn(sys.executable, argv, encoding="utf-8", timeout=30, env={**os.environ, "HOME": str(home)})
    child.expect("is to trust it")
    child.expect(r"Go on\? \[y/N\]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert nss.databases(home)[0].holds(anchors_of(certificates)[0]) is held


def test_without_the_program_it_is_said_how_to_get_it(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, and the steps by hand all the same."""
    monkeypatch.setattr(nss, "installed", lambda: False)
    done = run(certificates, "--yes")
    assert done.exit_code == 1
    assert "sudo apt-get install libnss3-tools" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Android: " in done.stdout


def test_another_system_is_said(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the steps by hand."""
    monkeypatch.setattr(program, "system_store", lambda: None)
    done = run(certificates, "--system", "--yes")
    assert done.exit_code == 1
    assert "neither Debian's store of CAs nor Fedora's" in done.stderr
    assert "macOS: " in done.stdout


def test_what_fails_is_said(certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place, and an exit code; nothing is claimed."""
    (tmp_path / "anchors").mkdir()
    monkeypatch.setattr(program, "system_store", lambda: SystemStore(tmp_path / "anchors", ".pem", ("false",)))
    done = run(certificates, "--system", "--yes")
    assert done.exit_code == 1
    assert f"Error: {tmp_path / 'anchors'} (false): false failed with exit code 1" in done.stderr
    assert "trusts it now" not in done.stdout


@needs_nss
def test_anothers_browsers_are_left_alone(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by sudo that keeps HOME: root's files in there would lock their owner out."""
    monkeypatch.setattr(program, "owner_of", lambda _home: owner.Owner(-1, 1, "alice"))
    done = run(certificates, "--yes")
    assert done.exit_code == 2
    assert "run this as alice, without sudo" in done.stderr


def test_a_ca_for_any_name_is_refused(tmp_path: Path) -> None:
    """Before anything is looked at."""
    (tmp_path / "ca.pem").write_text("none", encoding="utf-8")
    done = run(tmp_path, "--yes")
    assert done.exit_code == 1
    assert "is not a readable PEM certificate" in done.stderr

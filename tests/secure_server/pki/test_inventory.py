"""What is in a directory, and when it is due."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_server.pki import profile, rollover
from secure_server.pki.inventory import inventory, next_renewal
from secure_server.pki.store import CertificateDirectory

from .conftest import Bench


def now() -> datetime:
    """A moment in which what was just made is valid."""
    return datetime.now(UTC) + timedelta(minutes=1)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory with a server's and a client's certificate, once."""
    bench = Bench(tmp_path_factory.mktemp("original") / "certs")
    bench.run(clients=("ci",))
    return bench.path


@pytest.fixture
def made(bench: Bench, original: Path) -> Bench:
    """Return a copy of it."""
    shutil.copytree(original, bench.path)
    return bench


def test_each_certificate_with_its_end_and_its_renewal(made: Bench) -> None:
    """In the order of the chain; what is next is the earliest."""
    ca, server, client = inventory(made.path)
    assert [ca.file, server.file, client.file] == ["ca.pem", "server.pem", "client-ci.pem"]
    assert (server.subject, client.subject) == ("secure-server server", "ci")
    assert server.hosts == ("localhost", "127.0.0.1", "::1", "box")
    assert server.until is not None
    assert server.renewal is not None
    third = server.until - server.renewal
    assert abs(third - profile.LEAF_LIFETIME / 3) < timedelta(minutes=1)
    assert len(server.fingerprint) == 64
    assert next_renewal(made.path, now()) == server.renewal


def test_a_run_at_that_moment_renews_and_just_before_it_does_not(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inventory and `ensure` go by the same rule."""
    monkeypatch.setattr("secure_server.pki.ensure.verify_server", lambda *_, **__: None)  # OpenSSL has its own clock
    monkeypatch.setattr("secure_server.pki.ensure.verify_client", lambda *_, **__: None)
    due = next_renewal(made.path, now())
    assert due is not None
    before = made.bytes()
    made.run(now=due - timedelta(seconds=1))
    assert made.bytes() == before
    made.run(now=due)
    assert made.bytes()["server.pem"] != before["server.pem"]
    later = next_renewal(made.path, due)
    assert later is not None
    assert later > due


def test_an_overlap_shows_both_roots_and_when_it_ends(made: Bench) -> None:
    """The old root is not renewed; its line says when the rollover finishes by itself."""
    made.run(step=rollover.Step.BEGIN)
    new, old, cross, *_ = inventory(made.path)
    assert [new.file, old.file, cross.file] == ["ca.pem", "ca.pem", "ca-cross.pem"]
    assert new.renewal is None
    assert cross.renewal is None
    assert old.until is not None
    assert old.renewal == old.until - rollover.FINISH_BEFORE
    assert cross.subject == old.subject != new.subject


def test_what_cannot_be_read_is_said_of_its_file(made: Bench, tmp_path: Path) -> None:
    """The others are listed all the same; an empty directory is an empty list, as one that is not there."""
    (made.path / "server.pem").write_bytes(b"x")
    items = inventory(made.path)
    assert [item.defect is None for item in items] == [True, False, True]
    assert next_renewal(made.path, now()) is None
    assert inventory(tmp_path) == inventory(tmp_path / "nothing") == []


def test_files_of_others_are_left_out(made: Bench) -> None:
    """A client's name that no run would take up decides nothing."""
    shutil.copy(made.path / "client-ci.pem", made.path / "client-a b.pem")
    shutil.copy(made.path / "client-ci-key.pem", made.path / "client-a b-key.pem")
    assert [item.file for item in inventory(made.path)] == ["ca.pem", "server.pem", "client-ci.pem"]


def test_what_is_not_valid_yet_is_due_at_once(made: Bench) -> None:
    """It was made by a clock that was ahead; but by a clock that is behind the CA itself nothing is renewed."""
    moment = now()
    early = moment - timedelta(days=2)  # the CA is not valid then either
    due = next_renewal(made.path, now())
    assert due is not None
    assert next_renewal(made.path, early) == due
    certificate = CertificateDirectory(made.path)
    ca, key = certificate.read_certificate("ca.pem").value, certificate.read_key("ca-key.pem").value
    server = certificate.read_certificate("server.pem").value
    assert ca is not None
    assert key is not None
    assert server is not None
    ahead = profile.issue_leaf(
        server.public_key(),  # type: ignore[arg-type] # ours are P-256
        "secure-server server",
        profile.hosts_of(server),
        profile.Purpose.SERVER,
        ca=ca,
        ca_key=key,
        now=moment + timedelta(days=300),
    )
    certificate.write_certificate("server.pem", ahead)
    assert next_renewal(made.path, moment) == moment

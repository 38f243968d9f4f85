"""The look at the files, again and again: renewed in time, taken up when changed, complained of once."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.renewal import RETRY_SECONDS, CertificateRenewal
from secure_server.identity.served import Reload, ServedCertificates
from secure_server.identity.watch import CertificateWatch
from secure_server.net.tls import load_identity
from secure_server.pki import profile
from secure_server.pki.ensure import Request, ensure

TWO_DAYS = timedelta(days=2)
RETRY = timedelta(seconds=RETRY_SECONDS)


class Bench:
    """A directory, a clock, and a watch that is not started."""

    def __init__(self, path: Path, *, behind: timedelta = timedelta(0), interval: float = 3600) -> None:
        self.path = path
        self.real = datetime.now(UTC)
        self.now = self.real - behind
        self.told: list[Reload] = []
        self.reported = threading.Event()
        config = load(None, {"certs_dir": str(path)})
        files = IdentityFiles.of(config)
        self.renewal = CertificateRenewal(path, lambda: self.now, self._ticks)
        self.served = ServedCertificates(
            files, lambda: load_identity(files, config.tls, self.now), self._tell, self.renewal, lambda: self.now
        )
        self.watch = CertificateWatch(self.served, self.renewal, interval)

    def _ticks(self) -> float:
        return self.now.timestamp()

    def _tell(self, reload: Reload) -> None:
        self.told.append(reload)
        self.reported.set()

    def outcomes(self) -> list[tuple[str, str]]:
        """Return what was told, and forget it."""
        told, self.told = self.told, []
        return [(reload.cause, reload.outcome) for reload in told]


@pytest.fixture(scope="module")
def ageing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a directory whose certificates came due yesterday, once."""
    path = tmp_path_factory.mktemp("ageing") / "certs"
    ensure(Request(path), now=datetime.now(UTC) - profile.LEAF_LIFETIME * 2 / 3 - timedelta(days=1))
    return path


@pytest.fixture
def old(ageing: Path, tmp_path: Path) -> Bench:
    """Watch a copy of it, by a clock that is two days behind."""
    return Bench(Path(shutil.copytree(ageing, tmp_path / "certs")), behind=TWO_DAYS)


@pytest.fixture
def bench(certificates: Path, tmp_path: Path) -> Bench:
    """Watch new certificates."""
    return Bench(Path(shutil.copytree(certificates, tmp_path / "certs")))


def test_two_thirds_of_a_life_and_the_server_has_renewed_and_taken_up(old: Bench) -> None:
    """Not before; with the same key and names; and it says when the next time will be."""
    before, key = old.served.certificate, (old.path / "server-key.pem").read_bytes()
    old.watch.step()
    assert old.outcomes() == []
    assert old.served.renewal is not None
    assert old.now < old.served.renewal <= old.real
    old.now = old.real
    old.watch.step()
    assert old.outcomes() == [("renewal", "reloaded")]
    after = old.served.certificate
    assert after.fingerprint != before.fingerprint
    assert after.sans == before.sans
    assert (old.path / "server-key.pem").read_bytes() == key
    assert old.served.renewal > old.real + timedelta(days=200)
    old.watch.step()
    assert old.outcomes() == []


def test_a_renewal_that_fails_is_told_once_and_tried_again_in_an_hour(old: Bench, tmp_path: Path) -> None:
    """The old certificate goes on; when the CA's key is back, the next run succeeds."""
    key = old.path / "ca-key.pem"
    key.rename(tmp_path / "key")
    old.now = old.real - 3 * RETRY
    old.watch.step()
    assert "ca-key.pem is missing" in old.told[0].why
    assert old.outcomes() == [("renewal", "kept")]
    old.watch.step()
    old.now += RETRY
    old.watch.step()
    assert old.outcomes() == []
    (tmp_path / "key").rename(key)
    old.watch.step()
    assert old.outcomes() == []
    old.now += RETRY
    old.watch.step()
    assert old.outcomes() == [("renewal", "reloaded")]


def test_a_half_written_pair_is_no_error_and_is_taken_up_when_it_is_whole(bench: Bench, tmp_path: Path) -> None:
    """One look between the two files says nothing; the next takes up the pair."""
    other = Path(shutil.copytree(bench.path, tmp_path / "other"))
    (other / "server-key.pem").unlink()
    ensure(Request(other))
    before = bench.served.certificate
    shutil.copy(other / "server.pem", bench.path / "server.pem")
    bench.watch.step()
    assert bench.outcomes() == []
    assert bench.served.certificate == before
    shutil.copy(other / "server-key.pem", bench.path / "server-key.pem")
    bench.watch.step()
    assert bench.outcomes() == [("file", "reloaded")]


def test_what_stays_broken_is_told_once(bench: Bench) -> None:
    """At the second look, with the reason; another reason is told again, and so is the end of it."""
    good = (bench.path / "server.pem").read_bytes()
    (bench.path / "server.pem").write_bytes(b"x")
    for _ in range(4):
        bench.watch.step()
    assert bench.outcomes() == [("file", "kept")]
    (bench.path / "server.pem").unlink()
    for _ in range(4):
        bench.watch.step()
    assert bench.outcomes() == [("file", "kept")]
    (bench.path / "server.pem").write_bytes(good)
    bench.watch.step()
    assert bench.outcomes() == [("file", "unchanged")]


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_the_thread_looks_by_itself_and_survives_what_it_meets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """An unforeseen error is logged, and the next look is made."""
    bench = Bench(bench.path, interval=0.01)
    failed = threading.Event()
    original: Callable[[str], Reload] = bench.served.attempt

    def failing(cause: str) -> Reload:
        if not failed.is_set():
            failed.set()
            raise error("unforeseen")
        return original(cause)

    monkeypatch.setattr(bench.served, "attempt", failing)
    (bench.path / "server.pem").touch()
    with caplog.at_level(logging.ERROR):
        bench.watch.start()
        try:
            assert bench.reported.wait(10)
        finally:
            bench.watch.stop()
    assert "unforeseen" in caplog.text
    assert bench.outcomes()[0] == ("file", "unchanged")
    assert not bench.watch._thread.is_alive()


def test_a_renewal_that_failed_at_the_start_is_told_at_the_first_look(old: Bench) -> None:
    """The server runs, and whoever looks after it learns that it will not for long."""
    (old.path / "ca-key.pem").unlink()
    old.now = old.real
    assert old.renewal.renew_if_due()
    old.watch.step()
    old.watch.step()
    assert old.outcomes() == [("renewal", "kept")]


def test_without_renewal_changed_files_are_taken_up_all_the_same(old: Bench) -> None:
    """`tls.renew = "off"`, or a certificate that is somebody else's: only that somebody renews it."""
    watch = CertificateWatch(old.served, None, 3600)
    old.now = old.real
    watch.step()
    assert old.outcomes() == []
    (old.path / "server.pem").touch()
    watch.step()
    assert old.outcomes() == [("file", "unchanged")]
    watch.stop()  # it was never started


def test_a_named_certificate_near_its_end_is_warned_of(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing here renews it, and somebody forgot to: at the start, and each day."""
    watch = CertificateWatch(bench.served, None, 3600)
    bench.now = bench.served.certificate.not_after - timedelta(days=3)
    watch.start()
    watch.stop()
    watch.step()
    bench.now += timedelta(days=1)
    watch.step()
    assert [message.rpartition(", ")[2] for message in caplog.messages] == ["and nobody has renewed it."] * 2

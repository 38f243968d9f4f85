"""A clock that leaps makes no certificates that nobody can use, and what one made is mended when it is right again."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.identity.clock import LEAP, SETTLED_SECONDS, SteadyTime, elapsed, utc_now
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.renewal import CertificateRenewal
from secure_server.identity.served import Reload, ServedCertificates
from secure_server.identity.watch import CertificateWatch
from secure_server.net.tls import load_identity
from secure_server.pki import profile
from secure_server.pki.store import CertificateDirectory

LONG = timedelta(days=300)
SOON = timedelta(seconds=4)


class Clocks:
    """Two clocks: one that is set, and one that is not."""

    def __init__(self) -> None:
        self.real = datetime.now(UTC)
        self.off = timedelta(0)
        self.ticks = 0.0
        self.time = SteadyTime(lambda: self.wall, lambda: self.ticks)

    @property
    def wall(self) -> datetime:
        """What the wall clock says."""
        return self.real + timedelta(seconds=self.ticks) + self.off

    @property
    def error(self) -> timedelta:
        """By how much the time that is told is off."""
        return self.time() - self.real - timedelta(seconds=self.ticks)


@pytest.fixture
def clocks() -> Clocks:
    """Of a server that runs for longer than an hour."""
    made = Clocks()
    made.ticks = 2 * SETTLED_SECONDS
    return made


@pytest.mark.parametrize("leap", [LONG, -LONG, timedelta(days=40_000)])
def test_a_leap_is_not_believed_and_its_end_is_at_once(
    clocks: Clocks, leap: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    """Time goes on meanwhile; it is told once, at error level."""
    assert clocks.error == timedelta(0)
    clocks.off = leap
    for _ in range(4):
        assert clocks.error == timedelta(0)
        clocks.ticks += 1
    clocks.off = timedelta(0)
    assert clocks.error == timedelta(0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_a_clock_that_stays_where_it_leapt_to_is_believed_after_an_hour(clocks: Clocks) -> None:
    """And one that then comes back is, at once."""
    clocks.time()
    clocks.off = LONG
    for _ in range(4):
        assert clocks.error == timedelta(0)
        clocks.ticks += SETTLED_SECONDS / 4
    assert clocks.error == LONG
    clocks.off = timedelta(0)
    assert clocks.error == timedelta(0)
    clocks.off = LONG
    assert clocks.error == timedelta(0), "what was wrong is forgotten"


def test_a_clock_that_leaps_about_is_never_believed(clocks: Clocks) -> None:
    """The hour begins anew with each leap."""
    clocks.time()
    for number in range(1, 10):
        clocks.off = LONG * number
        clocks.ticks += SETTLED_SECONDS / 2
        assert clocks.error == timedelta(0)


def test_what_is_less_than_a_leap_is_believed_at_once(clocks: Clocks) -> None:
    """A clock that was corrected, or a machine that slept where nothing tells."""
    clocks.time()
    for off in (LEAP * 0.9, LEAP * 1.8, LEAP * 1.2):
        clocks.off = off
        assert clocks.error == off


def test_a_clock_that_was_ahead_at_the_start_is_set_right_at_once() -> None:
    """As on a machine whose time comes from the network after the server; but none that goes ahead then."""
    clocks = Clocks()
    clocks.ticks += SETTLED_SECONDS / 2
    clocks.off = -LONG
    assert clocks.error == -LONG
    clocks.off = LONG
    assert clocks.error == -LONG


def test_the_real_clocks_go_on() -> None:
    """Whatever this system has."""
    before, ticks = utc_now(), elapsed()
    assert SteadyTime()() >= before
    assert elapsed() >= ticks


class Bench:
    """A server's certificates, watched by clocks of ours."""

    def __init__(self, path: Path, clocks: Clocks) -> None:
        self.path = path
        self.clocks = clocks
        self.told: list[Reload] = []
        config = load(None, {"certs_dir": str(path)})
        files = IdentityFiles.of(config)
        self.renewal = CertificateRenewal(path, clocks.time, lambda: clocks.ticks)
        self.served = ServedCertificates(
            files, lambda: load_identity(files, config.tls, clocks.time()), self.told.append, self.renewal, clocks.time
        )
        self.watch = CertificateWatch(self.served, self.renewal, 3600)

    def reissue(self, now: datetime) -> None:
        """Put a certificate there that was made at another time."""
        files = CertificateDirectory(self.path)
        ca, key = files.read_certificate("ca.pem").value, files.read_key("ca-key.pem").value
        server = files.read_certificate("server.pem").value
        assert ca is not None
        assert key is not None
        assert server is not None
        made = profile.issue_leaf(
            server.public_key(),  # type: ignore[arg-type] # ours are P-256
            "secure-server server",
            profile.hosts_of(server),
            profile.Purpose.SERVER,
            ca=ca,
            ca_key=key,
            now=now,
        )
        files.write_certificate("server.pem", made)


@pytest.fixture
def bench(certificates: Path, tmp_path: Path, clocks: Clocks) -> Bench:
    """New certificates."""
    clocks.real -= timedelta(seconds=clocks.ticks)
    clocks.time()
    return Bench(Path(shutil.copytree(certificates, tmp_path / "certs")), clocks)


@pytest.mark.parametrize("leap", [LONG, -LONG, timedelta(days=4_000)])
def test_a_leap_renews_nothing(bench: Bench, leap: timedelta) -> None:
    """The CA neither: the files stay as they are."""
    before = {file.name: file.read_bytes() for file in bench.path.glob("*.pem")}
    bench.clocks.off = leap
    for _ in range(3):
        bench.watch.step()
        bench.clocks.ticks += 2
    bench.clocks.off = timedelta(0)
    bench.watch.step()
    assert {file.name: file.read_bytes() for file in bench.path.glob("*.pem")} == before
    assert bench.told == []


def test_a_certificate_of_the_future_is_not_served_and_renewed_at_once(bench: Bench) -> None:
    """Somebody else made it, such as `certs ensure` by the same clock; the one before goes on meanwhile."""
    before = bench.served.certificate
    bench.reissue(bench.clocks.wall + LONG)
    bench.watch.step()
    assert bench.served.certificate == before
    bench.watch.step()
    assert [(reload.cause, reload.outcome) for reload in bench.told] == [("renewal", "reloaded")]
    assert before.not_before <= bench.served.certificate.not_before <= bench.clocks.wall


def test_what_was_renewed_by_a_clock_that_was_ahead_is_renewed_when_it_is_right(bench: Bench) -> None:
    """At the next look, though the last run was a moment ago."""
    bench.reissue(bench.clocks.wall - profile.LEAF_LIFETIME * 0.9)
    bench.watch.step()
    bench.told.clear()
    bench.reissue(bench.clocks.wall + LONG)
    bench.renewal._looked = bench.clocks.wall + LONG  # as if that run had been this server's
    bench.watch.step()
    assert [(reload.cause, reload.outcome) for reload in bench.told] == [("renewal", "reloaded")]
    assert bench.served.certificate.not_before <= bench.clocks.wall


def test_files_that_cannot_be_read_change_nothing_of_what_is_due(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """And are told of once, however often they are looked at."""
    due, server = bench.renewal.due, bench.path / "server.pem"
    server.unlink()
    server.mkdir()
    for _ in range(5):
        bench.watch.step()
    assert bench.renewal.due == due
    assert len(caplog.records) == 1


def test_a_server_that_starts_with_a_certificate_of_the_future_renews_it(bench: Bench) -> None:
    """It was made before the last stop, by a clock that was ahead."""
    bench.reissue(bench.clocks.wall + LONG)
    renewal = CertificateRenewal.at_start(load(None, {"certs_dir": str(bench.path)}))
    assert renewal is not None
    assert renewal.failure is None
    server = CertificateDirectory(bench.path).read_certificate("server.pem").value
    assert server is not None
    assert server.not_valid_before_utc <= bench.clocks.wall + SOON

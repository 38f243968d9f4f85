"""What newcomers are served, and the one way to another: with real files, contexts and handshakes."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_server.config.file import load
from secure_server.identity.identity import Identity, IdentityFiles
from secure_server.identity.served import HISTORY, Reload, ServedCertificates
from secure_server.net import tls
from secure_server.net.tls import load_identity
from secure_server.pki import handshake
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.preflight import CertificateProblem


class Bench:
    """A certificate directory and what is served from it."""

    def __init__(self, path: Path, **tls: object) -> None:
        self.path = path
        config = load(None, {"certs_dir": str(path), "tls": tls})
        self.files = IdentityFiles.of(config)
        self.now = datetime.now(UTC)
        self.told: list[Reload] = []
        self.before_loading: Callable[[], object] = lambda: None
        self.tls = config.tls
        self.served = ServedCertificates(self.files, self.load, self.told.append, now=lambda: self.now)

    def load(self) -> Identity:
        """Load as the server does."""
        self.before_loading()
        return load_identity(self.files, self.tls, self.now)

    def shown(self) -> bytes:
        """Return what a newcomer is shown: DER."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(self.path / "ca.pem")
        return handshake.served_by(self.served.identity.context, client, "localhost")

    def reissue(self, *hosts: str) -> None:
        """Make another certificate for the same key."""
        (self.path / "server.pem").unlink()
        ensure(Request(self.path, hosts))


@pytest.fixture
def bench(certificates: Path, tmp_path: Path) -> Bench:
    """A copy of the certificates, served."""
    return Bench(Path(shutil.copytree(certificates, tmp_path / "certs")))


def test_a_changed_file_is_seen_and_taken_up(bench: Bench) -> None:
    """By a new context; the one before is left as it was, for those who are in a handshake with it."""
    before = bench.served.identity
    assert not bench.served.stale
    bench.reissue("more.test")
    assert bench.served.stale
    reload = bench.served.reload("file")
    assert (reload.cause, reload.outcome, reload.why) == ("file", "reloaded", "")
    assert reload.new == bench.served.certificate
    assert "more.test" in bench.served.certificate.sans
    assert bench.shown() == bench.served.certificate.der != before.certificate.der
    assert bench.served.identity.context is not before.context
    assert not bench.served.stale
    assert bench.told == [reload]
    assert [entry.certificate for entry in bench.served.history] == [reload.new, reload.old]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: shutil.copy(path / "ca-key.pem", path / "server-key.pem"), "does not belong to the key"),
        (lambda path: (path / "server.pem").write_bytes(b"x"), "is not a readable PEM certificate"),
        (lambda path: (path / "server-key.pem").unlink(), "server-key.pem is missing"),
    ],
)
def test_a_pair_that_is_none_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture, damage: object, why: str
) -> None:
    """It says why, and stays stale until the files can be used, whether or not they change meanwhile."""
    before = bench.served.identity
    assert callable(damage)
    damage(bench.path)
    reload = bench.served.reload("file")
    assert reload.outcome == "kept"
    assert reload.new is None
    assert why in reload.why
    assert why in caplog.text
    assert bench.served.identity is before
    assert bench.shown() == before.certificate.der
    assert bench.served.stale


def test_a_wrong_time_a_wrong_signature_and_no_name_are_refused(bench: Bench, tmp_path: Path) -> None:
    """The preflight: dates, chain to our own CA, names."""
    bench.now += timedelta(days=398)
    assert "expired on" in bench.served.reload("file").why
    bench.now -= timedelta(days=398)
    imposter = Path(shutil.copytree(bench.path, tmp_path / "imposter"))
    (imposter / "ca-key.pem").unlink()
    (imposter / "ca.pem").unlink()
    ensure(Request(imposter, new_ca=True))
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(imposter / name, bench.path / name)
    reload = bench.served.reload("file")
    assert reload.outcome == "reloaded"  # another CA's: its clients know it, and ours are warned of
    assert "no CA in" in reload.why
    assert "signed it" in reload.why


def test_a_name_that_is_gone_is_told_and_taken_up(bench: Bench) -> None:
    """Names are also dropped on purpose."""
    bench.reissue("gone.test")
    bench.served.reload("file")
    (bench.path / "server.pem").unlink()
    ensure(Request(bench.path))
    reload = bench.served.reload("file")
    assert reload.new is not None
    assert reload.why == "it is no longer for gone.test"


def test_files_that_change_while_they_are_read_are_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is shown is what is known of it: channel bindings depend on that."""
    original = tls.server_context
    other = Path(shutil.copytree(bench.path, tmp_path / "other"))
    (other / "server.pem").unlink()
    ensure(Request(other))

    def racing(certificate: Path, key: Path, *rest: Any, **named: Any) -> ssl.SSLContext:  # noqa: ANN401 - passed on
        shutil.copy(other / "server.pem", certificate)
        return original(certificate, key, *rest, **named)

    before = bench.served.certificate
    monkeypatch.setattr(tls, "server_context", racing)
    reload = bench.served.reload("file")
    assert reload.new is None
    assert "changed while it was read" in reload.why
    assert bench.served.certificate == before
    monkeypatch.undo()
    assert bench.served.stale
    assert bench.served.reload("file").outcome == "reloaded"


def test_a_change_during_the_load_is_seen_at_the_next_look(bench: Bench) -> None:
    """The state is taken before the files are read."""
    bench.before_loading = lambda: os.utime(bench.path / "server.pem", ns=(1, 1))
    bench.served.reload("file")
    assert bench.served.stale


def test_the_history_is_bounded_and_alternating_takes_no_room(bench: Bench) -> None:
    """Two certificates in turn are two entries."""
    first = (bench.path / "server.pem").read_bytes()
    bench.reissue()
    second = (bench.path / "server.pem").read_bytes()
    for content in (first, second) * 3:
        (bench.path / "server.pem").write_bytes(content)
        bench.served.reload("file")
    assert len(bench.served.history) == 2
    assert HISTORY >= 2


def test_our_cas_are_given_with_it(bench: Bench) -> None:
    """For whoever enrols; nothing of a CA that is not ours to give."""
    assert bench.served.identity.ca_pem == (bench.path / "ca.pem").read_bytes()
    (bench.path / "ca.pem").unlink()
    assert bench.served.reload("file").outcome == "unchanged"
    assert bench.served.identity.ca_pem == b""


def test_a_named_certificate_is_somebody_elses(bench: Bench) -> None:
    """No CA of ours is looked for beside it."""
    named = Bench(bench.path, certificate=str(bench.path / "server.pem"))
    assert named.files.ca is None
    assert named.served.identity.ca_pem == b""
    assert named.served.identity.remark == ""


def test_the_clients_ca_is_watched_where_it_is_used(bench: Bench, tmp_path: Path) -> None:
    """A changed `tls.client_ca` makes the files stale, too."""
    assert bench.files.client_ca is None
    other = tmp_path / "clients.pem"
    shutil.copy(bench.path / "ca.pem", other)
    asking = Bench(bench.path, client_certificates="optional", client_ca=str(other))
    assert not asking.served.stale
    os.utime(other, ns=(1, 1))
    assert asking.served.stale


def test_nothing_to_serve_is_said_at_once(bench: Bench) -> None:
    """There is no old certificate to keep at the start."""
    (bench.path / "server.pem").unlink()
    with pytest.raises(CertificateProblem, match="is missing"):
        Bench(bench.path)


def test_what_is_logged_of_a_reload(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The fingerprint and the end, and what to know of it."""
    with caplog.at_level(logging.WARNING):
        bench.served.reload("SIGHUP")
    assert f"certificate reloaded: SHA-256 {bench.served.certificate.fingerprint}, until 20" in caplog.text


def test_an_end_that_nobody_prevents_is_warned_of_once_a_day(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """From thirty days before it, at most a sixth of the life; also after it, and not once another is served."""
    end = bench.served.certificate.not_after
    bench.now = end - timedelta(days=30, seconds=1)
    bench.served.alarm()
    assert caplog.messages == []
    for hours in (0, 23, 24, 30, 48):
        bench.now = end - timedelta(days=30) + timedelta(hours=hours)
        bench.served.alarm()
    warning = f"The certificate {bench.path / 'server.pem'} expires on {end:%Y-%m-%d}, and nobody has renewed it."
    assert caplog.messages == [warning] * 3
    bench.now = end + timedelta(days=1)
    bench.served.alarm()
    assert caplog.messages[-1].endswith(f"expired on {end:%Y-%m-%d}, and clients refuse it.")
    bench.now = datetime.now(UTC)
    assert bench.served.ending is None

"""The proof itself is proven: each verifier says no where it must, and a verifier that never does is found out."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from secure_server.pki import handshake, profile, verify
from secure_server.pki.errors import VerificationFailedError
from secure_server.pki.store import CertificateDirectory
from secure_server.pki.verify import Pair

from .conftest import Bench


def pair(bench: Bench, stem: str) -> Pair:
    """Return a pair from the directory."""
    certificate = CertificateDirectory(bench.path).read_certificate(f"{stem}.pem").value
    assert certificate is not None
    return Pair(certificate, bench.path / f"{stem}.pem", bench.path / f"{stem}-key.pem")


def certificate_authority(bench: Bench) -> x509.Certificate:
    """Return the directory's CA."""
    certificate = CertificateDirectory(bench.path).read_certificate("ca.pem").value
    assert certificate is not None
    return certificate


@pytest.fixture
def made(bench: Bench) -> Bench:
    """Return a directory with a server's and a client's certificate."""
    bench.run(clients=("ci",))
    return bench


@pytest.mark.parametrize("index", range(3))
def test_each_verifier_of_servers_has_both_verdicts(made: Bench, index: int) -> None:
    """Right name yes; wrong name, wrong address, foreign CA and a client's certificate no."""
    _, verifier = list(verify.server_verifiers(made.now))[index]
    server, ca = pair(made, "server"), certificate_authority(made)
    names = profile.hosts_of(server.certificate)
    assert [verifier(server, ca, name) for name in names] == [None] * len(names)
    assert all(verifier(server, ca, name) for name in verify.WRONG_HOSTS)
    assert verifier(server, verify.foreign_ca(ca, made.now), names[0])
    client = pair(made, "client-ci")
    assert verifier(client, ca, profile.hosts_of(client.certificate)[0])


@pytest.mark.parametrize("index", range(3))
def test_each_verifier_of_clients_has_both_verdicts(made: Bench, index: int) -> None:
    """The right CA yes, a foreign one no, and a server's certificate is no client's."""
    _, verifier = list(verify.client_verifiers(made.now))[index]
    client, server, ca = pair(made, "client-ci"), pair(made, "server"), certificate_authority(made)
    assert verifier(client, ca, server, ca) is None
    assert verifier(client, verify.foreign_ca(ca, made.now), server, ca)
    assert verifier(server, ca, server, ca)


def test_a_verifier_that_accepts_everything_is_found_out(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negatives are what makes the proof one."""
    server, client, ca = pair(made, "server"), pair(made, "client-ci"), certificate_authority(made)
    monkeypatch.setattr(verify, "server_verifiers", lambda _now: [("Yes-man", lambda *_: None)])
    with pytest.raises(VerificationFailedError, match=r"Yes-man accepts .* for wrong-host"):
        verify.verify_server(server, ca, now=made.now)
    with pytest.raises(VerificationFailedError, match=r"Yes-man accepts .* as a server's"):
        verify.verify_client(client, ca, server, now=made.now)


def test_the_wrong_ca_fails_the_proof(made: Bench) -> None:
    """A pair under another CA of the same name is refused by the first verifier asked."""
    ca = verify.foreign_ca(certificate_authority(made), made.now)
    with pytest.raises(VerificationFailedError, match=r"OpenSSL \(strict\) refuses"):
        verify.verify_server(pair(made, "server"), ca, now=made.now)


def test_a_handshake_that_fails_otherwise_is_no_verdict(made: Bench) -> None:
    """Only a refused certificate counts as refused: a version mismatch would prove nothing."""
    server, ca = pair(made, "server"), certificate_authority(made)
    old = handshake.client_context(ca)
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    context = handshake.server_context(server.path, server.key_path)
    for hands in (handshake.in_memory, handshake.loopback):
        with pytest.raises(VerificationFailedError, match="handshake that tries the certificates failed"):
            verify._refusal(hands, context, old, profile.hosts_of(server.certificate)[0])


def test_openssls_strict_mode_is_on(made: Bench) -> None:
    """A CA without a subject key identifier passes pyca's verifier; only OpenSSL's strict mode refuses it."""
    files = CertificateDirectory(made.path)
    ca, key, server = certificate_authority(made), files.read_key("ca-key.pem").value, pair(made, "server")
    assert key is not None
    lax = x509.CertificateBuilder(
        issuer_name=ca.subject,
        subject_name=ca.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=ca.not_valid_before_utc,
        not_valid_after=ca.not_valid_after_utc,
        extensions=[e for e in ca.extensions if not isinstance(e.value, x509.SubjectKeyIdentifier)],
    ).sign(key, hashes.SHA256())
    strict, pyca, _ = [verifier for _, verifier in verify.server_verifiers(made.now)]
    host = profile.hosts_of(server.certificate)[0]
    assert pyca(server, lax, host) is None
    assert "Subject Key Identifier" in str(strict(server, lax, host))


def test_a_server_that_says_nothing_fails_the_handshake(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The byte after the handshake is part of the proof."""
    server = pair(made, "server")

    def silent(listener: socket.socket, context: ssl.SSLContext) -> None:
        connection, _ = listener.accept()
        with connection, context.wrap_socket(connection, server_side=True):
            pass

    monkeypatch.setattr(handshake, "_serve_one", silent)
    with pytest.raises(ssl.SSLError, match="closed without a word"):
        handshake.loopback(
            handshake.server_context(server.path, server.key_path),
            handshake.client_context(certificate_authority(made)),
            "localhost",
        )


def test_a_handshake_without_end_is_bounded(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory too, there is a limit to the turns."""
    server = pair(made, "server")
    monkeypatch.setattr(handshake, "_ROUNDS", 1)
    with pytest.raises(ssl.SSLError, match="did not come to an end"):
        handshake.in_memory(
            handshake.server_context(server.path, server.key_path),
            handshake.client_context(certificate_authority(made)),
            "localhost",
        )


def test_a_defect_in_the_serving_thread_is_not_hidden(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no network error comes out as it is."""
    server = pair(made, "server")

    def broken(listener: object, _context: object) -> None:
        raise AssertionError("defect")

    monkeypatch.setattr(handshake, "_serve_one", broken)
    monkeypatch.setattr(handshake, "_connect", lambda *_: None)
    with pytest.raises(AssertionError, match="defect"):
        handshake.loopback(
            handshake.server_context(server.path, server.key_path),
            handshake.client_context(certificate_authority(made)),
            "localhost",
        )


def test_the_key_log_has_no_say(made: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSLKEYLOGFILE is not honoured: the contexts are bare."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    server = pair(made, "server")
    handshake.in_memory(
        handshake.server_context(server.path, server.key_path),
        handshake.client_context(certificate_authority(made)),
        "localhost",
    )
    assert not (tmp_path / "keys").exists()

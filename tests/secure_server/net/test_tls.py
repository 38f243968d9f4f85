"""The server's TLS contexts."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from secure_server.config.file import load
from secure_server.config.listening import Tls
from secure_server.config.settings import Config
from secure_server.identity.identity import IdentityFiles
from secure_server.net.tls import ClientTrust, client_trust, load_identity, server_context
from secure_server.pki.preflight import CertificateProblem


def trust_of(config: Config) -> ClientTrust | None:
    """Return whose client certificates a server of this configuration accepts."""
    return client_trust(IdentityFiles.of(config), config.tls)


@pytest.mark.parametrize(("minimum", "version"), [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)])
def test_the_oldest_version_is_as_configured(certificates: Path, minimum: str, version: ssl.TLSVersion) -> None:
    """No renegotiation, no compression, no tickets, whatever the version."""
    context = server_context(certificates / "server.pem", certificates / "server-key.pem", minimum)
    assert context.minimum_version is version
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION


@pytest.mark.parametrize(("required", "mode"), [(False, ssl.CERT_OPTIONAL), (True, ssl.CERT_REQUIRED)])
def test_clients_are_verified_strictly(certificates: Path, required: bool, mode: ssl.VerifyMode) -> None:  # noqa: FBT001 - parametrized
    """By RFC 5280's rules, against the CAs given and none of the system's."""
    trust = ClientTrust((certificates / "ca.pem").read_text("ascii"), required)
    context = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3", trust)
    assert context.verify_mode is mode
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.cert_store_stats()["x509_ca"] == 1
    none = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3")
    assert none.verify_mode is ssl.CERT_NONE


def test_whom_the_configuration_trusts(certificates: Path) -> None:
    """Off asks nobody; the CA is `ca.pem` of the certificates' directory unless another is named."""
    ca = (certificates / "ca.pem").read_text("ascii")
    directory = str(certificates)
    assert trust_of(Config(certs_dir=directory)) is None
    assert trust_of(Config(certs_dir=directory, tls=Tls(client_certificates="optional"))) == (ca, False)
    elsewhere = Tls(client_certificates="required", client_ca=str(certificates / "ca.pem"))
    assert trust_of(Config(tls=elsewhere)) == (ca, True)


def test_a_pair_that_is_none_is_refused(certificates: Path, tmp_path: Path) -> None:
    """A key of somebody else, and a file that is not there."""
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        server_context(certificates / "server.pem", certificates / "ca-key.pem", "1.3")
    with pytest.raises(FileNotFoundError):
        server_context(certificates / "server.pem", tmp_path / "nothing.pem", "1.3")


def test_a_key_with_a_passphrase_is_refused_without_asking(certificates: Path, tmp_path: Path) -> None:
    """OpenSSL would otherwise ask on the terminal, and a server would wait there for ever."""
    key = serialization.load_pem_private_key((certificates / "server-key.pem").read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    with pytest.raises(ssl.SSLError):
        server_context(certificates / "server.pem", locked, "1.3")


def handshake(context: ssl.SSLContext, certificates: Path, group: str | None) -> str | None:
    """Shake hands in memory with a client that offers one group, or all that its library has; return the version."""
    client = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    if group is not None:
        client.set_ecdh_curve(group)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    answering = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return asking.version()


@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_no_client_chooses_what_a_handshake_costs(certificates: Path, minimum: str) -> None:
    """A stranger names the group that keys are agreed on in; the largest takes the server a thousand times as long."""
    context = server_context(certificates / "server.pem", certificates / "server-key.pem", minimum)
    assert handshake(context, certificates, None) == "TLSv1.3"
    assert handshake(context, certificates, "prime256v1") == "TLSv1.3"
    for group in ("ffdhe2048", "ffdhe8192", "secp521r1"):
        try:
            ssl.create_default_context().set_ecdh_curve(group)
        except (ValueError, ssl.SSLError):  # this library has none to offer
            continue
        with pytest.raises(ssl.SSLError):
            handshake(context, certificates, group)


def test_openssl_s_client_sees_tls_1_3_and_no_ticket(certificates: Path, tmp_path: Path) -> None:
    """Another implementation's eyes: no `New Session Ticket` arrives."""
    context = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with context.wrap_socket(sock, server_side=True) as tls:
                tls.sendall(b"hi")
                tls.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(certificates / "ca.pem")]
        done = subprocess.run(command, input=b"x", capture_output=True, timeout=30, check=False)
        thread.join(10)
    assert b"TLSv1.3" in done.stdout
    assert b"Session Ticket" not in done.stdout


def test_a_pair_that_openssl_does_not_take_is_one_sentence(tmp_path: Path) -> None:
    """A key that is too short belongs to its certificate, and is served nowhere."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short is what it is about
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "short")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "server-key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    config = load(None, {"certs_dir": str(tmp_path)})
    with pytest.raises(
        CertificateProblem, match=r"OpenSSL does not take .*server\.pem with .*server-key\.pem: .*SMALL"
    ):
        load_identity(IdentityFiles.of(config), config.tls, now + timedelta(minutes=1))

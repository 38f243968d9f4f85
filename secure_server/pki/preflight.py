"""A look at a certificate and its key before a server starts with them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from secure_protocol.sentence import Sentence
from secure_server.pki import handshake
from secure_server.pki.errors import CertificateProblem, ensure_command
from secure_server.pki.names import host_text
from secure_server.pki.profile import hosts_of
from secure_server.pki.store import CA, MAX_PEM_BYTES

__all__ = ["CertificateFacts", "CertificateProblem", "check_pair", "check_served", "read_ca"]


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a server should know of the certificate that it serves.

    Attributes:
        path: its file.
        subject: its subject in RFC 4514 form.
        sans: the names and addresses that it is good for.
        not_before: its first moment, in UTC.
        not_after: its last moment, in UTC.
        fingerprint: SHA-256 of `der`, in hex.
        der: the leaf as it is served; its SHA-256 is the `tls-server-end-point` channel binding (RFC 5929).
    """

    path: Path
    subject: str
    sans: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    der: bytes = field(repr=False)


def check_pair(cert_path: Path, key_path: Path, *, now: datetime) -> CertificateFacts:
    """Check that a server can serve with these two files now.

    Any kind of key will do: an operator may bring a certificate from elsewhere.

    Args:
        cert_path: the certificate, PEM; the first when it is a chain.
        key_path: its key, PEM, not encrypted.
        now: the time, with a time zone.

    Raises:
        CertificateProblem: a file is missing or unreadable, they do not belong together, or the time is wrong.
    """
    mend = ensure_command(cert_path.parent)
    certificate = _certificate(cert_path, mend)
    if certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != _public_key(
        key_path, mend
    ):
        raise CertificateProblem(
            Sentence(
                "The certificate {certificate} does not belong to the key {key}; run {mend}.",
                certificate=cert_path,
                key=key_path,
                mend=mend,
            )
        )
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise CertificateProblem(
            Sentence(
                "The certificate {path} expired on {day}; run {mend}.", path=cert_path, day=f"{end:%Y-%m-%d}", mend=mend
            )
        )
    if now < start:
        raise CertificateProblem(
            Sentence(
                "The certificate {path} is not valid before {moment} UTC; set the clock, or run {mend}.",
                path=cert_path,
                moment=f"{start:%Y-%m-%d %H:%M}",
                mend=mend,
            )
        )
    if not (sans := tuple(host_text(host) for host in hosts_of(certificate))):
        raise CertificateProblem(
            Sentence(
                "The certificate {path} holds no name or address (subjectAltName), so clients refuse it; run {mend}.",
                path=cert_path,
                mend=mend,
            )
        )
    return CertificateFacts(
        path=cert_path,
        subject=certificate.subject.rfc4514_string(),
        sans=sans,
        not_before=start,
        not_after=end,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        der=certificate.public_bytes(Encoding.DER),
    )


def read_ca(path: Path | None) -> bytes:
    """Return the PEM of our CAs; nothing where there is no such file, for a server runs without it."""
    try:
        return b"" if path is None else path.read_bytes()[:MAX_PEM_BYTES]
    except OSError:
        return b""


def check_served(context: ssl.SSLContext, facts: CertificateFacts, ca_pem: bytes) -> str:
    """Try a server's context in memory: it shows this certificate, and clients that trust our CAs accept it.

    Args:
        context: the server's.
        facts: what it should serve.
        ca_pem: our CAs; empty where there are none.

    Returns:
        A remark, as a clause: it is none of our CAs that signed it. Nothing otherwise.

    Raises:
        CertificateProblem: it shows another one, or a client of ours would refuse it.
    """
    ours = _is_of(facts, ca_pem)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ours:
        client.load_verify_locations(cadata=ca_pem.decode("ascii", "replace"))
    else:
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE  # whoever signed it, its own clients know; what is shown is what counts
    try:
        shown = handshake.served_by(context, client, facts.sans[0].replace("*", "any", 1) if ours else None)
    except ssl.SSLError as error:
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason or error
        raise CertificateProblem(
            Sentence(
                "Clients that trust {ca} would refuse the certificate {path}: {why}; run {mend}.",
                ca=facts.path.with_name(CA),
                path=facts.path,
                why=why,
                mend=ensure_command(facts.path.parent),
            )
        ) from None
    if shown != facts.der:
        raise CertificateProblem(Sentence("{path} changed while it was read; it is read again.", path=facts.path))
    return "" if ours or not ca_pem else Sentence("no CA in {ca} signed it", ca=facts.path.with_name(CA))


def _is_of(facts: CertificateFacts, ca_pem: bytes) -> bool:
    """Whether the certificate says that one of these CAs signed it, itself or by way of the next root."""
    try:
        roots = x509.load_pem_x509_certificates(ca_pem)
    except ValueError:
        return False
    issuer = x509.load_der_x509_certificate(facts.der).issuer
    return any(root.subject == issuer for root in roots)


def _certificate(path: Path, mend: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(_read(path, Sentence("The certificate"), mend))
        _ = certificate.extensions, certificate.public_key()  # parsed on first use
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem(
            Sentence("{path} is not a readable PEM certificate; run {mend}.", path=path, mend=mend)
        ) from None
    return certificate


def _public_key(path: Path, mend: str) -> bytes:
    """Return the public half; nothing of the key, nor of an error about it, goes further."""
    try:
        key = load_pem_private_key(_read(path, Sentence("The key"), mend), password=None)
    except TypeError:
        raise CertificateProblem(
            Sentence(
                "The key {path} is encrypted, and nobody is there to type its password when the server starts; "
                "run `openssl pkey -in {path} -out {path}.plain` and serve with that file.",
                path=path,
            )
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem(
            Sentence("{path} is not a readable PEM private key; run {mend}.", path=path, mend=mend)
        ) from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path, what: Sentence, mend: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PEM_BYTES)
    except FileNotFoundError:
        raise CertificateProblem(
            Sentence("{what} {path} is missing; run {mend}.", what=what, path=path, mend=mend)
        ) from None
    except PermissionError:
        raise CertificateProblem(
            Sentence(
                "{what} {path} cannot be read by this user; run the server as the file's owner, "
                "or give it to this user with `sudo chown $(id -un) {path}`.",
                what=what,
                path=path,
            )
        ) from None
    except OSError as error:
        raise CertificateProblem(
            Sentence(
                "{what} {path} cannot be read ({why}); run {mend}.", what=what, path=path, why=error.strerror, mend=mend
            )
        ) from None

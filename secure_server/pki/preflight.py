"""A look at a certificate and its key before a server starts with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from secure_protocol.sentence import Sentence
from secure_server.pki.errors import CertificateProblem, ensure_command
from secure_server.pki.names import host_text
from secure_server.pki.profile import hosts_of
from secure_server.pki.store import MAX_PEM_BYTES

__all__ = ["CertificateFacts", "CertificateProblem", "check_pair"]


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
    return CertificateFacts(
        path=cert_path,
        subject=certificate.subject.rfc4514_string(),
        sans=tuple(host_text(host) for host in hosts_of(certificate)),
        not_before=start,
        not_after=end,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        der=certificate.public_bytes(Encoding.DER),
    )


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

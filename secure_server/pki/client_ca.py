"""A look at the CAs for clients' certificates, before a server trusts them."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from secure_protocol.sentence import Sentence
from secure_server.pki.errors import CertificateProblem

MAX_BUNDLE_BYTES = 1024 * 1024
"""Some hundred CAs, more than the web's browsers trust; what is larger is something else."""


def read_client_ca(path: Path) -> str:
    """Return the CAs in a PEM file, one or several, as PEM.

    Their dates are not looked at: OpenSSL does that at each handshake, and a bundle may hold the CA to come.

    Raises:
        CertificateProblem: the file is missing, unreadable, holds no certificate, or one that is no CA. Trusting that
            one would admit whoever has its key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise CertificateProblem(
            Sentence(
                "The CA for client certificates {path} cannot be read ({why}); name the right file in tls.client_ca, "
                'or set tls.client_certificates = "off".',
                path=path,
                why=error.strerror,
            )
        ) from None
    try:
        certificates = _certificates(data)
        strangers = [found for found in certificates if not _is_ca(found)]
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem(
            Sentence("{path} holds no readable PEM certificates; name the right file in tls.client_ca.", path=path)
        ) from None
    if strangers:
        raise CertificateProblem(
            Sentence(
                "{path} holds the certificate {subject}, which is no CA; tls.client_ca takes those that sign clients' "
                "certificates, and nothing else.",
                path=path,
                subject=strangers[0].subject.rfc4514_string(),
            )
        )
    return "".join(found.public_bytes(Encoding.PEM).decode("ascii") for found in certificates)


def _certificates(data: bytes) -> list[x509.Certificate]:
    """Read all of them; the library leaves out what was cut, and then clients of that CA would be refused."""
    certificates = x509.load_pem_x509_certificates(data)
    if len(data) > MAX_BUNDLE_BYTES or len(certificates) != data.count(b"-----BEGIN CERTIFICATE-----"):
        raise ValueError
    return certificates


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False

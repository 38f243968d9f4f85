"""A certificate's chain and its key as Python objects: for a transport whose TLS is not OpenSSL's."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificates

from secure_protocol.sentence import Sentence
from secure_server.pki.errors import CertificateProblem


class KeyPair(NamedTuple):
    """What is served, and what proves that it is ours.

    Attributes:
        chain: the server's own certificate first.
        key: its private key.
    """

    chain: tuple[Certificate, ...]
    key: PrivateKeyTypes

    def __repr__(self) -> str:
        return f"KeyPair({self.chain[0].subject.rfc4514_string()})"


def read_pair(certificate: Path, key: Path, der: bytes) -> KeyPair:
    """Read the files of a certificate that was checked.

    Args:
        certificate: the chain, PEM.
        key: its private key, PEM, without a passphrase.
        der: the certificate that was checked.

    Raises:
        CertificateProblem: they hold another one by now.
    """
    try:
        chain = tuple(load_pem_x509_certificates(certificate.read_bytes()))
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        chain, private = (), None
    if private is None or not chain or chain[0].public_bytes(Encoding.DER) != der or not _belong(chain[0], private):
        raise CertificateProblem(
            Sentence("{certificate} and {key} were changed while they were read.", certificate=certificate, key=key)
        )
    return KeyPair(chain, private)


def _belong(certificate: Certificate, key: PrivateKeyTypes) -> bool:
    kind = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(*kind) == key.public_key().public_bytes(*kind)

"""The CA certificates that clients are given: `ca.pem` as it is to leave this machine."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from secure_protocol.sentence import Sentence
from secure_server.pki.errors import CertificateProblem, ensure_command
from secure_server.pki.store import CA, MAX_PEM_BYTES


def read_authorities(directory: Path) -> list[x509.Certificate]:
    """Read the CA certificates of a certificate directory, the first as it stands first.

    Raises:
        CertificateProblem: there is none, or the file cannot be read.
    """
    path, mend = directory / CA, ensure_command(directory)
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(MAX_PEM_BYTES))
    except FileNotFoundError:
        raise CertificateProblem(
            Sentence("The CA certificate {path} is missing; run {mend}.", path=path, mend=mend)
        ) from None
    except OSError as error:
        raise CertificateProblem(
            Sentence("The CA certificate {path} cannot be read ({why}).", path=path, why=error.strerror)
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateProblem(
            Sentence("{path} is not a readable PEM certificate; run {mend}.", path=path, mend=mend)
        ) from None


def bundle_of(pem: bytes) -> str:
    """Return the certificates of a CA file and nothing else, whatever it holds besides; empty where there is none."""
    try:
        authorities = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return ""
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in authorities)


def pin_of(authorities: list[x509.Certificate], leaf: x509.Certificate) -> str:
    """Return the SHA-256, in hex, of the one that signed `leaf`, or of the first where none of them did.

    While one root follows another, that is the one by which a newcomer can verify the server now.
    """
    signer = next((item for item in authorities if _signed(item, leaf)), authorities[0])
    return signer.fingerprint(hashes.SHA256()).hex()


def _signed(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):  # another issuer's name, kind of key, or key
        return False
    return True

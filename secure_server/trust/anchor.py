"""A CA that is to be trusted, and is fit for that: one that may vouch for a few names alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from secure_protocol.sentence import Sentence
from secure_server.pki.bundle import read_authorities
from secure_server.pki.errors import CertificateProblem, ensure_command
from secure_server.pki.names import NameConstraints
from secure_server.pki.store import CA

KEY_DIGITS = 16
"""Of the key's identifier in an anchor's name: enough to tell CAs apart."""
WIDEST_NETWORK = 7
"""Bits of the widest network that a CA of ours may vouch for, fc00::/7; a wider one is no constraint to speak of."""


class Anchor(NamedTuple):
    """A CA certificate that somebody is to trust.

    Attributes:
        certificate: of the CA.
        constraints: what it may vouch for.
    """

    certificate: x509.Certificate
    constraints: NameConstraints

    @property
    def name(self) -> str:
        """What stores know it by: the same when the CA is renewed with its own key."""
        return f"secure-server-{key_of(self.certificate).hex()[:KEY_DIGITS]}"

    @property
    def title(self) -> str:
        """What people know it by."""
        return title_of(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 as browsers and phones show it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def names(self) -> str:
        """What it may vouch for, for people."""
        return ", ".join((*self.constraints.domains, *map(str, self.constraints.networks)))

    def same_ca(self, certificate: x509.Certificate) -> bool:
        """Say whether a certificate is of this CA, maybe an earlier one."""
        mine = self.certificate
        return (certificate.subject, key_of(certificate)) == (mine.subject, key_of(mine))


def anchors_of(directory: Path) -> list[Anchor]:
    """Read the CAs that clients of a certificate directory are to trust; two during a rollover.

    Raises:
        CertificateProblem: there is none, or one of them might vouch for any name.
    """
    return [_checked(certificate, directory) for certificate in read_authorities(directory)]


def _checked(certificate: x509.Certificate, directory: Path) -> Anchor:
    constraints = NameConstraints.of(certificate)
    if constraints is None or not _narrow(constraints) or not _binding(certificate):
        raise CertificateProblem(
            Sentence(
                "The CA {title} in {path} has no name constraints, so whoever has its key could pose as any site to "
                "whoever trusts it; let {mend} make one that has.",
                title=title_of(certificate),
                path=directory / CA,
                mend=ensure_command(directory, new_ca=True),
            )
        )
    return Anchor(certificate, constraints)


def _narrow(constraints: NameConstraints) -> bool:
    """Whether they leave anything out: an empty domain stands for all (RFC 5280 section 4.2.1.10)."""
    named = all(domain.strip(".") for domain in constraints.domains)
    return named and all(network.prefixlen >= WIDEST_NETWORK for network in constraints.networks)


def _binding(certificate: x509.Certificate) -> bool:
    """Whether verifiers that do not know constraints refuse the CA, instead of passing over them."""
    return certificate.extensions.get_extension_for_class(x509.NameConstraints).critical


def title_of(certificate: x509.Certificate) -> str:
    """Return a certificate's common name."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "-"


def key_of(certificate: x509.Certificate) -> bytes:
    """Return what stands for a certificate's key."""
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest

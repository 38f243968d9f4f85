"""What a good certificate is: how it is built, and in what an existing one departs from that.

The profile is what every strict verifier accepts: OpenSSL's VERIFY_X509_STRICT (Python's default since 3.13), pyca's
verifier, Go and webpki. RFC 5280 section 4.2, and CA/Browser Forum Baseline Requirements section 7.1.

Whoever signs may have become the directory's owner meanwhile, who may not be able to read Python's packages: nothing is
imported then (`secure_server.files.owner`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import cryptography.hazmat.backends.openssl.backend  # noqa: F401 - else imported by the first signature, see below
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from secure_protocol.sentence import Sentence
from secure_server.pki.names import Host, NameConstraints

CA_LIFETIME = timedelta(days=825)
"""Apple's platforms refuse longer lives under private roots too.

Nothing asks that of the root itself, but holding it to the same bound costs nothing: the CA is renewed with its own
key, so that copies of ca.pem which clients hold go on working, and a CA key that was lost track of ends by itself.
"""
LEAF_LIFETIME = timedelta(days=397)
"""Below the 398 days that browsers accept."""
BACKDATE = timedelta(minutes=5)
"""A peer's clock may be behind ours by this much."""
RENEW_AFTER = 2 / 3
"""The part of its life after which a certificate is renewed: the rest is for whoever is slow to notice."""

ORGANIZATION = "secure-server"


class Purpose(Enum):
    """What a leaf certificate is for; the value is its extended key usage."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def generate_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key: browsers and pyca refuse Ed25519 CAs, and Ed25519 has no channel binding hash."""
    return ec.generate_private_key(ec.SECP256R1())


def is_p256(key: object) -> bool:
    """Say whether a public or private key is an ECDSA key on P-256."""
    kinds = (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)
    return isinstance(key, kinds) and isinstance(key.curve, ec.SECP256R1)


def ca_subject(key: ec.EllipticCurvePrivateKey) -> x509.Name:
    """Name a CA after its key: two CAs never share a name, and a CA made again from its key keeps it."""
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()
    return subject_name(f"{ORGANIZATION} local CA {digest[:8]}")


def issue_ca(
    key: ec.EllipticCurvePrivateKey,
    constraints: NameConstraints,
    *,
    subject: x509.Name,
    now: datetime,
    path_length: int = 0,
) -> x509.Certificate:
    """Make a self-signed CA that signs only within `constraints`.

    Args:
        key: the CA's key.
        constraints: what it may sign.
        subject: its name; see `ca_subject`.
        now: the time, in UTC; the certificate is backdated from it.
        path_length: 0 for leafs alone; 1 for a root that vouches for the one before it, see `cross_sign`.
    """
    start = _backdated(now)
    return (
        _builder(subject, subject, key.public_key(), start, start + CA_LIFETIME - timedelta(seconds=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(constraints.extension(), critical=True)
        .sign(key, hashes.SHA256())
    )


def cross_sign(
    ca: x509.Certificate, issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey, *, now: datetime
) -> x509.Certificate:
    """Make a certificate by which whoever trusts `issuer` alone accepts what `ca` signed; it outlives neither.

    It has the name, key and constraints of `ca`, and may sign leafs alone (RFC 5280 sections 3.2 and 4.2.1.9).

    Args:
        ca: the root that signed the leafs.
        issuer: the root that vouches for it; its path length is 1.
        issuer_key: the issuer's key.
        now: the time, in UTC; the certificate is backdated from it.
    """
    end = min(ca.not_valid_after_utc, issuer.not_valid_after_utc)
    issuer_key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(ca.subject, issuer.subject, ca.public_key(), _backdated(now), end)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key_id), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(_own_key_identifier(ca), critical=False)
        .add_extension(ca.extensions.get_extension_for_class(x509.NameConstraints).value, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def issue_leaf(
    public_key: ec.EllipticCurvePublicKey,
    common_name: str,
    hosts: Sequence[Host],
    purpose: Purpose,
    *,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """Make a server's or client's certificate; it never outlives its CA.

    Args:
        public_key: the key that is certified.
        common_name: for people to read; verifiers go by `hosts`.
        hosts: the subject alternative names, in order.
        purpose: server or client.
        ca: the issuer.
        ca_key: the issuer's key.
        now: the time, in UTC; a server's certificate is backdated from it. A client's is not: revoking a name ends
            what was made for it until then, and one made a minute later must be seen to be newer.
    """
    start = _backdated(now) if purpose is Purpose.SERVER else now.astimezone(UTC).replace(microsecond=0)
    end = min(start + LEAF_LIFETIME - timedelta(seconds=1), ca.not_valid_after_utc)
    ca_key_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject_name(common_name), ca.subject, public_key, start, end)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_key_id), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose.value]), critical=False)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def hosts_of(certificate: x509.Certificate) -> tuple[Host, ...]:
    """Return the host names and addresses in a certificate's subject alternative names, in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def renewal_moment(start: datetime, end: datetime) -> datetime:
    """Return the moment from which on a certificate of this life is to be renewed."""
    return start + (end - start) * RENEW_AFTER


def renewal_due(certificate: x509.Certificate, now: datetime) -> str | None:
    """Say why the certificate's time is up or almost up; None while it is not."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < start:
        return Sentence("it is not valid before {moment} UTC", moment=f"{start:%Y-%m-%d %H:%M}")
    if now > end:
        return Sentence("it expired on {day}", day=f"{end:%Y-%m-%d}")
    if now >= renewal_moment(start, end):
        return Sentence("two thirds of its life are over (it expires on {day})", day=f"{end:%Y-%m-%d}")
    return None


def path_length(ca: x509.Certificate) -> int:
    """Return 1 for a CA that a rollover made, so that it can vouch for the one before it; 0 for any other."""
    try:
        return int(ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1)
    except x509.ExtensionNotFound:
        return 0


def ca_departure(certificate: x509.Certificate) -> str | None:
    """Say in what a CA departs from the profile; None when in nothing."""
    expected: list[tuple[type[x509.ExtensionType], bool]] = [
        (x509.BasicConstraints, True),
        (x509.KeyUsage, True),
        (x509.SubjectKeyIdentifier, False),
        (x509.NameConstraints, True),
    ]
    values: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=True, path_length=path_length(certificate)),
        _key_usage(ca=True),
        _own_key_identifier(certificate),
    ]
    return next(_departures(certificate, expected, values, CA_LIFETIME), None) or (
        None if NameConstraints.of(certificate) else Sentence("it does not constrain both DNS names and addresses")
    )


def leaf_departure(certificate: x509.Certificate, purpose: Purpose) -> str | None:
    """Say in what a server's or client's certificate departs from the profile; None when in nothing."""
    expected: list[tuple[type[x509.ExtensionType], bool]] = [
        (x509.AuthorityKeyIdentifier, False),
        (x509.SubjectKeyIdentifier, False),
        (x509.BasicConstraints, True),
        (x509.KeyUsage, True),
        (x509.ExtendedKeyUsage, False),
        (x509.SubjectAlternativeName, not certificate.subject.rdns),
    ]
    values: list[x509.ExtensionType] = [
        _own_key_identifier(certificate),
        x509.BasicConstraints(ca=False, path_length=None),
        _key_usage(ca=False),
        x509.ExtendedKeyUsage([purpose.value]),
    ]
    return next(_departures(certificate, expected, values, LEAF_LIFETIME), None)


def _departures(
    certificate: x509.Certificate,
    expected: Sequence[tuple[type[x509.ExtensionType], bool]],
    values: Sequence[x509.ExtensionType],
    lifetime: timedelta,
) -> Iterator[str]:
    if certificate.version is not x509.Version.v3:
        yield Sentence("it is not an X.509 version 3 certificate")
    if not 0 < certificate.serial_number < 1 << 159:
        yield Sentence("its serial number is not positive or longer than 20 octets")
    if not is_p256(certificate.public_key()):
        yield Sentence("its key is not ECDSA P-256")
    # Both ends belong to the validity (RFC 5280 section 4.1.2.5).
    if certificate.not_valid_after_utc - certificate.not_valid_before_utc >= lifetime:
        yield Sentence("it is valid for more than {days} days", days=lifetime.days)
    found = {type(extension.value): extension for extension in certificate.extensions}
    for kind, critical in expected:
        if kind not in found:
            yield Sentence("it has no {extension}", extension=kind.__name__)
        elif found[kind].critical is not critical:
            if critical:
                yield Sentence("its {extension} must be critical", extension=kind.__name__)
            else:
                yield Sentence("its {extension} must not be critical", extension=kind.__name__)
    for value in values:
        if type(value) in found and found[type(value)].value != value:
            yield Sentence("its {extension} is not as it should be", extension=type(value).__name__)
    if extra := [extension for kind, extension in found.items() if kind not in dict(expected)]:
        yield Sentence("it has an extension that does not belong there ({oid})", oid=extra[0].oid.dotted_string)


def _own_key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())


def _backdated(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0) - BACKDATE


def subject_name(common_name: str) -> x509.Name:
    """Return the subject that a certificate with this common name bears."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: CertificatePublicKeyTypes, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    """A CA signs certificates and revocation lists; an EC leaf signs handshakes and nothing else."""
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )

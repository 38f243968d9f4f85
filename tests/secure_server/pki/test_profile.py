"""The checklist: what is issued follows it, and each departure is seen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from secure_server.pki import profile
from secure_server.pki.names import LOOPBACK_HOSTS, NameConstraints
from secure_server.pki.profile import Purpose

NOW = datetime(2026, 1, 1, 12, 0, 0, 999, tzinfo=UTC)
KEY = profile.generate_key()
CA = profile.issue_ca(KEY, NameConstraints.for_hosts(()), subject=profile.ca_subject(KEY), now=NOW)
LEAF = profile.issue_leaf(KEY.public_key(), "server", LOOPBACK_HOSTS, Purpose.SERVER, ca=CA, ca_key=KEY, now=NOW)


def criticality(certificate: x509.Certificate) -> dict[str, bool]:
    """Return each extension's name and whether it is critical."""
    return {type(extension.value).__name__: extension.critical for extension in certificate.extensions}


def test_the_ca_follows_the_checklist() -> None:
    """Extensions, criticality, path length, key, lifetime and backdating of a CA, spelt out."""
    assert criticality(CA) == {
        "BasicConstraints": True,
        "KeyUsage": True,
        "SubjectKeyIdentifier": False,
        "NameConstraints": True,
    }
    basic = CA.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    usage = CA.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert CA.version is x509.Version.v3
    assert CA.not_valid_before_utc == NOW.replace(microsecond=0) - timedelta(minutes=5)
    assert CA.not_valid_after_utc - CA.not_valid_before_utc == timedelta(days=825) - timedelta(seconds=1)
    assert isinstance(CA.public_key(), ec.EllipticCurvePublicKey)
    subtrees = CA.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    assert {type(name) for name in subtrees} == {x509.DNSName, x509.IPAddress}


@pytest.mark.parametrize("purpose", Purpose)
def test_leafs_follow_the_checklist(purpose: Purpose) -> None:
    """Extensions, criticality, usage, serial, lifetime and backdating of a leaf, spelt out."""
    leaf = profile.issue_leaf(KEY.public_key(), "x", LOOPBACK_HOSTS, purpose, ca=CA, ca_key=KEY, now=NOW)
    assert criticality(leaf) == {
        "AuthorityKeyIdentifier": False,
        "SubjectKeyIdentifier": False,
        "BasicConstraints": True,
        "KeyUsage": True,
        "ExtendedKeyUsage": False,
        "SubjectAlternativeName": False,
    }
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert (issuer.authority_cert_issuer, issuer.authority_cert_serial_number) == (None, None)
    assert issuer.key_identifier == CA.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_agreement, usage.key_encipherment) == (True, False, False)
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [purpose.value]
    assert 0 < leaf.serial_number < 1 << 159
    backdated = timedelta(minutes=5) if purpose is Purpose.SERVER else timedelta(0)  # a revocation goes by a client's
    assert leaf.not_valid_before_utc == NOW.replace(microsecond=0) - backdated
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=397) - timedelta(seconds=1)
    assert profile.leaf_departure(leaf, purpose) is None


def test_a_leaf_never_outlives_its_ca() -> None:
    """Towards the CA's end, leafs get shorter."""
    late = CA.not_valid_after_utc - timedelta(days=10)
    leaf = profile.issue_leaf(KEY.public_key(), "x", LOOPBACK_HOSTS, Purpose.SERVER, ca=CA, ca_key=KEY, now=late)
    assert leaf.not_valid_after_utc == CA.not_valid_after_utc


def test_what_is_good_departs_in_nothing() -> None:
    """The profile accepts what the profile makes, and tells server from client from CA."""
    assert profile.ca_departure(CA) is None
    assert profile.leaf_departure(LEAF, Purpose.SERVER) is None
    assert profile.leaf_departure(LEAF, Purpose.CLIENT) == "its ExtendedKeyUsage is not as it should be"
    assert profile.ca_departure(LEAF) is not None
    assert profile.leaf_departure(CA, Purpose.SERVER) is not None


Change = Callable[[list[x509.Extension[x509.ExtensionType]]], None]


def rebuilt(base: x509.Certificate, change: Change | None = None, **fields: object) -> x509.Certificate:
    """Sign `base` again after a change of its extensions or fields."""
    extensions = list(base.extensions)
    if change:
        change(extensions)
    key = fields.get("key", KEY)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    end = fields.get("end", base.not_valid_after_utc)
    assert isinstance(end, datetime)
    builder = (
        x509.CertificateBuilder()
        .subject_name(base.subject)
        .issuer_name(base.issuer)
        .public_key(key.public_key())
        .serial_number((1 << 159) - 1 if "key" in fields else (1 << 159) if "serial" in fields else 7)
        .not_valid_before(base.not_valid_before_utc)
        .not_valid_after(end)
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(KEY, hashes.SHA256())


def without(kind: type[x509.ExtensionType]) -> Change:
    """Drop an extension."""

    def change(extensions: list[x509.Extension[x509.ExtensionType]]) -> None:
        extensions[:] = [extension for extension in extensions if not isinstance(extension.value, kind)]

    return change


def flipped(kind: type[x509.ExtensionType]) -> Change:
    """Turn an extension's criticality around."""

    def change(extensions: list[x509.Extension[x509.ExtensionType]]) -> None:
        extensions[:] = [
            x509.Extension(extension.oid, extension.critical ^ isinstance(extension.value, kind), extension.value)
            for extension in extensions
        ]

    return change


def test_every_missing_or_wrongly_critical_extension_is_seen() -> None:
    """Each extension of each kind of certificate, dropped and flipped in turn, is named in the reason."""
    for base, departure in (
        (CA, profile.ca_departure),
        (LEAF, lambda certificate: profile.leaf_departure(certificate, Purpose.SERVER)),
    ):
        for extension in base.extensions:
            kind = type(extension.value)
            assert departure(rebuilt(base, without(kind))) == f"it has no {kind.__name__}"
            must = "must not" if not extension.critical else "must"
            assert departure(rebuilt(base, flipped(kind))) == f"its {kind.__name__} {must} be critical"
        assert departure(rebuilt(base)) is None


def test_the_other_departures_are_seen() -> None:
    """Lifetime, key, serial, a surplus extension, another path length, one-sided constraints."""
    too_long = rebuilt(LEAF, end=LEAF.not_valid_before_utc + timedelta(days=397))
    assert profile.leaf_departure(too_long, Purpose.SERVER) == "it is valid for more than 397 days"
    p384 = rebuilt(LEAF, key=ec.generate_private_key(ec.SECP384R1()))
    assert profile.leaf_departure(p384, Purpose.SERVER) == "its key is not ECDSA P-256"

    def surplus(extensions: list[x509.Extension[x509.ExtensionType]]) -> None:
        extensions.append(x509.Extension(x509.OCSPNoCheck.oid, critical=False, value=x509.OCSPNoCheck()))

    assert "does not belong there" in str(profile.leaf_departure(rebuilt(LEAF, surplus), Purpose.SERVER))

    def deeper(extensions: list[x509.Extension[x509.ExtensionType]]) -> None:
        without(x509.BasicConstraints)(extensions)
        value = x509.BasicConstraints(ca=True, path_length=2)
        extensions.append(x509.Extension(value.oid, critical=True, value=value))

    assert profile.ca_departure(rebuilt(CA, deeper)) == "its BasicConstraints is not as it should be"
    names_only = NameConstraints(("test",), ())
    one_sided = profile.issue_ca(KEY, names_only, subject=CA.subject, now=NOW)
    assert profile.ca_departure(one_sided) == "it does not constrain both DNS names and addresses"


def test_the_renewal_window() -> None:
    """Good from its first second to two thirds; then the reason says which end was passed."""
    start, end = LEAF.not_valid_before_utc, LEAF.not_valid_after_utc
    second = timedelta(seconds=1)
    two_thirds = start + (end - start) * profile.RENEW_AFTER
    assert profile.renewal_due(LEAF, start) is None
    assert profile.renewal_due(LEAF, two_thirds - second) is None
    assert "two thirds" in str(profile.renewal_due(LEAF, two_thirds + second))
    assert "expired on" in str(profile.renewal_due(LEAF, end + second))
    assert "not valid before" in str(profile.renewal_due(LEAF, start - second))


def test_a_certificate_without_names_has_no_hosts() -> None:
    """A common name is not a host."""
    assert profile.hosts_of(CA) == ()
    assert profile.hosts_of(LEAF) == LOOPBACK_HOSTS


def test_nothing_is_imported_when_a_certificate_is_signed() -> None:
    """Root has become the directory's owner by then, who may not be able to read Python's packages."""
    code = (
        "import sys\n"
        "from datetime import UTC, datetime\n"
        "from cryptography.hazmat.primitives.asymmetric import ec\n"
        "from secure_server.pki import names, profile\n"
        "key, constraints = ec.generate_private_key(ec.SECP256R1()), names.NameConstraints.for_hosts([])\n"
        "known = set(sys.modules)\n"
        "profile.issue_ca(key, constraints, subject=profile.ca_subject(key), now=datetime.now(UTC))\n"
        "print(*sorted(set(sys.modules) - known))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

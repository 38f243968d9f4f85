"""Which CAs may be trusted: those that can vouch for a few names alone."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import CertificateProblem
from secure_server.pki.rollover import Step
from secure_server.trust.anchor import anchors_of

DNS = x509.DNSName("box.internal")
NETWORK = x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))


def made_elsewhere(directory: Path, *, permitted: list[x509.GeneralName] | None, critical: bool = True) -> Path:
    """Put a CA there that another program made."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Some CA")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if permitted is not None:
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical)
    (directory / "ca.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return directory


def test_ours_are_fit(certificates: Path) -> None:
    """With what a person compares and is told."""
    (anchor,) = anchors_of(certificates)
    known = x509.load_pem_x509_certificate((certificates / "ca.pem").read_bytes())
    assert anchor.pem == (certificates / "ca.pem").read_bytes()
    assert anchor.fingerprint.replace(":", "").lower() == known.fingerprint(hashes.SHA256()).hex()
    assert anchor.title.startswith("secure-server local CA ")
    assert "localhost" in anchor.names
    assert "127.0.0.0/8" in anchor.names


def test_a_rollover_has_two(tmp_path: Path) -> None:
    """Until it is finished both are to be trusted, each under a name of its own."""
    ensure(Request(tmp_path))
    ensure(Request(tmp_path, rollover=Step.BEGIN))
    first, second = anchors_of(tmp_path)
    assert first.name != second.name


def test_another_programs_may_be_fit(tmp_path: Path) -> None:
    """What counts is what it can vouch for."""
    (anchor,) = anchors_of(made_elsewhere(tmp_path, permitted=[DNS, NETWORK]))
    assert (anchor.title, anchor.names) == ("Some CA", "box.internal, 10.0.0.0/8")


@pytest.mark.parametrize(
    ("permitted", "critical"),
    [
        (None, True),
        ([DNS], True),
        ([NETWORK], True),
        ([x509.DNSName(""), NETWORK], True),
        ([DNS, x509.IPAddress(ipaddress.ip_network("0.0.0.0/0"))], True),
        ([DNS, NETWORK], False),
    ],
)
def test_one_for_any_name_is_refused(
    tmp_path: Path, permitted: list[x509.GeneralName] | None, *, critical: bool
) -> None:
    """Without constraints, with one that leaves out nothing, or with one that may be passed over."""
    with pytest.raises(CertificateProblem, match=r"Some CA in .* could pose as any site .*--new-ca"):
        anchors_of(made_elsewhere(tmp_path, permitted=permitted, critical=critical))


def test_none_is_said(tmp_path: Path) -> None:
    """With what makes one."""
    with pytest.raises(CertificateProblem, match=r"ca\.pem is missing; run `secure-server certs ensure"):
        anchors_of(tmp_path)

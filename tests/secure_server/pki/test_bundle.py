"""The CA certificates that clients are given."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from secure_server.pki.bundle import bundle_of, pin_of, read_authorities
from secure_server.pki.errors import CertificateProblem

from .conftest import Bench


def test_nothing_but_certificates_leaves(bench: Bench) -> None:
    """A key that somebody put into the same file stays here."""
    bench.run()
    ca, key = bench.path / "ca.pem", bench.path / "ca-key.pem"
    wanted = ca.read_text(encoding="ascii")
    ca.write_text(key.read_text(encoding="ascii") + wanted, encoding="ascii")
    assert bundle_of(ca.read_bytes()) == wanted
    assert bundle_of(b"") == bundle_of(key.read_bytes()) == ""


def test_the_pin_is_of_the_root_that_signed(bench: Bench) -> None:
    """Of two roots, in either order; of the first where neither did."""
    bench.run()
    (old,) = read_authorities(bench.path)
    bench.run(new_ca=True)
    (new,) = read_authorities(bench.path)
    leaf = x509.load_pem_x509_certificate((bench.path / "server.pem").read_bytes())
    signer = new.fingerprint(hashes.SHA256()).hex()
    assert pin_of([old, new], leaf) == pin_of([new, old], leaf) == signer
    assert pin_of([old], leaf) == old.fingerprint(hashes.SHA256()).hex()


def test_what_cannot_be_read_is_said(bench: Bench) -> None:
    """Missing, no certificate, no file."""
    bench.path.mkdir()
    with pytest.raises(CertificateProblem, match="is missing; run `secure-server certs ensure"):
        read_authorities(bench.path)
    (bench.path / "ca.pem").write_text("none", encoding="ascii")
    with pytest.raises(CertificateProblem, match="is not a readable PEM certificate"):
        read_authorities(bench.path)
    (bench.path / "ca.pem").unlink()
    (bench.path / "ca.pem").mkdir()
    with pytest.raises(CertificateProblem, match="cannot be read"):
        read_authorities(bench.path)

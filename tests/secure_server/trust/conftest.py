"""A CA, and the same CA renewed with its key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from secure_server.pki.profile import issue_ca
from secure_server.trust.anchor import Anchor, anchors_of


@pytest.fixture
def anchor(certificates: Path) -> Anchor:
    """The CA of these tests."""
    return anchors_of(certificates)[0]


@pytest.fixture
def renewed(certificates: Path, anchor: Anchor) -> Anchor:
    """The same, a day later."""
    key = load_pem_private_key((certificates / "ca-key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    again: x509.Certificate = issue_ca(key, anchor.constraints, subject=anchor.certificate.subject, now=tomorrow)
    return anchor._replace(certificate=again)

"""The CAs for clients' certificates, looked at before a server trusts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.pki.client_ca import MAX_BUNDLE_BYTES, read_client_ca
from secure_server.pki.errors import CertificateProblem


def test_a_bundle(certificates: Path, tmp_path: Path) -> None:
    """Several CAs, and words between them."""
    ca = (certificates / "ca.pem").read_text("ascii")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(f"# ours\n{ca}\n# theirs\n{ca}", encoding="ascii")
    assert read_client_ca(bundle) == ca * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("", "holds no readable PEM certificates"),
        ("{ca}{cut}", "holds no readable PEM certificates"),
        ("{ca}{padding}", "holds no readable PEM certificates"),
        ("{ca}{server}", "which is no CA"),
    ],
)
def test_what_cannot_be_used(certificates: Path, tmp_path: Path, content: str | None, words: str) -> None:
    """Missing, empty, cut, endless, or a leaf, whose key would then open the door by itself."""
    ca, server = ((certificates / name).read_text("ascii") for name in ("ca.pem", "server.pem"))
    path = tmp_path / "ca.pem"
    if content is not None:
        text = content.format(ca=ca, cut=ca[:300], padding="x" * MAX_BUNDLE_BYTES, server=server)
        path.write_text(text, encoding="ascii")
    with pytest.raises(CertificateProblem, match=words):
        read_client_ca(path)

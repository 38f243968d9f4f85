"""By which name browsers find a server that listens somewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from secure_server.config.endpoint import Endpoint
from secure_server.config.web import Web
from secure_server.identity.link import link_to
from secure_server.pki.errors import CertificateError
from secure_server.pki.preflight import CertificateFacts
from tests.secure_server.host import identity


def facts(*names: str) -> Callable[[], CertificateFacts]:
    """A certificate with these names."""
    return lambda: identity(sans=names).certificate


@pytest.mark.parametrize(
    ("listening", "names", "address"),
    [
        ("127.0.0.1", ("localhost", "127.0.0.1"), "https://localhost:5000"),
        ("127.0.0.1", ("127.0.0.1",), "https://127.0.0.1:5000"),
        ("192.0.2.7", ("localhost", "192.0.2.7"), "https://192.0.2.7:5000"),
        ("192.0.2.7", ("localhost", "::1", "*.test", "box.test"), "https://box.test:5000"),
        ("0.0.0.0", ("localhost", "box.test"), "https://box.test:5000"),  # noqa: S104 - where it listens
        ("192.0.2.7", ("localhost",), "https://192.0.2.7:5000"),
    ],
)
def test_a_name_that_browsers_accept(listening: str, names: tuple[str, ...], address: str) -> None:
    """One of the certificate; where it has none for others, that is said."""
    link = link_to(Web(enabled=True), [Endpoint(listening, 5000)], facts(*names), None, None)
    assert link.address == address
    lacking = "does not hold" in " ".join(link.notes)
    assert lacking == (names == ("localhost",))


def test_what_cannot_be_a_link() -> None:
    """A page that is off, a port that is not known yet."""
    with pytest.raises(CertificateError, match="The page is off"):
        link_to(Web(), [Endpoint("127.0.0.1", 5000)], facts("localhost"), None, None)
    with pytest.raises(CertificateError, match="give the one in use with --port"):
        link_to(Web(enabled=True), [Endpoint("127.0.0.1", 0)], facts("localhost"), None, None)

"""From a client's certificate to whom it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from secure_server.auth.certificates import (
    CertificateAuthenticator,
    CertificateRefusedError,
    CertificateSettingError,
    CertificateState,
    Grant,
    certificate_of,
)
from secure_server.auth.principal import ClientCertificate, Principal, Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.config.settings import Certificate, Limits
from secure_server.pki.profile import generate_key

from .conftest import Clock

HERE = "192.0.2.1:5"


def certificate(name: str = "alice", begins: float = -1000, ends: float = 1000) -> ClientCertificate:
    """A certificate around the clock's first second."""
    now = Clock().now
    return ClientCertificate(name, "ab" * 32, now + begins, now + ends)


def grant(**written: object) -> Grant:
    """A table's grant."""
    return Grant.of("alice", Certificate(**{"role": "operator", **written}), Limits(), 0.0)  # type: ignore[arg-type]  # as in the file


def refusal(authenticator: CertificateAuthenticator, shown: ClientCertificate, address: str = HERE) -> str | None:
    """Why it is refused; None when it is not."""
    try:
        authenticator.authenticate(shown, address)
    except CertificateRefusedError as error:
        return str(error.reason)
    return None


@pytest.fixture
def authenticator(storage: SQLiteTokenStorage, clock: Clock) -> CertificateAuthenticator:
    """Knows alice."""
    return CertificateAuthenticator(storage, {"alice": grant(allow=("echo",))}, clock)


def der(names: Sequence[str], clock: Clock) -> bytes:
    """A self-signed certificate with these common names."""
    from datetime import UTC, datetime  # noqa: PLC0415 - for this helper alone

    key = generate_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    start = datetime.fromtimestamp(clock.now, UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


def test_what_is_read_of_a_certificate(clock: Clock) -> None:
    """Name, fingerprint and dates; of several names or none, no name, for nobody could say which is meant."""
    data = der(["alice"], clock)
    fingerprint = x509.load_der_x509_certificate(data).fingerprint(hashes.SHA256()).hex()
    assert certificate_of(data) == ClientCertificate("alice", fingerprint, clock.now, clock.now)
    assert certificate_of(der([], clock)).name == ""
    assert certificate_of(der(["alice", "bob"], clock)).name == ""
    with pytest.raises(ValueError, match="parsing"):
        certificate_of(b"no certificate")


def test_a_mapped_name_gives_its_principal(authenticator: CertificateAuthenticator) -> None:
    """Exactly that name: another case, a longer one or none is nobody's."""
    shown = certificate()
    wanted = Principal("alice", Role.OPERATOR, None, frozenset({"ECHO"}), shown)
    assert authenticator.authenticate(shown, HERE) == wanted
    for name in ("Alice", "alice.", "alice2", "*", ""):
        assert authenticator.authenticate(certificate(name), HERE) is None


@pytest.mark.parametrize(
    ("begins", "state"), [(-1, "revoked"), (0, "revoked"), (1, "good")], ids=["before", "in that second", "after"]
)
def test_revoking_goes_by_when_it_was_made(
    authenticator: CertificateAuthenticator, storage: SQLiteTokenStorage, clock: Clock, begins: float, state: str
) -> None:
    """Mapped or not, what was made until that moment is refused; other names are not."""
    for name in ("alice", "bob"):
        storage.bar(name, clock.now)
    assert authenticator.state(certificate(begins=begins)) is CertificateState.GOOD  # nobody told it yet
    authenticator.reload()
    for name in ("alice", "bob"):
        shown = certificate(name, begins=begins)
        assert authenticator.state(shown) == state
        assert refusal(authenticator, shown) == (None if state == "good" else state)
    assert refusal(authenticator, certificate("carol", begins=begins)) is None


def test_a_revocation_never_moves_back_and_is_undone_as_a_whole(
    authenticator: CertificateAuthenticator, storage: SQLiteTokenStorage, clock: Clock
) -> None:
    """A second one, by a clock that was set back, frees nothing."""
    storage.bar("alice", clock.now)
    storage.bar("alice", clock.now - 500)
    assert storage.load_barred() == {"alice": clock.now}
    authenticator.reload()
    assert refusal(authenticator, certificate(begins=-400)) == "revoked"
    assert storage.unbar("alice")
    assert not storage.unbar("alice")
    authenticator.reload()
    assert refusal(authenticator, certificate(begins=-400)) is None


def test_an_expired_one_is_refused(authenticator: CertificateAuthenticator, clock: Clock) -> None:
    """Its last second is good still (RFC 5280 section 4.1.2.5), whatever the handshake said before."""
    shown = certificate(ends=10)
    clock.now += 10.9
    assert refusal(authenticator, shown) is None
    clock.now += 0.2
    assert refusal(authenticator, shown) == "expired"


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.200:40312", True),
        ("[::ffff:192.0.2.7]:5", True),
        ("[2001:db8::1]:5", True),
        ("[2001:db8::1%eth0]:5", True),
        ("192.0.3.1:5", False),
        ("[2001:db9::1]:5", False),
        ("unix", False),
    ],
)
def test_networks(storage: SQLiteTokenStorage, clock: Clock, address: str, inside: bool) -> None:  # noqa: FBT001 - parametrized
    """Of both families, IPv4 inside IPv6 too; a peer without an address is in none."""
    grants = {"alice": grant(networks=("192.0.2.0/24", "2001:db8::/32"))}
    authenticator = CertificateAuthenticator(storage, grants, clock)
    assert refusal(authenticator, certificate(), address) == (None if inside else "wrong-network")
    assert refusal(authenticator, certificate("bob"), address) is None


def test_all_sessions_of_a_name_share_its_rate(storage: SQLiteTokenStorage, clock: Clock) -> None:
    """`limits.commands_per_second` is of a principal, not of a connection."""
    limits = Limits(commands_per_second=5, commands_burst=7)
    granted = Grant.of("alice", Certificate(role="user"), limits, 0.0)
    authenticator = CertificateAuthenticator(storage, {"alice": granted}, clock)
    first, second = (authenticator.authenticate(certificate(), HERE) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.bucket is not None
    assert first.bucket is second.bucket
    assert (first.bucket.per_second, first.bucket.burst) == (5, 7)
    assert grant().bucket is None


@pytest.mark.parametrize("name", ["local:root", "", "a b", "scs_x", "a" * 65])
def test_a_name_that_could_pass_for_another_is_refused(name: str) -> None:
    """The same names as tokens have, so that logs and lists stay readable."""
    with pytest.raises(CertificateSettingError, match=r"^\[certificates\."):
        Grant.of(name, Certificate(role="user"), Limits(), 0.0)

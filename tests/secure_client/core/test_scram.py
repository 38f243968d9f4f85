"""The client's half of SCRAM: the example of RFC 7677, the library's server, and the library's binding."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramException, ScramMechanism
from scramp.core import CBindData

from secure_client.core.scram import ScramClient, ScramError, end_point
from secure_protocol.scram import BINDING, ITERATIONS, MECHANISM

DAY = dt.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
RSA = rsa.generate_private_key(65537, 2048)
SALT, BOUND = b"salt of the test", b"what was bound"


def certificate(key: Key, hashed: hashes.HashAlgorithm | None, *, pss: bool = False) -> bytes:
    """Return one in DER, signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 60)])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + DAY)
    scheme = padding.PSS(padding.MGF1(hashes.SHA384()), padding.PSS.DIGEST_LENGTH) if pss else None
    signed = made.sign(key, hashed, rsa_padding=scheme)  # type: ignore[arg-type]  # None is for those without a hash
    return signed.public_bytes(serialization.Encoding.DER)


def test_the_example_of_rfc_7677() -> None:
    """Section 3, byte for byte; its client supports no channel binding."""
    client = ScramClient("user", "pencil", b"", nonce="rOprNGfwEbeRWgbNEkqO", header="n,,")
    assert client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = client.final("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    assert final == (
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    client.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ScramError):
        client.verify("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@given(user=st.text("abc=,", min_size=1, max_size=8), password=st.text("abcXYZ019", min_size=1, max_size=50))
def test_the_librarys_server_and_it_prove_each_other(user: str, password: str) -> None:
    """Whoever has the password; and whoever has another is found by both."""
    mechanism = ScramMechanism(MECHANISM)
    keys = mechanism.make_auth_info(password, ITERATIONS, SALT)
    asked: list[str] = []
    server = mechanism.make_server(lambda name: asked.append(name) or keys, (BINDING, BOUND))  # type: ignore[func-returns-value]
    client = ScramClient(user, password, BOUND)
    server.set_client_first(client.first())
    server.set_client_final(client.final(server.get_server_first()))
    client.verify(server.get_server_final())
    assert asked == [user]


@pytest.mark.parametrize(("password", "binding"), [("another", BOUND), ("secret", b"another")])
def test_a_wrong_password_or_binding_proves_nothing(password: str, binding: bytes) -> None:
    """The server sees it by the proof."""
    mechanism = ScramMechanism(MECHANISM)
    keys = mechanism.make_auth_info("secret", ITERATIONS, SALT)
    server = mechanism.make_server(lambda _user: keys, (BINDING, BOUND))
    client = ScramClient("user", password, binding)
    server.set_client_first(client.first())
    with pytest.raises(ScramException):
        server.set_client_final(client.final(server.get_server_first()))


def test_a_server_proves_nothing_before_its_turn() -> None:
    """An empty signature is none, and neither is what is no base64."""
    for said in ("v=", "v=AAAA", "v=*", "e=other-error", "", None):
        with pytest.raises(ScramError):
            ScramClient("user", "secret", BOUND).verify(said)


@pytest.mark.parametrize(
    ("key", "hashed", "pss"),
    [
        (ec.generate_private_key(ec.SECP256R1()), hashes.SHA256(), False),
        (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), False),
        (ec.generate_private_key(ec.SECP521R1()), hashes.SHA512(), False),
        (RSA, hashes.SHA256(), False),
        (RSA, hashes.SHA384(), False),
        (RSA, hashes.SHA512(), False),
        (RSA, hashes.SHA384(), True),
        (RSA, hashes.SHA224(), False),
        (ed25519.Ed25519PrivateKey.generate(), None, False),
    ],
)
def test_what_binds_is_the_hash_that_the_library_takes(
    key: Key,
    hashed: hashes.HashAlgorithm | None,
    pss: bool,  # noqa: FBT001 - a row
) -> None:
    """That of the certificate's signature, of the usual and the rare ones."""
    made = certificate(key, hashed, pss=pss)
    assert end_point(made) == bytes(CBindData.from_der(made))


def test_what_cannot_bind_is_told() -> None:
    """A hash without a length, and what is no certificate at all."""
    for made in (certificate(ed448.Ed448PrivateKey.generate(), None), b"", b"\x30", b"\x30\x82\xff\xff", b"nonsense"):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the library says of it
            end_point(made)

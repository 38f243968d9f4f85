"""The server's side of the mutual handshake, against the library's client."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from scramp import ScramClient, ScramException, ScramMechanism

from secure_protocol.scram import BINDING, ITERATIONS, MECHANISM, MESSAGE_CHARACTERS
from secure_protocol.token import Token
from secure_server.auth.authenticator import TokenAuthenticator
from secure_server.auth.errors import SplitStorageError, StorageError
from secure_server.auth.principal import Role
from secure_server.auth.scram import Exchange, ExchangeError, end_point
from secure_server.auth.scram_keys import Salted, keys_of, salt_of
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import ScramKeys, TokenRecord, digest_of
from secure_server.auth.tokens import Tokens

KEY = b"k" * 32
BOUND = b"b" * 32


@pytest.fixture
def token() -> Token:
    """The one that the server knows."""
    return Token.generate()


@pytest.fixture
def exchange(token: Token) -> Exchange:
    """A handshake that knows `token` alone, and takes every id for it."""
    return Exchange(lambda token_id: Salted(salt_of(KEY, token_id), keys_of(token, KEY)), BOUND)


def client(token: Token, binding: bytes = BOUND, kind: str = BINDING) -> ScramClient:
    """The other side."""
    return ScramClient([MECHANISM], token.id, token.secret, (kind, binding))


def finish(exchange: Exchange, peer: ScramClient) -> str:
    """Go through both steps; return the server's proof."""
    peer.set_server_first(exchange.begin(peer.get_client_first()))
    return exchange.finish(peer.get_client_final())


def test_both_sides_prove_themselves(exchange: Exchange, token: Token) -> None:
    """And the secret is in none of the messages."""
    peer = client(token)
    first = peer.get_client_first()
    answer = exchange.begin(first)
    peer.set_server_first(answer)
    final = peer.get_client_final()
    proof = exchange.finish(final)
    peer.set_server_final(proof)
    assert exchange.token_id == token.id
    assert not any(token.secret in message for message in (first, answer, final, proof))


def test_a_wrong_secret_is_refused(exchange: Exchange, token: Token) -> None:
    """With the word of RFC 5802 for it."""
    with pytest.raises(ExchangeError) as caught:
        finish(exchange, client(Token(token.id, Token.generate().secret)))
    assert caught.value.word == "invalid-proof"


def test_another_certificate_is_refused(exchange: Exchange, token: Token) -> None:
    """Who relays cannot change what the client was served."""
    with pytest.raises(ExchangeError) as caught:
        finish(exchange, client(token, b"x" * 32))
    assert caught.value.word == "channel-bindings-dont-match"


def test_a_proof_is_good_for_its_exchange_alone(token: Token) -> None:
    """What was overheard proves nothing later: the server's nonce is new each time."""

    def find(token_id: str) -> Salted:
        return Salted(salt_of(KEY, token_id), keys_of(token, KEY))

    peer = client(token)
    first = peer.get_client_first()
    exchange, again = Exchange(find, BOUND), Exchange(find, BOUND)
    peer.set_server_first(exchange.begin(first))
    again.begin(first)
    final = peer.get_client_final()
    exchange.finish(final)
    with pytest.raises(ExchangeError):
        again.finish(final)


def test_a_server_that_knows_another_secret_cannot_prove_itself(token: Token) -> None:
    """The client finds out even if the server lets it in."""
    peer = client(token)
    other = Exchange(lambda token_id: Salted(salt_of(KEY, token_id), keys_of(Token.generate(), KEY)), BOUND)
    peer.set_server_first(other.begin(peer.get_client_first()))
    peer.get_client_final()
    with pytest.raises(ScramException):
        peer.set_server_final("v=" + "A" * 43 + "=")


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("", "other-error"),
        ("hello", "other-error"),
        ("n,,n=abc,r=x", "other-error"),
        ("p=tls-server-end-point,,n=ABCDEFGHIJ,r=a\x00b", "other-error"),
        ("p=tls-server-end-point,,n=ABCDEFGHIJ,r=é", "other-error"),
        ("p=tls-server-end-point,,n=ABCDEFGHIJ,r=" + "x" * MESSAGE_CHARACTERS, "other-error"),
        ("p=tls-server-end-point,a=ada,n=ABCDEFGHIJ,r=x", "other-error"),
        ("n,,n=ABCDEFGHIJ,r=x", "server-does-support-channel-binding"),
        ("y,,n=ABCDEFGHIJ,r=x", "server-does-support-channel-binding"),
        ("p=tls-unique,,n=ABCDEFGHIJ,r=x", "unsupported-channel-binding-type"),
        ("p=tls-server-end-point,,n=ABCDEFGHIJ,r=x,m=must", "extensions-not-supported"),
    ],
)
def test_what_is_no_first_message_is_refused(exchange: Exchange, message: str, word: str) -> None:
    """Malformed, too long, without a binding or with another: never an exception of the library's."""
    with pytest.raises(ExchangeError) as caught:
        exchange.begin(message)
    assert caught.value.word == word


@pytest.mark.parametrize("message", ["", "c=", "c=biws,r=x,p=eA==", "c=!,r=x,p=y", "c=" + "A" * 5000, "c=é,r=x,p=y"])
def test_what_is_no_final_message_is_refused(exchange: Exchange, token: Token, message: str) -> None:
    """Likewise."""
    exchange.begin(client(token).get_client_first())
    with pytest.raises(ExchangeError):
        exchange.finish(message)


def test_the_keys_are_the_librarys(token: Token) -> None:
    """Those few lines are ours; the exchange reads them."""
    salt = salt_of(b"key", token.id)
    _, stored_key, server_key, _ = ScramMechanism(MECHANISM).make_auth_info(token.secret, ITERATIONS, salt)
    assert keys_of(token, b"key") == ScramKeys(stored_key, server_key)


def test_salts_depend_on_the_id_and_on_the_storage() -> None:
    """And are the same each time, for ids that there are not as well."""
    assert salt_of(KEY, "A") == salt_of(KEY, "A")
    assert len({salt_of(KEY, "A"), salt_of(KEY, "B"), salt_of(b"other", "A")}) == 3


Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


def certificate(algorithm: hashes.SHA256 | hashes.SHA384 | None, key: Key | None = None) -> bytes:
    """A certificate signed with that hash."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def test_the_binding_is_the_hash_of_the_leaf() -> None:
    """SHA-256, or what is stronger where the certificate is signed with that (RFC 5929 section 4.1)."""
    ours, strong = certificate(hashes.SHA256()), certificate(hashes.SHA384())
    edwards = certificate(None, ed25519.Ed25519PrivateKey.generate())
    assert end_point(ours) == hashlib.sha256(ours).digest()
    assert end_point(strong) == hashlib.sha384(strong).digest()
    assert end_point(edwards) == hashlib.sha512(edwards).digest()


def test_nothing_is_bound_to_ed448() -> None:
    """Its hash has no fixed length."""
    with pytest.raises(ExchangeError) as caught:
        end_point(certificate(None, ed448.Ed448PrivateKey.generate()))
    assert caught.value.word == "channel-binding-not-supported"


def test_our_own_certificates_can_be_bound_to(certificates: Path) -> None:
    """Those that `certs ensure` makes."""
    pem = (certificates / "server.pem").read_bytes()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert end_point(der) == hashlib.sha256(der).digest()


def made_by_an_older_version(storage: SQLiteTokenStorage) -> Token:
    """A token that the storage keeps without keys."""
    token = Token.generate()
    record = TokenRecord(token.id, "old", Role.USER, digest_of(token.secret), created=0.0)
    assert storage.add(record, beside_active=False)
    return token


def test_the_salt_key_is_the_databases_own(path: Path, storage: SQLiteTokenStorage, tmp_path: Path) -> None:
    """It lasts as long as the keys that were made with it, and no two databases share one."""
    with SQLiteTokenStorage(path) as again, SQLiteTokenStorage(tmp_path / "other.db") as other:
        assert storage.salt_key() == again.salt_key() != other.salt_key()
    assert len(storage.salt_key()) == 32


def test_keys_are_kept_once_and_told_of(storage: SQLiteTokenStorage) -> None:
    """Those that are there stay; other processes hear of new ones."""
    old, stamp = made_by_an_older_version(storage), storage.change_stamp()
    first = keys_of(old, storage.salt_key())
    storage.keep_keys({old.id: first, "unknown": first})
    storage.keep_keys({old.id: keys_of(Token.generate(), KEY)})
    assert [record.scram for record in storage.load_all()] == [first]
    assert storage.change_stamp() != stamp


def test_keys_that_could_not_be_written_are_written_later(path: Path, storage: SQLiteTokenStorage) -> None:
    """The secret that they were made of will not come again soon."""
    old = made_by_an_older_version(storage)
    authenticator = TokenAuthenticator(storage)
    authenticator.authenticate(old, name=None, address="192.0.2.1:5")
    hidden = path.with_name("hidden")
    path.rename(hidden)
    with pytest.raises(StorageError):
        authenticator.flush()
    hidden.rename(path)
    authenticator.flush()
    assert [record.scram for record in storage.load_all()] == [keys_of(old, storage.salt_key())]


def test_a_replaced_database_brings_its_own_salts(path: Path, storage: SQLiteTokenStorage) -> None:
    """Else its tokens' keys would fit nothing."""
    authenticator = TokenAuthenticator(storage)
    before = authenticator.salted("ABCDEFGHIJ").salt
    for file in list(path.parent.iterdir()):
        file.unlink()
    with SQLiteTokenStorage(path) as new:
        token, key = Tokens(new).create("bia"), new.salt_key()
    with pytest.raises(SplitStorageError):
        authenticator.reload()
    authenticator.reload()
    assert authenticator.salted("ABCDEFGHIJ").salt != before
    assert authenticator.salted(token.id) == Salted(salt_of(key, token.id), keys_of(token, key))


def test_keys_show_in_no_repr(tokens: Tokens) -> None:
    """Nor in a record's."""
    token = tokens.create("bia")
    (record,) = tokens.list()
    assert record.scram is not None
    assert repr(record.scram.stored_key) not in repr(record)
    assert token.secret not in repr(record)

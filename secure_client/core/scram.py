"""The client's half of SCRAM-SHA-256-PLUS, by the standard library (RFC 5802, RFC 7677, RFC 5929).

The server's half is `scramp`'s, and so was this one: importing it takes 26 ms of CPU, more than twice what a bare
Python takes, for each `secure-client -c`. It is tested against that library, and by the example of RFC 7677.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from secure_protocol.scram import BINDING

MOST_ITERATIONS = 100_000
"""Rounds that a server may ask for, 24 times what ours does: some 70 ms. More is somebody who wants our CPU."""
LEAST_ITERATIONS = 4096
"""What RFC 7677 wants at least."""
LEAST_SALT = 12
"""Bytes; as `scramp` has it. One salt for all would let their proofs be tried against one table."""
NONCE_BYTES = 18
"""Of randomness; 24 characters."""

_GS2 = f"p={BINDING},,"
_HASHES = {
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b": "sha256",  # sha256WithRSAEncryption and its kin, RFC 8017 appendix A.2.4
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c": "sha384",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d": "sha512",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x02": "sha256",  # ecdsa-with-SHA256 and its kin, RFC 5758 section 3.2
    b"\x2a\x86\x48\xce\x3d\x04\x03\x03": "sha384",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x04": "sha512",
}
"""The hash of each signature algorithm that nearly all certificates have, by its object identifier in DER."""


class ScramError(ValueError):
    """The other side's message is none, or proves nothing."""


class ScramClient:
    """One exchange: messages in, messages out.

    Args:
        user: the token's id; sent.
        password: the token's secret; not sent. ASCII, so that it needs no preparation (RFC 4013).
        binding: of the channel, see `end_point`.
        nonce: of our own; None makes one.
        header: for tests: `gs2-header`, by which RFC 7677's example says that nothing is bound.
    """

    def __init__(
        self, user: str, password: str, binding: bytes, *, nonce: str | None = None, header: str = _GS2
    ) -> None:
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._password = password.encode("ascii")
        self._nonce = nonce or b2a_base64(os.urandom(NONCE_BYTES), newline=False).decode("ascii")
        self._header = header
        self._bare = f"n={name},r={self._nonce}"
        self._bound = b2a_base64(header.encode("ascii") + binding, newline=False).decode("ascii")
        self._signature = b""

    def first(self) -> str:
        """Return `client-first-message`."""
        return self._header + self._bare

    def final(self, server_first: object) -> str:
        """Take `server-first-message`, and return `client-final-message`. Takes about 3 ms.

        Raises:
            ScramError: it is none, repeats another nonce, or asks for too few or too many rounds.
        """
        nonce, salt, rounds = _server_first(server_first)
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise ScramError("the nonce is not ours with one of the server's")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={self._bound},r={nonce}"
        message = f"{self._bare},{server_first},{without_proof}".encode("ascii")
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={b2a_base64(proof, newline=False).decode('ascii')}"

    def verify(self, server_final: object) -> None:
        """Take `server-final-message`, by which the server proves that it knows the password's keys.

        Raises:
            ScramError: it does not.
        """
        (verifier,) = _fields(server_final, "v")
        if not (self._signature and hmac.compare_digest(_bytes(verifier), self._signature)):
            raise ScramError("the signature is another's")


def end_point(certificate: bytes) -> bytes:
    """Return what binds an exchange to the certificate that was served (RFC 5929 section 4).

    Args:
        certificate: in DER.

    Raises:
        ValueError: it is none, or its signature has no hash to go by.
    """
    name = _HASHES.get(_signature_algorithm(certificate)) or _looked_up(certificate)
    return hashlib.new(name, certificate).digest()


def _signature_algorithm(certificate: bytes) -> bytes:
    """Return the object identifier behind the certificate's first part (RFC 5280 section 4.1); empty: no such thing."""
    _tag, start, _end = _element(certificate, 0)
    _tag, _start, behind = _element(certificate, start)  # tbsCertificate
    _tag, start, _end = _element(certificate, behind)  # signatureAlgorithm
    tag, start, end = _element(certificate, start)
    return certificate[start:end] if tag == 0x06 else b""


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """Return tag, start and end of the DER element at `position` (X.690 section 8.1); where there is none, nothing."""
    tag, first = (*data[position : position + 2], 0, 0)[:2]
    more = first & 0x7F if first & 0x80 else 0
    start = position + 2 + more
    length = int.from_bytes(data[position + 2 : start], "big") if more else first
    return tag, start, start + length


def _looked_up(certificate: bytes) -> str:
    """Return the hash of a rarer signature (RSASSA-PSS, Ed25519) as a library reads it."""
    from cryptography import x509  # noqa: PLC0415 - it takes its time, and hardly any certificate needs it

    found = x509.load_der_x509_certificate(certificate)
    if found.signature_algorithm_oid == x509.SignatureAlgorithmOID.ED25519:
        return "sha512"  # the hash that is part of it (RFC 8032), as others take it
    if found.signature_hash_algorithm is None:  # that of Ed448 has no fixed length
        raise ScramError("no hash to go by")
    name = found.signature_hash_algorithm.name
    return "sha256" if name in ("md5", "sha1") else name  # RFC 5929: these two are not to be used


def _server_first(message: object) -> tuple[str, bytes, int]:
    nonce, salt, rounds = _fields(message, "rsi")
    if not all(0x21 <= ord(character) <= 0x7E for character in nonce):
        raise ScramError("the nonce holds what none may")
    if not (rounds.isdigit() and len(rounds) < 9 and LEAST_ITERATIONS <= int(rounds) <= MOST_ITERATIONS):
        raise ScramError("these are too few rounds, or too many")
    salted = _bytes(salt)
    if len(salted) < LEAST_SALT:
        raise ScramError("the salt is too short")
    return nonce, salted, int(rounds)


def _fields(message: object, names: str) -> list[str]:
    """Return the values of the attributes that a message must begin with, in this order; others may follow."""
    parts = message.split(",") if isinstance(message, str) and message.isascii() else []
    if [part[:2] for part in parts[: len(names)]] != [f"{name}=" for name in names]:
        raise ScramError("not a message")
    return [part[2:] for part in parts[: len(names)]]


def _bytes(text: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except Base64Error as error:
        raise ScramError("not base64") from error

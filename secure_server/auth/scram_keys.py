"""What is kept of a secret for the mutual handshake: RFC 5802's keys, by the standard library.

Apart from the exchange, whose library a program that makes a token would import for these few lines alone.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

from secure_protocol.scram import ITERATIONS
from secure_protocol.token import Token
from secure_server.auth.token_record import ScramKeys

SALT_BYTES = 16
"""Of each token; enough that no two tokens share one."""


class Salted(NamedTuple):
    """A token's keys, and the salt that they were made with."""

    salt: bytes
    keys: ScramKeys


def salt_of(key: bytes, token_id: str) -> bytes:
    """The salt of a token, whether there is such a token or not: so an unknown id has the same one each time, too."""
    return hmac.digest(key, token_id.encode(), hashlib.sha256)[:SALT_BYTES]


def keys_of(token: Token, key: bytes) -> ScramKeys:
    """What is kept of a token for the handshake (RFC 5802 section 3). Takes about 3 ms.

    Args:
        token: the token, with its secret; that is ASCII, which the RFC's preparation leaves as it is.
        key: the storage's own, from which it makes salts.
    """
    salted = hashlib.pbkdf2_hmac("sha256", token.secret.encode("ascii"), salt_of(key, token.id), ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))

"""What is kept of a token."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.token_record import TokenRecord, TokenState, digest_of

RECORD = TokenRecord("0123456789", "bia", Role.USER, digest_of("s"), created=100.0)


@pytest.mark.parametrize(
    ("expires", "revoked", "now", "state"),
    [
        (None, None, 1e12, TokenState.ACTIVE),
        (200.0, None, 199.999, TokenState.ACTIVE),
        (200.0, None, 200.0, TokenState.EXPIRED),
        (200.0, 150.0, 160.0, TokenState.REVOKED),
        (200.0, 150.0, 300.0, TokenState.REVOKED),
    ],
)
def test_state(expires: float | None, revoked: float | None, now: float, state: TokenState) -> None:
    """Good until the very moment of expiry; revoked whatever the time."""
    assert dataclasses.replace(RECORD, expires=expires, revoked=revoked).state(now) is state


def test_the_digest_is_sha256_of_the_secret_and_hidden() -> None:
    """As documented, so that it can be checked from outside; and no log shows it."""
    token = Token.generate()
    digest = digest_of(token.secret)
    assert digest == hashlib.sha256(token.secret.encode("ascii")).digest()
    assert "digest" not in repr(dataclasses.replace(RECORD, digest=digest))

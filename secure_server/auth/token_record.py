"""What is kept of a token: everything but its secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from secure_server.auth.principal import Role


class TokenState(StrEnum):
    """Whether a token is good at some moment."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token at rest. Times are Unix seconds, wall clock: an expiry is a date that outlives the process.

    Attributes:
        id: public id.
        name: whom it was made for; several tokens may share a name while one replaces another.
        role: the role it gives.
        digest: SHA-256 of the secret.
        created: when it was made.
        expires: from when on it is refused; None never.
        revoked: when it was revoked; None if it was not.
        last_used: when it last authenticated somebody.
        last_address: from where that was.
        allow: the only commands it may run, upper-case; None allows all that the role does.
    """

    id: str
    name: str
    role: Role
    digest: bytes = field(repr=False)
    created: float
    expires: float | None = None
    revoked: float | None = None
    last_used: float | None = None
    last_address: str | None = None
    allow: frozenset[str] | None = None

    def state(self, now: float) -> TokenState:
        """Whether it is good at `now`. Revoked wins over expired: it is what somebody decided."""
        if self.revoked is not None:
            return TokenState.REVOKED
        if self.expires is not None and self.expires <= now:
            return TokenState.EXPIRED
        return TokenState.ACTIVE


def digest_of(secret: str) -> bytes:
    """SHA-256 of a token's secret.

    A fast hash is enough: the secret is 256 random bits, which nobody can guess at any speed, and a slow one
    would let strangers spend the server's CPU.
    """
    return hashlib.sha256(secret.encode()).digest()

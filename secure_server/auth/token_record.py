"""What is kept of a token: everything but its secret."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from secure_server.auth.principal import Role, TokenUse
from secure_server.limits.rate import Rate


class TokenState(StrEnum):
    """Whether a token is good at some moment."""

    ACTIVE = "active"
    SPENT = "spent"
    """It was for one use, and had it. The session that it opened goes on."""
    EXPIRED = "expired"
    REVOKED = "revoked"


class ScramKeys(NamedTuple):
    """What SCRAM keeps of a secret (RFC 5802): it proves the secret, and proves the server, and gives neither away."""

    stored_key: bytes
    server_key: bytes


Network = IPv4Network | IPv6Network


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
        networks: the only ones it may come from; None anywhere.
        use: what it is good for.
        spent: when it had its one use.
        replaces: the id of the enrolment token that it was given for, until its first use, which spends that one.
        max_sessions: live sessions at once; None any number.
        rate: how fast it may run commands; None as the configuration has it.
        scram: for the mutual handshake; None of a token that an older version made.
        lifetime: seconds for which it was made; None for ever. `expires` is sooner after a grace. Of an enrolment
            token, and of what it is exchanged for, it begins once the exchange is complete.
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
    networks: tuple[Network, ...] | None = None
    use: TokenUse = TokenUse.LASTING
    spent: float | None = None
    replaces: str | None = None
    max_sessions: int | None = None
    rate: Rate | None = None
    scram: ScramKeys | None = field(default=None, repr=False)
    lifetime: float | None = None

    @property
    def used_up_by_login(self) -> bool:
        """Whether the next login uses something up, so that it counts only once that is on disk."""
        return self.use is TokenUse.ONCE or self.replaces is not None

    def state(self, now: float) -> TokenState:
        """Whether it is good at `now`. Revoked wins: it is what somebody decided; spent is the mildest end."""
        if self.revoked is not None:
            return TokenState.REVOKED
        if self.expires is not None and self.expires <= now:
            return TokenState.EXPIRED
        if self.spent is not None:
            return TokenState.SPENT
        return TokenState.ACTIVE


def digest_of(secret: str) -> bytes:
    """SHA-256 of a token's secret.

    A fast hash is enough: the secret is 256 random bits, which nobody can guess at any speed, and a slow one
    would let strangers spend the server's CPU.
    """
    return hashlib.sha256(secret.encode()).digest()

"""Who a peer proved to be."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from secure_server.limits.token_bucket import TokenBucket


class Role(IntEnum):
    """What a principal may do, in ascending order: a role includes those below it."""

    NOBODY = 0
    """Before authentication."""
    USER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The role as people write it: `user`."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a role as people write it.

        Raises:
            ValueError: there is no such role.
        """
        for role in cls:
            if role.label == text:
                return role
        raise ValueError(f"a role is one of {', '.join(role.label for role in cls)}")


class TokenUse(StrEnum):
    """What a token is good for."""

    LASTING = "lasting"
    """Any number of logins."""
    ONCE = "once"
    """One login: it is spent by it."""
    ENROLMENT = "enrolment"
    """To be exchanged for a lasting one; it is spent when that one is first used."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that a client showed, and the handshake verified.

    Attributes:
        name: its common name.
        fingerprint: SHA-256 of its DER, in hex.
        not_before: its first moment, Unix seconds: revoking a name ends the certificates made before that.
        not_after: its last moment, Unix seconds.
    """

    name: str
    fingerprint: str
    not_before: float
    not_after: float

    @property
    def label(self) -> str:
        """The fingerprint's first 16 digits, for the log: enough to tell any two apart, and short enough to read."""
        return self.fingerprint[:16]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a peer proved to be, and what that allows.

    Attributes:
        name: the token's name, or `local:USER` on the admin socket. No token's name holds a colon.
        role: the highest role it may act in.
        token_id: the public id of the token it used; None for the local admin and for a certificate.
        allow: the only commands it may run, upper-case; None allows all that its role does.
        certificate: what it showed instead of a token.
        use: what the token is for.
        max_sessions: of its token, at once; None any number.
        bucket: how fast it may run commands, shared by all sessions of its token; None as fast as it can.
        outside: it is an admin, and acts as an operator, for it is outside `admin.networks` now.
        elsewhere: what an admin is there; None for everybody else, whom that setting does not concern.
    """

    name: str
    role: Role
    token_id: str | None
    allow: frozenset[str] | None
    certificate: ClientCertificate | None = None
    use: TokenUse = TokenUse.LASTING
    max_sessions: int | None = None
    bucket: TokenBucket | None = field(default=None, repr=False, compare=False)
    outside: bool = False
    elsewhere: Principal | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.role is Role.ADMIN:
            object.__setattr__(self, "elsewhere", replace(self, role=Role.OPERATOR, outside=True))

    @classmethod
    def local_admin(cls, uid: int) -> Self:
        """The owner of the server process, seen through the Unix socket by its user id."""
        user = str(uid)
        if sys.platform != "win32":
            with suppress(ImportError, KeyError):  # a container may run as a uid that has no account
                import pwd  # noqa: PLC0415 - POSIX only, as is the socket

                user = pwd.getpwuid(uid).pw_name
        return cls(f"local:{user}", Role.ADMIN, None, None)

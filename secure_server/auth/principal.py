"""Who a peer proved to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self


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


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a peer proved to be, and what that allows.

    Attributes:
        name: the token's name, or `local:USER` on the admin socket. No token's name holds a colon.
        role: the highest role it may act in.
        token_id: the public id of the token it used; None for the local admin.
        allow: the only commands it may run, upper-case; None allows all that its role does.
    """

    name: str
    role: Role
    token_id: str | None
    allow: frozenset[str] | None

    @classmethod
    def local_admin(cls, uid: int) -> Self:
        """The owner of the server process, seen through the Unix socket by its user id."""
        try:
            import pwd  # noqa: PLC0415 - POSIX only, as is the socket

            user = pwd.getpwuid(uid).pw_name
        except (ImportError, KeyError):  # a container may run as a uid that has no account
            user = str(uid)
        return cls(f"local:{user}", Role.ADMIN, None, None)

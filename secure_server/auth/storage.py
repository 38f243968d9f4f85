"""What authentication needs of a place that keeps tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from secure_server.auth.token_record import TokenRecord


class Use(NamedTuple):
    """A token authenticated somebody."""

    token_id: str
    when: float
    """Unix seconds."""
    address: str


class TokenStorage(Protocol):
    """Keeps token records. Any thread. Every method raises `StorageError` when the storage fails.

    A change is durable once its method returned: it survives `kill -9` and a power cut.
    """

    def load_all(self) -> list[TokenRecord]:
        """All records, revoked ones too, oldest first."""
        ...

    def add(self, record: TokenRecord, *, beside_active: bool) -> bool:
        """Keep a new record, if its name stands as the caller believes. One atomic step.

        Args:
            record: the new record; `record.created` is the moment at which "active" is judged.
            beside_active: True adds only beside an active token of the same name (a rotation), False only
                where there is none (a creation).

        Returns:
            Whether it was added.
        """
        ...

    def revoke(self, name_or_id: str, when: float) -> list[TokenRecord]:
        """Revoke the token with that id or, where no token has it, all tokens of that name. One atomic step.

        Returns:
            The records that this call revoked, as they are now; those revoked earlier are not among them.
        """
        ...

    def touch(self, uses: Iterable[Use]) -> None:
        """Record last uses. Advisory: no change in the sense of `change_stamp`; a power cut may lose it."""
        ...

    def change_stamp(self) -> int:
        """A number that differs after any change, by any process, which matters to authentication."""
        ...

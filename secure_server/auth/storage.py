"""What authentication needs of a place that keeps tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from secure_server.auth.token_record import ScramKeys, TokenRecord


class Use(NamedTuple):
    """A token authenticated somebody."""

    token_id: str
    when: float
    """Unix seconds."""
    address: str


class Stamp(NamedTuple):
    """A state of the storage, to ask later what changed since."""

    file: int
    """Another number once another file was put in its place."""
    generation: int
    """Grows with every change, by any process, which matters to authentication."""


class Changes(NamedTuple):
    """What was taken in from a storage."""

    stamp: Stamp
    """The state that this leads to."""
    records: list[TokenRecord]
    """Those that changed, oldest first."""
    whole: bool
    """These are all that there are, and what was known before is void."""
    total: int
    """How many there are: fewer than are known, once some were removed."""


class TokenStorage(Protocol):
    """Keeps token records. Any thread. Every method raises `StorageError` when the storage fails.

    A change is durable once its method returned: it survives `kill -9` and a power cut.
    """

    def load_all(self) -> list[TokenRecord]:
        """All records, revoked ones too, oldest first."""
        ...

    def load_changes(self, since: Stamp | None) -> Changes:
        """The records that changed since a state; all of them for None, or where that state is of another file."""
        ...

    def ids(self) -> set[str]:
        """The ids of all records."""
        ...

    def find(self, name_or_id: str) -> list[TokenRecord]:
        """The records with that id or that name, oldest first."""
        ...

    def add(self, record: TokenRecord, *, beside_active: bool, others_until: float | None = None) -> bool:
        """Keep a new record, if its name stands as the caller believes. One atomic step.

        Args:
            record: the new record; `record.created` is the moment at which "active" is judged.
            beside_active: True adds only beside an active token of the same name (a rotation), False only
                where there is none (a creation).
            others_until: the moment at which the active ones beside it expire, unless they do sooner; None leaves
                them as they are.

        Returns:
            Whether it was added.
        """
        ...

    def prolong(self, ends: Mapping[str, float | None], until: float) -> None:
        """Take back that tokens expire at `until`: those that do so because of it get these ends, None being never.

        Args:
            ends: by id, as they were before.
            until: `others_until` of the `add` that is taken back.
        """
        ...

    def revoke(self, name_or_id: str, when: float) -> list[TokenRecord]:
        """Revoke the token with that id or, where no token has it, all tokens of that name. One atomic step.

        Returns:
            The records that this call revoked, as they are now; those revoked earlier are not among them.
        """
        ...

    def exchange(self, record: TokenRecord) -> bool:
        """Keep the replacement of an enrolment token, and remove an earlier one of it. One atomic step.

        Args:
            record: the replacement; `record.replaces` is the enrolment token.

        Returns:
            Whether it was added: the enrolment token was active at `record.created`.
        """
        ...

    def spend(self, token_id: str, when: float) -> bool:
        """Take the one use of a token; whether it was there to take. One atomic step, whoever else tries."""
        ...

    def give_back(self, spent: Mapping[str, float]) -> None:
        """Make tokens for one login good again that were spent at these moments, and let nobody in. Waits only shortly.

        Whatever else became of one meanwhile stays. Until this returned, a crash leaves them spent.
        """
        ...

    def complete(self, token_id: str, when: float) -> bool:
        """Make a replacement lasting and spend the enrolment token that it was given for. One atomic step.

        Returns:
            Whether the replacement is good: also true when it was lasting already.
        """
        ...

    def purge(self, before: float) -> list[TokenRecord]:
        """Remove the records of tokens that were revoked, spent or expired by then; returns them. One atomic step."""
        ...

    def keep_keys(self, keys: Mapping[str, ScramKeys]) -> None:
        """Complete the records of these ids, which an older version made without keys for the mutual handshake."""
        ...

    def salt_key(self) -> bytes:
        """The secret of this storage from which the salts of SCRAM are made; as lasting as its records."""
        ...

    def touch(self, uses: Iterable[Use]) -> None:
        """Record last uses. Advisory: no change in the sense of `Stamp`; a power cut may lose it."""
        ...

    def change_stamp(self) -> Stamp:
        """The present state; cheap, to be asked often."""
        ...

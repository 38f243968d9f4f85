"""Revoking client certificates by name: one service for the command line and the admin shell."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.auth.certificates import BarStorage
from secure_server.auth.errors import TokenNotFoundError, TokenRequestError
from secure_server.pki.names import MAX_CLIENT_NAME

Moments = dict[str, float]


class Revocation(NamedTuple):
    """What revoking a name did.

    Attributes:
        since: certificates made until then are refused, Unix seconds.
        aside: where the name's files were moved to; None where there were none.
    """

    since: float
    aside: Path | None


def check_common_name(name: str) -> None:
    """Refuse what no certificate can have for a common name.

    Raises:
        TokenRequestError: it is empty, too long, or cannot be printed.
    """
    if not 0 < len(name) <= MAX_CLIENT_NAME or not name.isprintable():
        raise TokenRequestError(
            Sentence("a certificate's common name is 1 to {most} characters in one line", most=MAX_CLIENT_NAME)
        )


class RevokedCertificates:
    """Which names' certificates are refused. Any thread; a change is durable, and known to every process, on return.

    A name is revoked up to a moment: what was made for it until then is refused for good, whoever signed it, and what
    is made afterwards is good. So a lost laptop's owner gets another certificate of the same name.

    Args:
        storage: where that is kept.
        on_change: called after each change, for whoever should not wait to notice it.
        withdraw: moves a name's files away, so that no renewal makes a good certificate for the same key; where to.
        clock: Unix seconds; wall clock, because a certificate's times are dates.

    Its methods raise `StorageError` when the storage fails.
    """

    def __init__(
        self,
        storage: BarStorage,
        on_change: Callable[[], None] = lambda: None,
        withdraw: Callable[[str], Path | None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._on_change = on_change
        self._withdraw = withdraw
        self._clock = clock

    def list(self) -> Moments:
        """Until when certificates are refused, in Unix seconds, by name."""
        return self._storage.load_barred()

    def revoke(self, name: str) -> Revocation:
        """Refuse every certificate of that common name that was made until now, and set its files aside.

        Raises:
            TokenRequestError: it cannot be a common name.
            Exception: what `withdraw` raises; the name is revoked all the same.
        """
        check_common_name(name)
        since = self._clock()
        self._storage.bar(name, since)
        self._on_change()
        return Revocation(since, self._withdraw(name))

    def restore(self, name: str) -> None:
        """Take the revocation of a name back.

        Raises:
            TokenRequestError: it cannot be a common name.
            TokenNotFoundError: it is not revoked.
        """
        check_common_name(name)
        if not self._storage.unbar(name):
            raise TokenNotFoundError(
                Sentence("no certificates of {name} are revoked; see: secure-server certs revoked", name=name)
            )
        self._on_change()

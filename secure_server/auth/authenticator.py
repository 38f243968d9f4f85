"""From a token to the principal that it proves."""

from __future__ import annotations

import contextlib
import hmac
import secrets
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from secure_protocol.token import Token
from secure_server.auth.errors import StorageError
from secure_server.auth.networks import fits
from secure_server.auth.principal import Principal, Role, TokenUse
from secure_server.auth.scram_keys import Salted, keys_of, salt_of
from secure_server.auth.storage import TokenStorage, Use
from secure_server.auth.token_record import ScramKeys, TokenRecord, TokenState, digest_of
from secure_server.limits.rate import Rate
from secure_server.limits.rates import Rates
from secure_server.limits.token_bucket import TokenBucket

ANY_NAME = "default"
"""Redis clients that were given a password but no name send this one (`HELLO 3 AUTH default …`)."""
USES_MAX = 100_000
"""Tokens whose last use waits to be written. Reached only while the storage fails; no more then wait."""

RESCHEDULED = 1_000
"""Changed tokens beyond which all expiries are sorted anew: about 0.1 s for 100,000, against 20 µs for each change."""

ENROLMENT_RATE = Rate(0.1, 20)
"""Of an enrolment token's commands, whatever tokens may do: half a dozen tries at once, two a minute after that. Each
`ENROLL` is a write that waits for the disk, and a record in the trail, and whoever holds a line can repeat it."""

_ENDS = (TokenState.REVOKED, TokenState.EXPIRED)
"""What ends a token's sessions, too."""
_NO_DIGEST = bytes(32)
"""Compared with where there is no record, so that an unknown id takes the same work as a wrong secret."""
_NO_KEYS = ScramKeys(secrets.token_bytes(32), secrets.token_bytes(32))
"""Likewise in the mutual handshake. Nothing that hashes to the first is known to anybody."""


class Refusal(StrEnum):
    """Why a token was refused: for the log. A peer learns only that it was."""

    UNKNOWN = "unknown"
    WRONG_SECRET = "wrong-secret"  # noqa: S105 - the name of a reason, not a secret
    REVOKED = "revoked"
    EXPIRED = "expired"
    SPENT = "spent"
    WRONG_NAME = "wrong-name"
    WRONG_NETWORK = "wrong-network"
    NO_KEYS = "no-scram-keys"
    """An older version made the token, and it was not shown as a bearer since; rotating it helps."""


class AuthenticationError(Exception):
    """A token was refused. The reason is for the log; peers are told `WRONGPASS` whatever it is."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(f"the token was refused: {reason}")
        self.reason = reason


class Ended(NamedTuple):
    """A token that was good and is not any more: its sessions are to be closed."""

    token_id: str
    reason: TokenState
    """`EXPIRED` or `REVOKED`."""


class Spent(NamedTuple):
    """What a login used up."""

    token_id: str
    when: float
    """Unix seconds."""
    use: TokenUse


class TokenAuthenticator:
    """Answers from a table in memory, in constant time and without touching the storage.

    A session that authenticated while its token was being revoked may miss the news of it. Whoever keeps
    sessions closes that gap: register the session first, then ask `state()` once.

    Args:
        storage: where the records are.
        clock: Unix seconds; wall clock, because expiry is a date.
        rates: how fast tokens may run commands; None as fast as they can.
        spending: the same storage for `use_up`, which may wait for a locked one longer than `refresh` should have to.

    Raises:
        StorageError: the records cannot be read.
    """

    def __init__(
        self,
        storage: TokenStorage,
        clock: Callable[[], float] = time.time,
        rates: Rates | None = None,
        spending: TokenStorage | None = None,
    ) -> None:
        self._storage = storage
        self._spending = spending or storage
        self._clock = clock
        self._rates = rates
        self._changing = threading.Lock()
        """Held by reload() and expire(), which are one after the other even when two threads call them."""
        changes = storage.load_changes(None)
        self._stamp = changes.stamp
        self._records = _by_id(changes.records)
        self._expiries = _expiries_of(self._records)
        """Soonest first."""
        self._judged = clock()
        """The moment up to which ended tokens were reported."""
        self._salt_key = storage.salt_key()
        self._using = threading.Lock()
        self._uses: dict[str, Use] = {}
        self._keys: dict[str, ScramKeys] = {}
        self._given_back: dict[str, float] = {}

    def authenticate(self, credential: Token, *, name: str | None, address: str) -> Principal:
        """Tell who presents this token. Any thread.

        Args:
            credential: what the peer presented.
            name: the name that it gave beside the token, if any; `default` counts as none.
            address: where it comes from, for "last used".

        Raises:
            AuthenticationError: the token proves nothing; `reason` says why.
        """
        record = self._records.get(credential.id)
        expected = _NO_DIGEST if record is None else record.digest
        matches = hmac.compare_digest(digest_of(credential.secret), expected)
        if record is None:
            raise AuthenticationError(Refusal.UNKNOWN)
        if not matches:
            raise AuthenticationError(Refusal.WRONG_SECRET)
        principal = self._accept(record, name=name, address=address)
        if record.scram is None:
            self._note_keys(credential)
        return principal

    def salted(self, token_id: str) -> Salted:
        """The salt and the keys for a mutual handshake with that id; there are some for every id. Any thread.

        Where there is no such token, or it has no keys, they are such that no proof fits; what they take to find, and
        what follows from them, is the same.
        """
        record = self._records.get(token_id)
        keys = _NO_KEYS if record is None else (record.scram or _NO_KEYS)
        return Salted(salt_of(self._salt_key, token_id), keys)

    def authenticate_proved(self, token_id: str, *, address: str) -> Principal:
        """Tell who proved to know the secret of this token, in a mutual handshake. Any thread.

        Raises:
            AuthenticationError: the token is not good for this peer, or not any more.
        """
        record = self._records.get(token_id)
        if record is None:  # it was gone before the proof came
            raise AuthenticationError(Refusal.UNKNOWN)
        return self._accept(record, name=None, address=address)

    def why_unproved(self, token_id: str) -> Refusal:
        """Why a mutual handshake with that id failed, for the log. Any thread."""
        record = self._records.get(token_id)
        if record is None:
            return Refusal.UNKNOWN
        return Refusal.NO_KEYS if record.scram is None else Refusal.WRONG_SECRET

    def state(self, token_id: str) -> TokenState | None:
        """How the token stands now, as far as this process knows; None if there is none. Any thread."""
        record = self._records.get(token_id)
        return None if record is None else record.state(self._clock())

    def good_from(self, token_id: str, address: str) -> bool:
        """Whether a token may come from there; one that there is not any more does not say that it may not."""
        return (record := self._records.get(token_id)) is None or fits(record, address)

    def present(self, name: str, token_id: str, address: str) -> Principal | None:
        """Return who somebody is now that a token proved to be `name` before; None where it is good for nothing more.

        Where the token itself has ended (it was rotated, say), another lasting one of the same name stands for it.

        Args:
            name: who it was.
            token_id: of the token that was shown.
            address: where it came from.
        """
        records = self._records
        own = records.get(token_id)
        others = (record for record in records.values() if record.name == name and record.use is TokenUse.LASTING)
        now = self._clock()
        for record in (*filter(None, [own]), *others):
            if record.name == name and record.state(now) is TokenState.ACTIVE and fits(record, address):
                return self._principal(record)
        return None

    def uses_up(self, token_id: str | None) -> bool:
        """Whether a login with this token uses something up, for which `use_up` is to be asked. Any thread."""
        record = self._records.get(token_id) if token_id is not None else None
        return record is not None and record.used_up_by_login

    def use_up(self, token_id: str) -> Spent | None:
        """Use up what a login with this token does, durably; None unless this login is the one that may. Worker only.

        Raises:
            StorageError: the storage failed; nothing was used up.
        """
        record = self._records.get(token_id)
        if record is None:
            return None
        step = self._spending.spend if record.use is TokenUse.ONCE else self._spending.complete
        spent = Spent(token_id, self._clock(), record.use)
        return spent if step(token_id, spent.when) else None

    def give_back(self, spent: Spent) -> None:
        """Nobody was let in after all: have the next `reload` make the token good again. Any thread.

        It was spent on disk before, so whoever is killed in between leaves it spent. What replaced an enrolment token
        is good for its next login anyhow.
        """
        with self._using:
            if spent.use is TokenUse.ONCE and len(self._given_back) < USES_MAX:
                self._given_back[spent.token_id] = spent.when

    @property
    def generation(self) -> int:
        """How far the storage's changes were taken in. Any thread."""
        return self._stamp.generation

    def refresh(self) -> list[Ended]:
        """Take in what other processes changed and what time ended. Any thread; touches the storage.

        Returns:
            The tokens that were good before and are not any more, each once.

        Raises:
            StorageError: the storage failed; nothing was taken in, and nothing was missed.
        """
        return [*self.reload(), *self.expire()]

    def reload(self) -> list[Ended]:
        """Take in what other processes changed: the half of `refresh` that touches the storage."""
        with self._changing:
            with contextlib.suppress(StorageError):  # `flush` tells of it; no revocation waits for it
                self._flush_given_back()
            if self._storage.change_stamp() == self._stamp:
                return []
            changes = self._storage.load_changes(self._stamp)
            before, changed = self._records, _by_id(changes.records)
            records = changed if changes.whole else before | changed
            gone: set[str] = set()
            if changes.whole:
                gone = before.keys() - changed.keys()
            elif len(records) > changes.total:  # some were removed
                gone = records.keys() - self._storage.ids()
                records = {token_id: record for token_id, record in records.items() if token_id not in gone}
            self._salt_key = self._storage.salt_key()  # another one if the database was replaced
            self._records = records  # one assignment: every reader sees the old table or the new one
            self._stamp = changes.stamp
            touched = {*changed, *gone}
            self._reschedule(touched, before)
            return [
                Ended(token_id, reason)
                for token_id in touched
                if token_id in before and (reason := self._ended(before[token_id], records.get(token_id))) is not None
            ]

    def expire(self) -> list[Ended]:
        """Report what time ended: the half of `refresh` that needs no storage."""
        with self._changing:
            # A clock that was set back makes tokens good again; when they end again, that is reported again.
            since, self._judged = self._judged, self._clock()
            first = bisect_right(self._expiries, since, key=_when)
            last = bisect_right(self._expiries, self._judged, key=_when)
            return [Ended(token_id, TokenState.EXPIRED) for _, token_id in self._expiries[first:last]]

    def flush(self) -> None:
        """Write the last uses, and what else was noted since the previous flush. Any thread but the I/O thread.

        Raises:
            StorageError: the storage failed; what was not written is kept for the next flush.
        """
        self._flush_given_back()
        self._flush_keys()
        with self._using:
            uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            self._storage.touch(uses.values())
        except BaseException:
            with self._using:
                self._uses = uses | self._uses  # what was noted meanwhile is newer
            raise

    def _ended(self, old: TokenRecord, new: TokenRecord | None) -> TokenState | None:
        """Why a token that did not end before the last look has ended by it; what time ends is for `expire`."""
        state = TokenState.REVOKED if new is None else new.state(self._judged)  # None: purged, or another database
        return state if state in _ENDS and old.state(self._judged) not in _ENDS else None

    def _reschedule(self, touched: set[str], before: dict[str, TokenRecord]) -> None:
        """Bring the expiries of changed tokens up to date; many at once by sorting anew, which is faster then."""
        if len(touched) > RESCHEDULED:
            self._expiries = _expiries_of(self._records)
            return
        for token_id in touched:
            if (due := _expiry_of(before.get(token_id))) is not None:
                del self._expiries[bisect_left(self._expiries, due)]
            if (due := _expiry_of(self._records.get(token_id))) is not None:
                insort(self._expiries, due)

    def _accept(self, record: TokenRecord, *, name: str | None, address: str) -> Principal:
        """Return the principal of a token whose secret was proved, however it was.

        Raises:
            AuthenticationError: the token is not good for this peer, or not any more.
        """
        now = self._clock()
        state = record.state(now)
        if state is not TokenState.ACTIVE:
            raise AuthenticationError(Refusal(state.value))
        if name not in (None, ANY_NAME, record.name):
            raise AuthenticationError(Refusal.WRONG_NAME)
        if not fits(record, address):
            raise AuthenticationError(Refusal.WRONG_NETWORK)
        self._note_use(Use(record.id, now, address))
        if record.use is TokenUse.ENROLMENT:  # not what it will be exchanged for: no work at all
            bucket = self._bucket(record.name, ENROLMENT_RATE)
            return Principal(record.name, Role.USER, record.id, frozenset(), use=record.use, bucket=bucket)
        return self._principal(record)

    def _principal(self, record: TokenRecord) -> Principal:
        return Principal(
            record.name, record.role, record.id, record.allow,
            use=record.use,
            max_sessions=record.max_sessions,
            bucket=self._bucket(record.name, record.rate),
        )  # fmt: skip

    def _bucket(self, name: str, rate: Rate | None) -> TokenBucket | None:
        return None if self._rates is None else self._rates.bucket(name, rate)

    def _note_use(self, use: Use) -> None:
        with self._using:
            if use.token_id in self._uses or len(self._uses) < USES_MAX:
                self._uses[use.token_id] = use

    def _note_keys(self, credential: Token) -> None:
        """Make the keys of an older version's token while its secret is here; takes about 3 ms, once for each."""
        with self._using:
            if credential.id in self._keys or len(self._keys) >= USES_MAX:
                return
            self._keys[credential.id] = keys_of(credential, self._salt_key)

    def _flush_given_back(self) -> None:
        with self._using:
            given_back = dict(self._given_back)
        if given_back:
            self._storage.give_back(given_back)
            with self._using:  # only now: what could not be written is tried again
                for token_id, when in given_back.items():
                    if self._given_back.get(token_id) == when:
                        del self._given_back[token_id]

    def _flush_keys(self) -> None:
        with self._using:
            keys = dict(self._keys)
        if keys:
            self._storage.keep_keys(keys)
            with self._using:  # only now: until the records are loaded anew they would be made again
                for token_id in keys:
                    del self._keys[token_id]


def _when(expiry: tuple[float, str]) -> float:
    return expiry[0]


def _expiry_of(record: TokenRecord | None) -> tuple[float, str] | None:
    """When a token will expire that nobody revoked; None where it will not."""
    if record is None or record.expires is None or record.revoked is not None:
        return None
    return record.expires, record.id


def _expiries_of(records: dict[str, TokenRecord]) -> list[tuple[float, str]]:
    return sorted(filter(None, map(_expiry_of, records.values())))


def _by_id(records: Iterable[TokenRecord]) -> dict[str, TokenRecord]:
    return {record.id: record for record in records}

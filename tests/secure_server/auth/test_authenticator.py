"""From a token to a principal, and what ends that."""

from __future__ import annotations

import hmac
import sqlite3
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.auth import authenticator as module
from secure_server.auth.authenticator import AuthenticationError, Ended, Refusal, TokenAuthenticator
from secure_server.auth.errors import SplitStorageError, StorageError
from secure_server.auth.principal import Principal, Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState, digest_of
from secure_server.auth.tokens import Tokens
from secure_server.limits.rate import Rate
from secure_server.limits.rates import Rates

from .conftest import Clock


@pytest.fixture
def bia(tokens: Tokens) -> Token:
    """An operator's token, good for 100 seconds, that was made before the authenticator started."""
    return tokens.create("bia", Role.OPERATOR, 100, ["ECHO"])


@pytest.fixture
def authenticator(bia: Token, storage: SQLiteTokenStorage, clock: Clock) -> TokenAuthenticator:
    """Knows the token of `bia`."""
    return TokenAuthenticator(storage, clock)


def refusal(authenticator: TokenAuthenticator, token: Token, name: str | None = None) -> Refusal | None:
    """Why the token is refused; None when it is accepted."""
    try:
        authenticator.authenticate(token, name=name, address="192.0.2.1:5")
    except AuthenticationError as error:
        return error.reason
    return None


@pytest.mark.parametrize("name", [None, "bia", "default"])
def test_a_good_token_gives_its_principal(authenticator: TokenAuthenticator, bia: Token, name: str | None) -> None:
    """With or without its name; `default` is what Redis clients send for none."""
    principal = authenticator.authenticate(bia, name=name, address="192.0.2.1:5")
    assert principal == Principal("bia", Role.OPERATOR, bia.id, frozenset({"ECHO"}))


def test_bad_tokens_are_refused_with_a_reason(authenticator: TokenAuthenticator, bia: Token) -> None:
    """The log can tell why; the secret is in no error."""
    wrong = Token(bia.id, Token.generate().secret)
    assert refusal(authenticator, wrong) is Refusal.WRONG_SECRET
    assert refusal(authenticator, Token(Token.generate().id, bia.secret)) is Refusal.UNKNOWN
    assert refusal(authenticator, bia, "ana") is Refusal.WRONG_NAME
    assert refusal(authenticator, bia, "") is Refusal.WRONG_NAME
    with pytest.raises(AuthenticationError) as caught:
        authenticator.authenticate(wrong, name=None, address="a")
    assert str(caught.value) == "the token was refused: wrong-secret"


def test_a_wrong_secret_learns_nothing_else(
    authenticator: TokenAuthenticator, bia: Token, tokens: Tokens, clock: Clock
) -> None:
    """Only who has the secret is told apart as revoked, expired or misnamed."""
    wrong = Token(bia.id, Token.generate().secret)
    tokens.revoke("bia")
    authenticator.refresh()
    clock.now += 1000
    assert refusal(authenticator, wrong, "ana") is Refusal.WRONG_SECRET
    assert refusal(authenticator, bia, "ana") is Refusal.REVOKED


def test_an_unknown_id_costs_the_same_work(
    authenticator: TokenAuthenticator, bia: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One digest and one comparison in constant time, of 32 bytes each, whether the id is known or not."""
    work: list[tuple[str, int, int]] = []
    compare_digest = hmac.compare_digest

    def counted_digest(secret: str) -> bytes:
        work.append(("digest", len(secret), 0))
        return digest_of(secret)

    def counted_compare(one: bytes, other: bytes) -> bool:
        work.append(("compare", len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr(module, "digest_of", counted_digest)
    monkeypatch.setattr(hmac, "compare_digest", counted_compare)
    for token in (Token(bia.id, "0" * 43), Token("0" * 10, "0" * 43), bia):
        work.clear()
        refusal(authenticator, token)
        assert work == [("digest", 43, 0), ("compare", 32, 32)]


def test_expiry_needs_no_refresh(authenticator: TokenAuthenticator, bia: Token, clock: Clock) -> None:
    """At the very second the token is refused, and its sessions are reported once."""
    clock.now += 99.9
    assert refusal(authenticator, bia) is None
    assert authenticator.refresh() == []
    clock.now += 0.1
    assert refusal(authenticator, bia) is Refusal.EXPIRED
    assert authenticator.refresh() == [Ended(bia.id, TokenState.EXPIRED)]
    assert authenticator.refresh() == []


def test_a_token_that_expired_before_the_start_is_not_reported(
    bia: Token, storage: SQLiteTokenStorage, clock: Clock
) -> None:
    """It has no sessions."""
    clock.now += 100
    assert TokenAuthenticator(storage, clock).refresh() == []


def test_a_clock_set_back_does_not_lose_an_expiry(authenticator: TokenAuthenticator, bia: Token, clock: Clock) -> None:
    """A token that became good again by it ends again."""
    clock.now += 200
    assert authenticator.refresh() == [Ended(bia.id, TokenState.EXPIRED)]
    clock.now -= 150
    assert authenticator.refresh() == []
    assert refusal(authenticator, bia) is None
    clock.now += 50
    assert authenticator.refresh() == [Ended(bia.id, TokenState.EXPIRED)]


def test_changes_made_elsewhere_are_taken_in(authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens) -> None:
    """Another process creates and revokes; each ended token is reported once, and only those that were good."""
    new = elsewhere.create("ana")
    passing = elsewhere.create("passing")
    elsewhere.revoke("passing")
    assert refusal(authenticator, new) is Refusal.UNKNOWN
    assert authenticator.refresh() == []
    assert refusal(authenticator, new) is None
    assert refusal(authenticator, passing) is Refusal.REVOKED
    elsewhere.revoke("bia")
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    assert authenticator.refresh() == []
    assert refusal(authenticator, bia) is Refusal.REVOKED
    assert refusal(authenticator, new) is None


def test_both_tokens_of_a_rotation_work(authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens) -> None:
    """Until the old one is revoked by its id."""
    new = elsewhere.rotate("bia")
    assert authenticator.refresh() == []
    assert refusal(authenticator, bia) is refusal(authenticator, new) is None
    elsewhere.revoke(bia.id)
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    assert refusal(authenticator, new, "bia") is None


def test_what_expired_and_was_revoked_is_reported_once(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock
) -> None:
    """Whichever half of the refresh comes first."""
    clock.now += 100
    elsewhere.revoke("bia")
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    assert authenticator.refresh() == []


def test_an_expiry_seen_by_a_reload_is_reported_once(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock
) -> None:
    """A change elsewhere at the moment of expiry neither hides nor doubles it."""
    clock.now += 100
    elsewhere.create("ana")
    assert authenticator.refresh() == [Ended(bia.id, TokenState.EXPIRED)]
    assert authenticator.refresh() == []


def test_a_token_that_vanished_is_revoked(
    authenticator: TokenAuthenticator, bia: Token, path: Path, clock: Clock
) -> None:
    """The database was replaced by one that does not know it."""
    for file in list(path.parent.iterdir()):
        file.unlink()
    SQLiteTokenStorage(path).close()
    with pytest.raises(SplitStorageError):  # noticed, and told once
        authenticator.refresh()
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    assert refusal(authenticator, bia) is Refusal.UNKNOWN


def test_state_closes_the_gap_after_a_revocation(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens
) -> None:
    """Who registered a session asks once more, and learns what a refresh in between reported to nobody."""
    assert authenticator.state(bia.id) is TokenState.ACTIVE
    elsewhere.revoke("bia")
    authenticator.refresh()
    assert authenticator.state(bia.id) is TokenState.REVOKED
    assert authenticator.state("unknown") is None


def test_a_failing_storage_loses_no_news(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, path: Path
) -> None:
    """While the file is away tokens go on working; when it is back, what happened meanwhile is reported."""
    elsewhere.revoke("bia")
    hidden = path.with_name("hidden")
    path.rename(hidden)
    with pytest.raises(StorageError):
        authenticator.refresh()
    assert refusal(authenticator, bia) is None
    hidden.rename(path)
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]


def test_what_cannot_be_given_back_yet_holds_up_no_news(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, path: Path
) -> None:
    """While another program writes, revocations are taken in all the same; what failed is told, and tried again."""
    once = elsewhere.create("eve", use=TokenUse.ONCE)
    authenticator.refresh()
    spent = authenticator.use_up(once.id)
    assert spent is not None
    authenticator.give_back(spent)
    elsewhere.revoke("bia")
    with closing(sqlite3.connect(path, isolation_level=None)) as stuck:
        stuck.execute("BEGIN IMMEDIATE")
        assert authenticator.reload() == [Ended(bia.id, TokenState.REVOKED)]
        with pytest.raises(StorageError, match="busy"):
            authenticator.flush()
    assert refusal(authenticator, once) is Refusal.SPENT
    authenticator.reload()
    assert refusal(authenticator, once) is None


def test_a_purged_token_is_forgotten(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock
) -> None:
    """It was refused before, and is unknown afterwards; others stay, and expire when they should."""
    ana = elsewhere.create("ana", lifetime=500)
    elsewhere.revoke("bia")
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    elsewhere.purge()
    eve = elsewhere.create("eve")
    assert authenticator.refresh() == []
    assert refusal(authenticator, bia) is Refusal.UNKNOWN
    assert (refusal(authenticator, ana), refusal(authenticator, eve)) == (None, None)
    clock.now += 500
    assert authenticator.refresh() == [Ended(ana.id, TokenState.EXPIRED)]


def test_made_and_purged_between_two_looks(authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens) -> None:
    """Nothing is left of it, and what was there before is."""
    elsewhere.create("passing", lifetime=50)
    elsewhere.revoke("passing")
    elsewhere.purge()
    elsewhere.create("ana", lifetime=50)
    assert authenticator.refresh() == []
    assert set(authenticator._records) == elsewhere._storage.ids()
    assert len(authenticator._expiries) == 2


def test_a_purged_spent_token_ends_its_session(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, path: Path, clock: Clock
) -> None:
    """A session goes on when its token is spent; without a record nobody could revoke it, so it ends with that."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE change SET generation = generation + 1")
        db.execute("UPDATE tokens SET spent = ?, changed = (SELECT generation FROM change)", (clock.now,))
    assert authenticator.refresh() == []
    assert refusal(authenticator, bia) is Refusal.SPENT
    elsewhere.purge()
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]


def test_a_grace_shortens_what_is_known(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock
) -> None:
    """The old token ends when the grace does, not when it would have; the new one goes on."""
    new = elsewhere.rotate("bia", grace=10)
    assert authenticator.refresh() == []
    clock.now += 10
    assert (refusal(authenticator, bia), refusal(authenticator, new)) == (Refusal.EXPIRED, None)
    assert authenticator.refresh() == [Ended(bia.id, TokenState.EXPIRED)]
    clock.now += 90
    assert authenticator.refresh() == [Ended(new.id, TokenState.EXPIRED)]


def test_a_grace_over_before_it_was_known(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock
) -> None:
    """The news came late: the old token's end is reported all the same, once."""
    elsewhere.rotate("bia", grace=10)
    clock.now += 20
    assert authenticator.expire() == []
    assert authenticator.reload() == [Ended(bia.id, TokenState.EXPIRED)]
    assert authenticator.refresh() == []


def test_a_replaced_database_ends_what_it_does_not_hold(
    authenticator: TokenAuthenticator, bia: Token, path: Path, clock: Clock
) -> None:
    """Another file in its place is taken in whole."""
    for file in list(path.parent.iterdir()):
        file.unlink()
    with SQLiteTokenStorage(path) as other:
        ana = Tokens(other, clock).create("ana")
    with pytest.raises(SplitStorageError):
        authenticator.refresh()
    assert authenticator.refresh() == [Ended(bia.id, TokenState.REVOKED)]
    assert (refusal(authenticator, bia), refusal(authenticator, ana)) == (Refusal.UNKNOWN, None)


def test_a_token_is_good_from_its_networks_alone(
    authenticator: TokenAuthenticator, tokens: Tokens, clock: Clock
) -> None:
    """From elsewhere it is refused, which is no use; a wrong secret learns nothing of networks."""
    ana = tokens.create("ana", networks=["192.0.2.0/24"])
    eve = tokens.create("eve", networks=["10.0.0.0/8", "2001:db8::/32"])
    authenticator.refresh()
    assert (refusal(authenticator, ana), refusal(authenticator, eve)) == (None, Refusal.WRONG_NETWORK)
    assert refusal(authenticator, Token(eve.id, ana.secret)) is Refusal.WRONG_SECRET
    authenticator.authenticate(eve, name=None, address="[2001:db8::7]:1")
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(ana, name=None, address="unix")


def test_a_principal_has_its_tokens_bounds(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """Sessions and rate; all logins of a name draw from the same bucket."""
    made = tokens.create("ana", max_sessions=3, rate=Rate(5.0, 7))
    other = tokens.rotate("ana")
    authenticator = TokenAuthenticator(storage, clock, Rates(None, clock))
    first, second = (authenticator.authenticate(token, name=None, address="a") for token in (made, other))
    assert (first.max_sessions, first.use) == (3, TokenUse.LASTING)
    assert first.bucket is not None
    assert (first.bucket.per_second, first.bucket.burst) == (5.0, 7)
    assert first.bucket is second.bucket


def test_many_changes_at_once_are_scheduled_too(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a number all expiries are sorted anew; none is lost or kept in vain."""
    monkeypatch.setattr(module, "RESCHEDULED", 2)
    made = [elsewhere.create(f"n{number}", lifetime=10 + number) for number in range(4)]
    assert authenticator.refresh() == []
    for number in (0, 2, 3):
        elsewhere.revoke(f"n{number}")
    assert len(authenticator.refresh()) == 3
    clock.now += 50
    assert authenticator.refresh() == [Ended(made[1].id, TokenState.EXPIRED)]


def test_the_last_use_is_written_by_flush(
    authenticator: TokenAuthenticator, bia: Token, tokens: Tokens, storage: SQLiteTokenStorage, clock: Clock
) -> None:
    """With time and address; refused attempts are no use; other processes are not made to reload."""
    stamp = storage.change_stamp()
    assert refusal(authenticator, Token(bia.id, "0" * 43)) is Refusal.WRONG_SECRET
    assert refusal(authenticator, bia, "ana") is Refusal.WRONG_NAME
    authenticator.flush()
    assert tokens.list()[0].last_used is None
    clock.now += 7
    assert refusal(authenticator, bia) is None
    assert tokens.list()[0].last_used is None
    authenticator.flush()
    assert (tokens.list()[0].last_used, tokens.list()[0].last_address) == (clock.now, "192.0.2.1:5")
    assert storage.change_stamp() == stamp


def test_a_failed_flush_keeps_the_uses(
    authenticator: TokenAuthenticator, bia: Token, tokens: Tokens, path: Path, clock: Clock
) -> None:
    """They are written by the next one."""
    assert refusal(authenticator, bia) is None
    with closing(sqlite3.connect(path, isolation_level=None)) as stuck:
        stuck.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError):
            authenticator.flush()
    authenticator.flush()
    assert tokens.list()[0].last_used == clock.now


def test_waiting_uses_are_bounded(
    authenticator: TokenAuthenticator,
    bia: Token,
    tokens: Tokens,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the limit no further token waits, while one that waits is brought up to date."""
    monkeypatch.setattr(module, "USES_MAX", 1)
    ana = tokens.create("ana")
    authenticator.refresh()
    for token in (bia, ana):
        assert refusal(authenticator, token) is None
    clock.now += 1
    assert refusal(authenticator, bia) is None
    authenticator.flush()
    assert {item.name: item.last_used for item in tokens.list()} == {"bia": clock.now, "ana": None}


def test_threads_authenticate_while_the_table_changes(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, request: pytest.FixtureRequest
) -> None:
    """No reader ever sees half a table, and no use is lost by a flush."""
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-4)  # seconds: threads meet more often, and nobody waits long for the others
    refused: list[Refusal | None] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            reason = refusal(authenticator, bia)
            if reason is not None:
                refused.append(reason)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        elsewhere.create(f"n{number}")
        assert authenticator.refresh() == []
        authenticator.flush()
    done.set()
    for thread in threads:
        thread.join()
    assert refused == []

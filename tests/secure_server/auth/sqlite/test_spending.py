"""How tokens are used up: once, by one, for good."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from secure_server.auth.authenticator import AuthenticationError, Ended, Refusal, TokenAuthenticator
from secure_server.auth.errors import TokenNotFoundError, TokenRequestError
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.auth.tokens import Tokens
from tests.secure_server.auth.conftest import Clock

RACERS = 8


def record(storage: SQLiteTokenStorage, token_id: str) -> TokenRecord:
    """How one token stands."""
    return next(item for item in storage.load_all() if item.id == token_id)


def test_of_many_who_race_for_one_use_one_gets_it(path: Path, tokens: Tokens, clock: Clock) -> None:
    """Each on a connection of its own, as processes have."""
    token = tokens.create("ci", use=TokenUse.ONCE)
    ready, won = threading.Barrier(RACERS), []

    def race() -> None:
        with SQLiteTokenStorage(path) as storage:
            ready.wait()
            won.append(storage.spend(token.id, clock()))

    threads = [threading.Thread(target=race) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * (RACERS - 1) + [True]


def test_only_a_good_token_of_one_use_can_be_spent(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """Not a lasting one, a revoked one, an expired one, or one that there is not."""
    lasting, revoked = tokens.create("a"), tokens.create("b", use=TokenUse.ONCE)
    expired = tokens.create("c", lifetime=10, use=TokenUse.ONCE)
    tokens.revoke("b")
    clock.now += 10
    assert not any(storage.spend(item, clock()) for item in (lasting.id, revoked.id, expired.id, "nobody"))
    assert record(storage, lasting.id).state(clock()) is TokenState.ACTIVE


def test_a_spent_token_is_refused_and_its_session_goes_on(
    storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock
) -> None:
    """Being spent ends no session; being revoked afterwards does."""
    token = tokens.create("ci", use=TokenUse.ONCE)
    authenticator = TokenAuthenticator(storage, clock)
    assert authenticator.authenticate(token, name=None, address="a").use is TokenUse.ONCE
    assert authenticator.uses_up(token.id)
    assert authenticator.use_up(token.id)
    assert not authenticator.use_up(token.id)
    assert authenticator.refresh() == []
    with pytest.raises(AuthenticationError) as caught:
        authenticator.authenticate(token, name=None, address="a")
    assert caught.value.reason is Refusal.SPENT
    tokens.revoke("ci")
    assert authenticator.refresh() == [Ended(token.id, TokenState.REVOKED)]


def test_an_enrolment_token_gives_a_principal_that_may_do_nothing(
    storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock
) -> None:
    """Whatever it will be exchanged for; and a login with it uses nothing up."""
    token = tokens.create("ops", Role.ADMIN, use=TokenUse.ENROLMENT)
    authenticator = TokenAuthenticator(storage, clock)
    principal = authenticator.authenticate(token, name=None, address="a")
    assert (principal.role, principal.allow, principal.use) == (Role.USER, frozenset(), TokenUse.ENROLMENT)
    assert not authenticator.uses_up(token.id)


def test_an_exchange_gives_what_was_promised(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """Name, role, list of commands; its own life begins with its first use, which spends the enrolment token."""
    line = tokens.create("ops", Role.OPERATOR, 1000, ["DISK"], use=TokenUse.ENROLMENT, within=60)
    assert record(storage, line.id).expires == clock.now + 60
    made = tokens.exchange(line.id)
    assert made is not None
    waiting = record(storage, made.id)
    assert (waiting.name, waiting.role, waiting.allow) == ("ops", Role.OPERATOR, frozenset({"DISK"}))
    assert (waiting.use, waiting.replaces, waiting.expires) == (TokenUse.LASTING, line.id, clock.now + 60)
    assert waiting.used_up_by_login
    clock.now += 50
    assert storage.complete(made.id, clock())
    done = record(storage, made.id)
    assert (done.replaces, done.lifetime, done.expires) == (None, 1000, clock.now + 1000)
    assert not done.used_up_by_login
    assert record(storage, line.id).state(clock()) is TokenState.SPENT
    assert storage.complete(made.id, clock()), "two first logins at once: both are that token's"
    with pytest.raises(TokenNotFoundError):
        tokens.exchange(line.id)


def test_without_a_lifetime_it_lasts_for_ever(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """The enrolment token's own end is not inherited."""
    made = tokens.exchange(tokens.create("ops", use=TokenUse.ENROLMENT).id)
    assert made is not None
    assert storage.complete(made.id, clock())
    assert record(storage, made.id).expires is None


def test_exchanged_again_the_one_before_is_ended(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """What a crashed client may have had is not left lying about, on the disk either, and completes no exchange."""
    line = tokens.create("ops", use=TokenUse.ENROLMENT)
    first, second = tokens.exchange(line.id), tokens.exchange(line.id)
    assert first is not None
    assert second is not None
    assert [item.id for item in storage.load_all()] == [line.id, second.id]
    assert not storage.complete(first.id, clock())
    assert storage.complete(second.id, clock())


@pytest.mark.parametrize("end", ["revoked", "expired", "gone"])
def test_until_its_first_use_it_is_as_good_as_the_line(
    end: str, path: Path, storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock
) -> None:
    """Whoever ends the line ends what was made of it and not used yet."""
    line = tokens.create("ops", use=TokenUse.ENROLMENT, within=60)
    made = tokens.exchange(line.id)
    assert made is not None
    if end == "revoked":
        tokens.revoke(line.id)
    elif end == "expired":
        clock.now += 60
    else:
        with storage._writing() as db:
            db.execute("DELETE FROM tokens WHERE id = ?", (line.id,))
    assert not storage.complete(made.id, clock())


def test_other_tokens_are_kept_as_they_are(tokens: Tokens) -> None:
    """There is nothing to exchange a lasting token for."""
    assert tokens.exchange(tokens.create("ada").id) is None
    with pytest.raises(TokenNotFoundError):
        tokens.exchange("nobody")


def test_what_is_for_one_use_is_not_rotated(tokens: Tokens) -> None:
    """The sentence says how to go on."""
    tokens.create("ops", use=TokenUse.ENROLMENT)
    with pytest.raises(TokenNotFoundError, match="one use, which is not rotated; end it with"):
        tokens.rotate("ops")


def test_a_line_that_is_good_for_no_time_is_refused(tokens: Tokens) -> None:
    """As any lifetime is."""
    with pytest.raises(TokenRequestError):
        tokens.create("ops", use=TokenUse.ENROLMENT, within=0)


def test_every_change_is_told_to_other_processes(storage: SQLiteTokenStorage, tokens: Tokens, clock: Clock) -> None:
    """Each step has a generation of its own, which its rows name; what changed nothing has none."""
    line = tokens.create("ops", use=TokenUse.ENROLMENT)
    made = tokens.exchange(line.id)
    assert made is not None
    before = storage.change_stamp().generation
    with storage._reading() as db:
        assert db.execute("SELECT changed FROM tokens WHERE id = ?", (made.id,)).fetchone() == (before,)
    assert storage.complete(made.id, clock())
    assert storage.change_stamp().generation == before + 1
    assert not storage.spend(line.id, clock())
    assert storage.change_stamp().generation == before + 1
    with storage._reading() as db:
        assert {row[0] for row in db.execute("SELECT changed FROM tokens")} == {before + 1}

"""Making, listing, rotating and revoking tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_protocol.token import Token
from secure_server.auth.errors import NameTakenError, TokenNotFoundError, TokenRequestError
from secure_server.auth.lifetime import LIFETIME_MAX
from secure_server.auth.principal import Role
from secure_server.auth.scram_keys import keys_of
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord, TokenState, digest_of
from secure_server.auth.tokens import ALLOW_MAX, SESSIONS_MAX, TokenChange, Tokens, check_name
from secure_server.limits.rate import Rate

from .conftest import Clock

DAY = 86_400


def test_a_created_token_is_listed_whole(tokens: Tokens, storage: SQLiteTokenStorage, clock: Clock) -> None:
    """Everything asked for is kept, and of the secret only its digest and its keys."""
    made = tokens.create("bia", Role.OPERATOR, 30 * DAY, ["echo", " TIME ", "Echo"])
    assert tokens.list() == [
        TokenRecord(
            id=made.id,
            name="bia",
            role=Role.OPERATOR,
            digest=digest_of(made.secret),
            created=clock.now,
            expires=clock.now + 30 * DAY,
            allow=frozenset({"ECHO", "TIME"}),
            scram=keys_of(made, storage.salt_key()),
            lifetime=30 * DAY,
        )
    ]


def test_the_defaults_are_a_user_for_ever(tokens: Tokens) -> None:
    """Nobody becomes more than a user unasked."""
    tokens.create("bia")
    (record,) = tokens.list()
    assert (record.role, record.expires, record.allow) == (Role.USER, None, None)


@pytest.mark.parametrize("name", ["a", "x" * 64, "bia@example.org", "_ci.runner-2", "production", "default"])
def test_good_names(name: str) -> None:
    """Letters, digits and . _ - @; ten letters are a name too, though an id has that form."""
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "a b", "a\n", "é", "-rf", "local:root", "a/b", "\0", "[red]", "scs_x", "SCS_x", "scram-x"]
)
def test_bad_names(tokens: Tokens, name: str) -> None:
    """Refused wherever a name is taken; an admin on the socket (`local:root`) cannot be posed as."""
    for attempt in (tokens.create, tokens.revoke, tokens.rotate):
        with pytest.raises(TokenRequestError):
            attempt(name)
    assert tokens.list() == []


def test_a_token_pasted_as_a_name_is_not_repeated(tokens: Tokens) -> None:
    """A secret given in the wrong place does not reach the screen or a log."""
    token = Token.generate()
    for attempt in (tokens.create, tokens.revoke, tokens.rotate):
        with pytest.raises(TokenRequestError, match="looks like a token") as caught:
            attempt(token.reveal())
        assert token.secret not in str(caught.value)


def test_an_id_cannot_become_a_name(tokens: Tokens) -> None:
    """Otherwise `revoke` could end another token than the one meant."""
    made = tokens.create("bia")
    with pytest.raises(NameTakenError, match="is the id of a token"):
        tokens.create(made.id)


def test_a_new_id_is_neither_an_id_nor_a_name(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """However unlikely, an id that is taken is drawn again."""
    first = tokens.create("production")
    drawn = iter([Token("production", "1" * 43), Token(first.id, "2" * 43), Token("0123456789", "3" * 43)])
    monkeypatch.setattr(Token, "generate", lambda: next(drawn))
    assert tokens.create("bia").id == "0123456789"


@pytest.mark.parametrize(
    "allow", [[], [""], ["ECHO", ""], ["A B"], ["É"], ["A,B"], [f"C{i}" for i in range(ALLOW_MAX + 1)]]
)
def test_bad_allow_lists(tokens: Tokens, allow: list[str]) -> None:
    """An empty list is an error, not a token that may do everything or nothing."""
    with pytest.raises(TokenRequestError, match="an allow-list is"):
        tokens.create("bia", allow=allow)


def test_bad_roles_and_lifetimes(tokens: Tokens) -> None:
    """A token gives some role, and for some time."""
    with pytest.raises(TokenRequestError, match="user, operator, admin"):
        tokens.create("bia", Role.NOBODY)
    for lifetime in (0, -1, LIFETIME_MAX + 1):
        with pytest.raises(TokenRequestError, match="a lifetime is"):
            tokens.create("bia", lifetime=lifetime)
    assert tokens.list() == []


def test_a_name_with_an_active_token_is_taken(tokens: Tokens) -> None:
    """A second one is made on purpose only, and the sentence says how."""
    made = tokens.create("bia")
    with pytest.raises(NameTakenError, match="secure-server token rotate bia"):
        tokens.create("bia", Role.ADMIN)
    assert [record.id for record in tokens.list()] == [made.id]


def test_a_name_is_free_again_once_its_tokens_ended(tokens: Tokens, clock: Clock) -> None:
    """Expired and revoked tokens do not occupy a name, and stay listed."""
    tokens.create("bia", lifetime=10)
    clock.now += 10
    tokens.create("bia")
    tokens.revoke("bia")
    tokens.create("bia")
    assert [record.state(clock.now) for record in tokens.list()] == [
        TokenState.REVOKED,
        TokenState.REVOKED,
        TokenState.ACTIVE,
    ]


def test_revoke_by_id_ends_that_token_alone(tokens: Tokens, clock: Clock) -> None:
    """During a rotation the old one goes and the new one stays."""
    old = tokens.create("bia")
    new = tokens.rotate("bia")
    clock.now += 5
    (revoked,) = tokens.revoke(old.id)
    assert (revoked.id, revoked.revoked) == (old.id, clock.now)
    assert revoked in tokens.list()
    assert [record.id for record in tokens.list() if record.revoked is None] == [new.id]


def test_revoke_by_name_ends_all_of_that_name(tokens: Tokens) -> None:
    """And says which; others stay."""
    mine = {tokens.create("bia").id, tokens.rotate("bia").id, tokens.rotate("bia").id}
    other = tokens.create("bia2")
    assert {record.id for record in tokens.revoke("bia")} == mine
    assert [record.id for record in tokens.list() if record.revoked is None] == [other.id]


def test_an_id_goes_before_a_name(tokens: Tokens, storage: SQLiteTokenStorage, clock: Clock) -> None:
    """Should a database hold a name that is another token's id, the id is meant."""
    made = tokens.create("bia")
    named = TokenRecord("0123456789", made.id, Role.USER, bytes(32), clock.now)
    assert storage.add(named, beside_active=False)
    assert [record.id for record in tokens.revoke(made.id)] == [made.id]


def test_what_is_not_there_cannot_be_revoked(tokens: Tokens) -> None:
    """Unknown and already revoked are told apart; the first revocation's time stays."""
    with pytest.raises(TokenNotFoundError, match="no token has the name or id bia"):
        tokens.revoke("bia")
    made = tokens.create("bia")
    (first,) = tokens.revoke(made.id)
    for again in (made.id, "bia"):
        with pytest.raises(TokenNotFoundError, match="is revoked already"):
            tokens.revoke(again)
    assert tokens.list() == [first]


def test_rotate_makes_a_second_token_like_the_first(tokens: Tokens, clock: Clock) -> None:
    """Same name, role, allow-list and lifetime, counted from now; both work."""
    old = tokens.create("bia", Role.OPERATOR, 30 * DAY, ["ECHO"])
    clock.now += 10 * DAY
    new = tokens.rotate("bia")
    before, after = tokens.list()
    assert (before.id, after.id) == (old.id, new.id)
    assert old.secret != new.secret
    assert (after.name, after.role, after.allow) == ("bia", Role.OPERATOR, frozenset({"ECHO"}))
    assert after.expires == clock.now + 30 * DAY
    assert before.state(clock.now) is after.state(clock.now) is TokenState.ACTIVE


def test_rotate_keeps_all_that_the_old_one_was_given(tokens: Tokens, storage: SQLiteTokenStorage) -> None:
    """Networks, sessions and rate, too; and none of what happened to it."""
    tokens.create("bia", networks=["10.0.0.0/8", "::1"], max_sessions=3, rate=Rate(10.0, 50))
    new = tokens.rotate("bia")
    old, after = tokens.list()
    keys = keys_of(new, storage.salt_key())
    assert after == replace(old, id=new.id, digest=digest_of(new.secret), scram=keys)
    assert (after.max_sessions, after.rate, len(after.networks or ())) == (3, Rate(10.0, 50), 2)


def test_a_grace_ends_the_older_ones(tokens: Tokens, clock: Clock) -> None:
    """Each at its end, but not later than it would have anyway; the new one and other names are not touched."""
    tokens.create("other")
    tokens.create("bia", lifetime=100)
    clock.now += 1
    tokens.rotate("bia")
    clock.now += 1
    new = tokens.rotate("bia", grace=98.5)
    ends = {record.id: record.expires for record in tokens.list()}
    first, second = (record for record in tokens.list() if record.name == "bia" and record.id != new.id)
    assert (first.expires, second.expires) == (first.created + 100, clock.now + 98.5)
    assert ends[new.id] == clock.now + 100
    assert tokens.find("other")[0].expires is None
    with pytest.raises(TokenRequestError, match="a lifetime is"):
        tokens.rotate("bia", grace=0)


def test_rotate_takes_a_name_and_says_so_of_an_id(tokens: Tokens) -> None:
    """It names the command that was meant, and not one that would make a token whose name is an id."""
    made = tokens.create("bia")
    with pytest.raises(TokenNotFoundError, match=r"is the id of a token of bia; rotate takes the name: .* rotate bia$"):
        tokens.rotate(made.id)


@pytest.mark.parametrize("lifetime", [None, 30 * DAY])
def test_a_grace_does_not_shorten_what_comes_after(tokens: Tokens, clock: Clock, lifetime: float | None) -> None:
    """Rotated again while only a token under grace is left, the name gets the lifetime that it was given."""
    old = tokens.create("bia", lifetime=lifetime)
    lost = tokens.rotate("bia", grace=3600)
    tokens.revoke(lost.id)
    clock.now += 60
    third = tokens.rotate("bia")
    ends = {record.id: record.expires for record in tokens.list()}
    assert ends[old.id] == clock.now - 60 + 3600
    assert ends[third.id] == (None if lifetime is None else clock.now + lifetime)


def test_purge_removes_what_ended_long_enough_ago(tokens: Tokens, clock: Clock) -> None:
    """Revoked, expired and spent ones, by when that was; the active stay."""
    tokens.create("lasting")
    tokens.create("expired", lifetime=10)
    tokens.create("revoked")
    tokens.revoke("revoked")
    clock.now += 10
    assert [record.name for record in tokens.purge(older=5)] == ["revoked"]
    assert [record.name for record in tokens.purge()] == ["expired"]
    assert tokens.purge() == []
    assert [record.name for record in tokens.list()] == ["lasting"]
    with pytest.raises(TokenRequestError):
        tokens.purge(older=-1)


def test_each_change_is_told_once(storage: SQLiteTokenStorage, clock: Clock) -> None:
    """After it became durable, with the tokens that it is about; what changed nothing is not told."""
    told: list[tuple[TokenChange, list[str]]] = []
    tokens = Tokens(storage, clock, lambda change, records: told.append((change, [item.name for item in records])))
    tokens.create("bia")
    tokens.rotate("bia")
    tokens.revoke("bia")
    tokens.purge()
    tokens.purge()
    for refused in (tokens.revoke, tokens.rotate):
        with pytest.raises(TokenNotFoundError):
            refused("bia")
    assert told == [
        (TokenChange.CREATED, ["bia"]),
        (TokenChange.ROTATED, ["bia"]),
        (TokenChange.REVOKED, ["bia", "bia"]),
        (TokenChange.PURGED, ["bia", "bia"]),
    ]


def test_an_id_is_found_before_a_name(tokens: Tokens) -> None:
    """As `revoke` has it; what is not there says so."""
    old = tokens.create("bia")
    tokens.rotate("bia")
    assert [record.id for record in tokens.find(old.id)] == [old.id]
    assert len(tokens.find("bia")) == 2
    with pytest.raises(TokenNotFoundError, match="no token has the name or id ana"):
        tokens.find("ana")


@pytest.mark.parametrize("most", [0, -1, SESSIONS_MAX + 1])
def test_bad_numbers_of_sessions(tokens: Tokens, most: int) -> None:
    """A token that nobody could use is a mistake."""
    with pytest.raises(TokenRequestError, match="a token has 1 to"):
        tokens.create("bia", max_sessions=most)


def test_rotate_follows_the_newest_active_token(tokens: Tokens, clock: Clock) -> None:
    """Not an ended one, which may have had another role."""
    tokens.create("bia", Role.ADMIN)
    tokens.revoke("bia")
    clock.now += 1
    tokens.create("bia", Role.USER)
    tokens.rotate("bia")
    assert [record.role for record in tokens.list()] == [Role.ADMIN, Role.USER, Role.USER]
    assert tokens.list()[-1].expires is None


def test_rotate_needs_an_active_token(tokens: Tokens, clock: Clock) -> None:
    """Whose tokens ended gets no new one by rotating, and the sentence says what to do."""
    for _ in range(2):
        with pytest.raises(TokenNotFoundError, match="secure-server token create bia"):
            tokens.rotate("bia")
        tokens.create("bia", lifetime=1)
        clock.now += 1


def test_a_revocation_during_a_rotation_wins(
    tokens: Tokens, elsewhere: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the old token and adding the new one, somebody else revokes the name: nothing is added."""
    tokens.create("bia")
    generate = Token.generate

    def revoke_meanwhile() -> Token:
        elsewhere.revoke("bia")
        return generate()

    monkeypatch.setattr(Token, "generate", revoke_meanwhile)
    with pytest.raises(TokenNotFoundError):
        tokens.rotate("bia")
    assert [record.revoked is None for record in tokens.list()] == [False]

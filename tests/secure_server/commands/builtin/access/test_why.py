"""SERVER WHY: what keeps somebody out."""

from __future__ import annotations

import time

import pytest

from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host


def why(host: Host, who: str) -> list[str]:
    """The lines of the answer."""
    return host.ask(host.local(), f"SERVER WHY {who}").splitlines()[:-1]


def test_nothing_keeps_out_who_may_come(host: Host) -> None:
    """An address that nobody knows, and a user with a token."""
    host.token("ana")
    assert why(host, "192.0.2.7") == ["Nothing keeps 192.0.2.7 out."]
    assert why(host, "ana") == ["Nothing keeps ana out."]


def test_bans_say_until_when_by_whom_and_why(host: Host) -> None:
    """Of the user, and of what the address is in."""
    host.token("ana")
    admin = host.local()
    host.ask(admin, "BAN ADD user=ana --reason noise")
    host.ask(admin, "BAN ADD network=192.0.2.0/24 --for 1h")
    assert why(host, "ana") == ["user=ana is banned for good, by local:root; reason: noise"]
    (line,) = why(host, "192.0.2.7")
    assert line.startswith("network=192.0.2.0/24 is banned until 2")
    assert line.endswith(", by local:root; reason: -")


def test_a_penalty_is_explained(make_host: MakeHost) -> None:
    """As `PENALTY EXPLAIN` does, also to a user who last came from there."""
    host = make_host(penalties={"first": "60s", "minimum": "60s"})
    host.user("ana")
    host.authenticator.flush()
    host.ask(host.session(), f"AUTH {Token.generate().reveal()}")
    for who in ("127.0.0.1", "ana"):
        (line,) = why(host, who)
        assert line.startswith("127.0.0.1 is refused until 2")


def test_tokens_that_are_not_good(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not there, revoked, expired, spent: each with its moment; beside a good one they are told as well."""
    assert why(host, "eve") == ["There is no token of the name eve, and no certificate stands for it."]
    one = host.token("ana")
    host.tokens.revoke(one.id)
    two = host.tokens.create("ana", Role.USER, 30.0, None)
    later = time.time() + 31
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(host.tokens, "_clock", lambda: later)
    assert sorted(line.rpartition(" ")[0] for line in why(host, "ana")) == sorted(
        [f"Token {one.id} was revoked at", f"Token {two.id} expired at"]
    )
    host.token("ana")
    first, *others = why(host, "ana")
    assert first == "Nothing keeps ana out."
    assert len(others) == 2
    monkeypatch.undo()
    once = host.tokens.create("bia", Role.USER, None, None, use=TokenUse.ONCE)
    host.authenticator.reload()
    host.ask(host.session(), f"AUTH {once.reveal()}")
    (line,) = why(host, "bia")
    assert line.startswith(f"Token {once.id} was for one login, and had it at 2")


def test_what_a_good_token_may_not(host: Host) -> None:
    """Networks and sessions of the token."""
    token = host.tokens.create("ana", Role.USER, None, None, networks=["10.0.0.0/8"])
    assert why(host, "ana") == [f"Token {token.id} is good from 10.0.0.0/8 alone."]
    only = host.tokens.create("bia", Role.USER, None, None, max_sessions=1)
    host.authenticator.reload()
    assert why(host, "bia") == ["Nothing keeps bia out."]
    assert host.ask(host.session(), f"AUTH {only.reveal()}") == "OK\n"
    assert why(host, "bia") == [f"Token {only.id} has 1 sessions, which are all that it may have."]


def test_revoked_certificates_and_a_full_server(make_host: MakeHost) -> None:
    """A certificate's revocation by its name; and what keeps everybody out."""
    host = make_host(limits={"max_clients": 1})
    host.token("ana")
    host.services.revoked_certificates.revoke("ana")
    (line,) = why(host, "ana")
    assert line.startswith("Client certificates of ana made until 2")
    assert line.endswith(" are revoked.")
    host.user("bia")
    assert why(host, "192.0.2.7") == ["All 1 places for clients are taken."]


def test_it_is_completed(host: Host) -> None:
    """Users with tokens, addresses that are here, banned or refused."""
    host.user("ana")
    host.ask(host.local(), "BAN ADD network=192.0.2.0/24")
    offered = host.ask(host.local(), 'COMPLETE SERVER WHY ""').splitlines()[:-1]
    assert offered == ["127.0.0.1", "192.0.2.0", "ana"]


def test_nobody_else_may_ask(host: Host) -> None:
    """It is for administrators."""
    assert "NOPERM" in host.ask(host.user(), "SERVER WHY 192.0.2.7")

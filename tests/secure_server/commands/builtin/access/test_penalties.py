"""PENALTY LIST, EXPLAIN and CLEAR, and what a refused peer is told."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.scram import MECHANISM
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host

SETTINGS: dict[str, object] = {"first": "1s", "minimum": "4s", "most": "60s"}
AWAY = "203.0.113.7:40000"
THROTTLED = "THROTTLED Too many refused credentials came from your address; retry-after=4"


def fail(host: Host, times: int, address: str = AWAY) -> None:
    """Show so many different wrong tokens, from a new connection each."""
    for _ in range(times):
        session = host.session(address=address)
        answer = host.ask(session, f"AUTH {Token.generate().reveal()}")
        assert answer == "ERROR: WRONGPASS The token was refused.\n", answer
        host.sessions.remove(session)


def test_a_penalised_address_is_let_in_with_what_is_good(make_host: MakeHost) -> None:
    """In each form, an administrator from there, too; it clears nothing of what others there have earned."""
    host = make_host(penalties=SETTINGS)
    token = host.token("root", Role.ADMIN).reveal()
    fail(host, 3)
    assert host.ask(host.session(address=AWAY), f"AUTH {token}") == "OK\n"
    assert host.ask(host.session(address=AWAY), f"AUTH root {token}") == "OK\n"
    program = host.session(address=AWAY)
    assert host.call(program, "HELLO", "3", "AUTH", "root", token).startswith(b"%")
    assert host.penalties.refused_for("203.0.113.7") == 4


def presented(host: Host) -> list[str]:
    """Return what is wrong in each way that there is, as arguments of AUTH."""
    good, gone, old, away = host.token("good"), host.token("gone"), host.token("old"), host.token("away")
    host.revoke("gone")
    forged = Token(good.id, Token.generate().secret)
    with_state = {
        old.id: {"expires": 1.0},
        away.id: {"networks": (ip_network("192.0.2.0/24"),)},
    }
    for token_id, changes in with_state.items():
        host.authenticator._records[token_id] = replace(host.authenticator._records[token_id], **changes)  # type: ignore[arg-type] # a table
    tokens = [Token.generate(), forged, gone, old, away]
    return [*(token.reveal() for token in tokens), f"eve {good.reveal()}", "hunter2", f"{MECHANISM} rubbish"]


def test_whatever_is_wrong_a_penalised_address_is_told_the_same(make_host: MakeHost) -> None:
    """One try a connection, of which nobody learns anything but the log, and which earns nothing more."""
    host = make_host(penalties=SETTINGS)
    wrong = presented(host)
    fail(host, 3)
    before = len(host.authentications)
    for one in wrong:
        session = host.session(address=AWAY)
        answers = host.send(session, f"AUTH {one}\nAUTH {one}\n".encode())
        assert answers == f"ERROR: {THROTTLED}\n".encode(), one
        assert session.close_reason is CloseReason.THROTTLED
        host.sessions.remove(session)
    program = host.session(address=AWAY)
    assert host.call(program, "HELLO", "3", "AUTH", "eve", Token.generate().reveal()) == f"-{THROTTLED}\r\n".encode()
    reasons = [" ".join(detail.split()[:2]) for _, detail in host.authentications[before:]]
    assert reasons == [
        "penalty unknown",
        "penalty wrong-secret",
        "penalty revoked",
        "penalty expired",
        "penalty wrong-network",
        "penalty wrong-name",
        "penalty malformed",
        "penalty mechanism",
        "penalty unknown",
    ]
    assert host.penalties.entries()[0].failures == 3
    host.clock.now += 4
    fail(host, 1)
    assert host.penalties.refused_for("203.0.113.7") == 8


@pytest.mark.parametrize(
    ("mechanisms", "shown"),
    [("scram", f"AUTH {Token.generate().reveal()}"), ("bearer", f"AUTH {MECHANISM} p=,,n=a,r=b")],
    ids=["bearer token", "first message"],  # a token is another one in each process of the suite
)
def test_a_mechanism_that_is_closed_is_a_try_like_any_other(make_host: MakeHost, mechanisms: str, shown: str) -> None:
    """It earns nothing; during a penalty it ends the connection."""
    host = make_host(penalties=SETTINGS, authentication={"mechanisms": mechanisms})
    assert host.ask(host.session(address=AWAY), shown).startswith("ERROR: NOMECHANISM ")
    for number in range(3):
        host.penalties.failed("203.0.113.7", bytes([number]), AWAY, "unknown")
    session = host.session(address=AWAY)
    assert host.ask(session, shown) == f"ERROR: {THROTTLED}\n"
    assert session.close_reason is CloseReason.THROTTLED
    assert host.penalties.entries()[0].failures == 3


def test_a_session_that_stands_is_not_touched(make_host: MakeHost) -> None:
    """Nor the log told a secret."""
    host = make_host(penalties=SETTINGS)
    session = host.session(address=AWAY)
    assert host.ask(session, f"AUTH {host.token().reveal()}") == "OK\n"
    fail(host, 3)
    assert host.ask(session, "PING") == "PONG\n"
    host.ask(host.session(address=AWAY), "AUTH scs_rubbish")
    assert host.authentications[-1] == ("refused", "penalty malformed retry-after=4")


def test_malformed_tokens_count_and_the_same_one_does_not_count_twice(make_host: MakeHost) -> None:
    """Three tries of one wrong token end the connection, and lock nobody out."""
    host = make_host(penalties=SETTINGS)
    for _ in range(4):
        session = host.session(address=AWAY)
        for _ in range(3):
            assert "WRONGPASS" in host.ask(session, "AUTH scs_rubbish")
        assert session.close_reason is CloseReason.AUTH_FAILED
    assert host.penalties.entries()[0].failures == 1


def test_an_admin_lists_explains_and_clears(make_host: MakeHost) -> None:
    """In a table, in a sentence, and at once."""
    host = make_host(penalties=SETTINGS)
    admin = host.local()
    assert host.ask(admin, "PENALTY LIST") == "No address has earned a penalty.\n.\n"
    fail(host, 2)
    explained = host.ask(admin, "PENALTY EXPLAIN 203.0.113.7")
    assert explained.startswith("203.0.113.7 is not refused: 2 different credentials were refused, and from 3 on ")
    fail(host, 1)
    fail(host, 1, "[2001:db8::5]:40000")
    listed = host.ask(admin, "PENALTY LIST")
    assert "203.0.113.7" in listed
    assert "2001:db8::/64" in listed
    assert "unknown token=" in listed
    explained = host.ask(admin, "PENALTY EXPLAIN 203.0.113.7")
    assert explained.startswith("203.0.113.7 is refused until 20")
    assert "because 3 different credentials from it were refused; the last one at 20" in explained
    assert host.ask(admin, "PENALTY CLEAR 203.0.113.7") == "Cleared: 1.\n"
    assert host.ask(admin, "PENALTY EXPLAIN 203.0.113.7").startswith("203.0.113.7 is not refused: no failure")
    assert host.ask(admin, "PENALTY CLEAR 203.0.113.7").startswith("ERROR: 203.0.113.7 has no penalty")
    assert host.ask(admin, "PENALTY CLEAR 2001:db8::/64") == "Cleared: 1.\n"
    fail(host, 1)
    assert host.ask(admin, "PENALTY CLEAR all") == "Cleared: 1.\n"
    assert host.ask(admin, "PENALTY CLEAR everybody").startswith("ERROR: everybody is no IP address")


def test_exempt_networks_are_explained(make_host: MakeHost) -> None:
    """So that nobody wonders why an address is not listed."""
    host = make_host(penalties=SETTINGS | {"exempt": ["203.0.113.0/24"]})
    fail(host, 5)
    assert "it is in penalties.exempt" in host.ask(host.local(), "PENALTY EXPLAIN 203.0.113.7")


@pytest.mark.parametrize("role", [Role.USER, Role.OPERATOR])
def test_only_admins_may(host: Host, role: Role) -> None:
    """The list names addresses of others."""
    session = host.user(role=role)
    for line in ("PENALTY LIST", "PENALTY EXPLAIN 203.0.113.7", "PENALTY CLEAR all"):
        assert host.ask(session, line).startswith("ERROR: NOPERM")

"""PENALTY LIST, EXPLAIN and CLEAR, and what a refused peer is told."""

from __future__ import annotations

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host

SETTINGS: dict[str, object] = {"first": "1s", "minimum": "4s", "most": "60s"}
AWAY = "203.0.113.7:40000"


def fail(host: Host, times: int, address: str = AWAY) -> None:
    """Show so many different wrong tokens, from a new connection each."""
    for _ in range(times):
        session = host.session(address=address)
        answer = host.ask(session, f"AUTH {Token.generate().reveal()}")
        assert answer == "ERROR: WRONGPASS The token was refused.\n", answer
        host.sessions.remove(session)


def test_a_penalised_address_is_refused_before_its_token_is_looked_at(make_host: MakeHost) -> None:
    """Told for how long, also in HELLO; a good token is no way round it, and afterwards it is."""
    host = make_host(penalties=SETTINGS)
    token = host.token()
    fail(host, 3)
    session = host.session(address=AWAY)
    said = "THROTTLED Too many refused credentials came from your address; retry-after=4"
    assert host.ask(session, f"AUTH {token.reveal()}") == f"ERROR: {said}\n"
    assert session.close_reason is CloseReason.THROTTLED
    program = host.session(address="203.0.113.7:40001")
    assert host.call(program, "HELLO", "3", "AUTH", "ada", token.reveal()) == f"-{said}\r\n".encode()
    assert host.ask(host.session(address="203.0.113.8:40000"), f"AUTH {token.reveal()}") == "OK\n"
    host.clock.now += 4
    assert host.ask(host.session(address=AWAY), f"AUTH {token.reveal()}") == "OK\n"


def test_a_session_that_stands_is_not_touched(make_host: MakeHost) -> None:
    """Nor the log told a secret."""
    host = make_host(penalties=SETTINGS)
    session = host.session(address=AWAY)
    assert host.ask(session, f"AUTH {host.token().reveal()}") == "OK\n"
    fail(host, 3)
    assert host.ask(session, "PING") == "PONG\n"
    host.ask(host.session(address=AWAY), "AUTH scs_rubbish")
    assert host.authentications[-1] == ("refused", "penalty retry-after=4")


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

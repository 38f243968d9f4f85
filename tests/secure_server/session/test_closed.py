"""What is kept of sessions that have ended."""

from __future__ import annotations

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.session import closed
from secure_server.session.closed import Closed, ClosedSessions, newest_first
from secure_server.session.filter import FIELDS, SessionFilter
from tests.secure_server.host import Host


def test_one_is_kept_with_reason_and_figures(host: Host) -> None:
    """Who it was, for how long, what it did, and why it ended; the newest first."""
    first, second = host.user("bob"), host.session()
    host.clock.now += 90
    host.ask(first, "ECHO hello")
    first.close(CloseReason.KICKED)
    host.sessions.remove(first)
    host.sessions.remove(second)
    newest, oldest = host.sessions.closed()
    assert (newest.number, newest.principal, newest.role, newest.close_reason) == (2, None, Role.NOBODY, None)
    assert oldest.principal is not None
    assert (oldest.principal.name, oldest.close_reason, oldest.seconds) == ("bob", CloseReason.KICKED, 90)
    assert (oldest.activity.commands, oldest.activity.last_command) == (2, "ECHO")
    assert oldest.closed >= oldest.activity.connected


def test_one_that_ends_twice_is_kept_once(host: Host) -> None:
    """As it is counted once."""
    session = host.session()
    host.sessions.remove(session)
    host.sessions.remove(session)
    assert len(host.sessions.closed()) == 1


def test_the_oldest_is_forgotten(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are so many and no more; and strangers, however many come, push nobody else out."""
    monkeypatch.setattr(closed, "MOST_CLOSED", 3)
    monkeypatch.setattr(closed, "MOST_STRANGERS", 2)
    kept, expected = ClosedSessions(), list[int]()
    for number in range(5):
        host.clock.now += 1
        user = host.user(f"u{number}")
        kept.add(user)
        expected.append(user.number)
    for _ in range(5):
        host.clock.now += 1
        kept.add(host.session())
    assert [session.number for session in newest_first(kept.all())] == [10, 9, *expected[:1:-1]]


def test_a_list_of_commands_is_not_kept(host: Host) -> None:
    """It may be as long as somebody wrote it; nothing that is shown is in it."""
    session = host.user("bob", allow=["ECHO", "PING"])
    kept = Closed.of(session)
    assert kept.principal is not None
    assert kept.principal.allow is None
    assert kept.principal.token_id == (session.principal and session.principal.token_id)


def test_each_field_can_be_read_of_both(host: Host) -> None:
    """Of a live session and of one that has ended; shown and put in order where there is a value."""
    session = host.user("bob")
    session.client_name, session.library = "deploy", ("redis-py", "5.0")
    session.close(CloseReason.IDLE)
    kept = Closed.of(session)
    for name, field in FIELDS.items():
        for one in (session, kept):
            value = field.read(one, host.clock())
            if value is not None:
                assert field.kind.shown(value) is not None, name
                field.kind.rank(value)
    assert FIELDS["state"].read(kept, 0.0) == "closed"
    assert FIELDS["closed"].read(session, 0.0) is None
    admin = host.local()
    for words, meant in [
        (["reason=idle"], True),
        (["reason", "in", "kicked,revoked"], False),
        (["state=closed", "closed>2020-01-01", "seconds<5s"], True),
        (["USER", "bob", "client-name~DEP", "library~redis", "not", "role=admin"], True),
    ]:
        assert SessionFilter.parse(words).matches(kept, admin, host.clock()) is meant, words

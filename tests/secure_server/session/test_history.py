"""What a session remembers of itself: little, and nothing of what the gate has cleared."""

from __future__ import annotations

from secure_protocol.resp_requests import encode_request
from secure_server.session.history import COMMANDS, FIRST, MOMENTS, Moment, with_moment
from tests.secure_server.host import Host


def test_an_idle_session_has_nothing(host: Host) -> None:
    """But for the moment in which it came in; a stranger's tries are not kept at all."""
    stranger = host.session()
    host.ask(stranger, "PING")
    assert (stranger.moments, stranger.ran) == ((), None)
    session = host.program()
    assert ([(moment.what, moment.detail) for moment in session.moments], session.ran) == (
        [("authenticated", "bearer")], None,
    )  # fmt: skip


def test_the_last_commands_are_remembered(host: Host) -> None:
    """With outcome; no more than so many."""
    session = host.user()
    host.ask(session, "NOPE")
    for _ in range(COMMANDS):
        host.ask(session, "WHOAMI")
    assert session.ran is not None
    assert [(ran.command, ran.outcome) for ran in session.ran] == [("WHOAMI", "ok")] * COMMANDS
    assert [ran.total for ran in session.ran] == list(range(3, COMMANDS + 3))


def test_what_is_answered_the_short_way_is_not_noted(host: Host) -> None:
    """The first of them is, and how many there were is known by the next."""
    session = host.program()
    for count in (1, 10, 19):
        session.receive(encode_request([b"PING"]) * count, host.clock())
    host.call(session, "WHOAMI")
    assert session.ran is not None
    assert [(ran.command, ran.total) for ran in session.ran] == [("PING", 2), ("WHOAMI", 32)]


def test_moments_are_bounded_and_the_first_stay() -> None:
    """However often somebody changes its mind."""
    moments: tuple[Moment, ...] = ()
    for number in range(100):
        moments = with_moment(moments, Moment(float(number), "language"))
    assert len(moments) == MOMENTS
    assert [moment.when for moment in moments[: FIRST + 1]] == [0, 1, 2, 3, 100 - MOMENTS + FIRST]


def test_a_life_has_its_moments(host: Host) -> None:
    """RESET, another language, another login."""
    session = host.user()
    host.ask(session, "LANG pt_BR")
    host.ask(session, "LANG pt_BR")
    host.ask(session, "RESET")
    host.ask(session, f"AUTH {host.token('bob').reveal()}")
    assert [(moment.what, moment.detail) for moment in session.moments] == [
        ("authenticated", "bearer"), ("language", "pt_BR"), ("reset", ""), ("language", "en"),
        ("authenticated", "bearer"),
    ]  # fmt: skip

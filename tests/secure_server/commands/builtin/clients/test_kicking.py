"""KICK with a filter: whom it chooses, what it holds to, what they are told, and who is banned."""

from __future__ import annotations

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients import kicking
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken


def settled(host: Host) -> None:
    """Do what was handed over."""
    while not host.handed_over.empty():
        host.turn()


def ends(host: Host, *sessions: Session) -> list[CloseReason | None]:
    """Why each has ended, if it has."""
    settled(host)
    return [session.close_reason for session in sessions]


def test_a_filter_chooses_several_and_spares_oneself(host: Host) -> None:
    """The answer has how many and whom."""
    admin, ana, bob = host.user("chief", Role.ADMIN), host.user("ana"), host.user("bob")
    answer = host.ask(admin, 'KICK transport=tls --reason "back at  noon"')
    assert answer == (f"Kicked clients: 2: {ana.number} (ana, 127.0.0.1:40000), {bob.number} (bob, 127.0.0.1:40000).\n")
    assert ends(host, admin, ana, bob) == [None, CloseReason.KICKED, CloseReason.KICKED]
    assert taken(ana) == b"ERROR: CLOSED reason=kicked back at  noon\n"


def test_the_answer_is_bounded(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them, and how many more."""
    monkeypatch.setattr(kicking, "TOLD", 1)
    admin, one, *_ = host.local(), host.user("a"), host.user("b"), host.user("c")
    assert host.ask(admin, "KICK role=user") == (f"Kicked clients: 3: {one.number} (a, 127.0.0.1:40000) and 2 more.\n")


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("SKIPME no", "KICK needs a filter: an empty one would close everybody."),
        ("TYPE normal", "KICK needs a filter: an empty one would close everybody."),
        ("user=eve", "No other client matches the filter; CLIENTS lists them."),
        ("transport=unix", "No other client matches the filter; CLIENTS lists them."),
        ("role=user --shown 7,x", "--shown takes the numbers of clients, joined by commas."),
        ("role=user --shown 99", "None of the clients that were shown is connected any more."),
        ("role=user --by address", "--by says what --ban bans, so it needs --ban, such as --ban 1h."),
        ("role=user --retry-after 8d", "Argument retry-after: 8d is not between 1s and 7d."),
        ("role=user --ban 0", "Argument ban: 0 is not between 1s and 3650d."),
    ],
)
def test_what_is_refused_closes_nobody(host: Host, line: str, answer: str) -> None:
    """And says what to do."""
    admin, ana = host.local(), host.user("ana")
    assert host.ask(admin, f"KICK {line}") == f"ERROR: {answer}\n"
    assert ends(host, admin, ana) == [None, None]
    assert host.banning.bans.entries() == []


def test_it_needs_whom(host: Host) -> None:
    """Nothing at all is no filter."""
    assert "whom is missing" in host.ask(host.local(), "KICK --reason x")


def test_what_was_shown_is_kicked_and_nobody_else(host: Host) -> None:
    """Whoever came meanwhile stays, and who was shown goes though the filter holds no more."""
    admin, ana = host.local(), host.user("ana")
    host.clock.now += 100
    shown = host.ask(admin, "PREVIEW KICK idle>60s --reason x").splitlines()
    assert [line.split()[:2] for line in shown[1:-1]] == [[str(ana.number), "ana"]]
    assert host.ask(admin, "PREVIEW KICK 7") == "-\n.\n"
    host.send(ana, b"PING\n")
    bob = host.user("bob")
    host.clock.now += 100
    host.send(ana, b"PING\n")
    assert host.ask(admin, f"KICK idle>60s --shown={ana.number},{admin.number}").startswith("Kicked clients: 1: ")
    assert ends(host, admin, ana, bob) == [None, CloseReason.KICKED, None]


def test_the_preview_says_what_the_command_would(host: Host) -> None:
    """So nobody is asked about what could not be done."""
    admin = host.local()
    for line in ("user=eve", "SKIPME no", "colour=red"):
        assert host.ask(admin, f"PREVIEW KICK {line}") == host.ask(admin, f"KICK {line}")
        assert host.ask(admin, f"PREVIEW KICK {line}").startswith("ERROR: ")


def test_retry_after_is_told_in_every_form(host: Host) -> None:
    """In the push and in the line; by a number as well."""
    admin, person, program = host.local(), host.user("ana"), host.program(3, "bob")
    host.ask(admin, f"KICK {person.number} be right back --retry-after 5m")
    host.ask(admin, "KICK user=bob --retry-after 1.5s")
    assert ends(host, person, program) == [CloseReason.KICKED] * 2
    assert taken(person) == b"ERROR: CLOSED reason=kicked retry-after=300 be right back\n"
    assert taken(program) == b">4\r\n$6\r\nclosed\r\n+kicked\r\n:2\r\n$27\r\nClosed by an administrator.\r\n"


def test_ban_by_user(host: Host) -> None:
    """All their sessions end, as banned; strangers who were chosen are kicked."""
    admin, ana = host.local(), host.user("ana")
    stranger = host.session()
    host.send(stranger, b"PING\n")
    answer = host.ask(admin, "KICK network=127.0.0.1 --ban 60 --reason noise")
    assert " Banned until 2" in answer
    assert answer.endswith(": user=ana.\n")
    assert ends(host, ana, stranger) == [CloseReason.BANNED, CloseReason.KICKED]
    assert taken(ana).startswith(b"ERROR: CLOSED reason=banned retry-after=60 You are banned until 2")
    (ban,) = host.banning.bans.entries()
    assert (ban.by, ban.reason) == ("local:root", "noise")


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("address", ["address=192.0.2.7", "address=2001:db8::7"]),
        ("network", ["network=192.0.2.0/24", "network=2001:db8::/64"]),
    ],
)  # fmt: skip
def test_ban_by_where_they_are(host: Host, by: str, labels: list[str]) -> None:
    """Once each, whatever the number of sessions from there."""
    admin = host.local()
    sessions = [host.session(address=address) for address in ("192.0.2.7:1", "192.0.2.7:2", "[2001:db8::7]:1")]
    assert host.ask(admin, f"KICK role=nobody --ban 1h --by {by}").endswith(f"{', '.join(labels)}.\n")
    assert ends(host, *sessions) == [CloseReason.BANNED] * 3
    assert [ban.label for ban in host.banning.bans.entries()] == labels


def test_what_has_nothing_to_ban_is_not_closed(host: Host) -> None:
    """Half of what was asked for is not done."""
    admin, stranger, other = host.local(), host.session(), host.local()
    assert host.ask(admin, "KICK role=nobody --ban 1h") == (
        "ERROR: None of them can be banned by user; nobody was closed.\n"
    )
    assert host.ask(admin, f"KICK {other.number} --ban 1h --by address").startswith("ERROR: None of them can be banned")
    assert ends(host, stranger, other) == [None, None]


def test_a_ban_that_would_be_ones_own_takes_yes(host: Host) -> None:
    """Another client at one's own address: nobody is closed before that is said."""
    chief, ana = host.user("chief", Role.ADMIN), host.user("ana")
    assert host.ask(chief, "KICK user=ana --ban 1h --by address").startswith(
        "ERROR: That would ban you, too; with --yes"
    )
    assert ends(host, chief, ana) == [None, None]
    answer = host.ask(chief, "KICK user=ana --ban 1h --by address --yes")
    assert answer.startswith("Kicked clients: 1: ")
    assert ends(host, chief, ana) == [CloseReason.BANNED, CloseReason.BANNED]


def test_it_says_of_itself_what_a_client_needs(host: Host) -> None:
    """A question, and the command that tells what it is about."""
    found = host.registry.named("KICK")
    assert found is not None
    described = found.describe(str)
    assert (described.confirm, described.preview) == ("Close these connections to {server}?", "PREVIEW KICK")
    assert host.registry.named(described.preview) is not None

"""BAN, and what becomes of the banned: newcomers, logins, and those who are in."""

from __future__ import annotations

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.admission.certificate import CertificateAdmission
from secure_server.auth.certificates import CertificateAuthenticator, Grant
from secure_server.auth.principal import ClientCertificate, Role
from secure_server.limits import bans as table
from secure_server.limits.bans import Bans
from secure_server.session.peer import Peer
from tests.secure_server.host import Host, taken

NOWHERE = "203.0.113.9:40000"


def settled(host: Host) -> None:
    """Do what was handed over."""
    while not host.handed_over.empty():
        host.turn()


def test_a_ban_is_made_listed_and_removed(host: Host) -> None:
    """Each says what it did; the list has who made it, and no row of what has ended."""
    admin = host.local()
    assert host.ask(admin, "BAN LIST") == "Nobody is banned.\n.\n"
    assert host.ask(admin, "BAN ADD user=ana") == "Banned for good: user=ana, by number 1; sessions ended: 0.\n"
    answer = host.ask(admin, 'BAN ADD network=10.0.0.0/8 --for 1h --reason "too  many"')
    assert answer.startswith("Banned until 2")
    assert answer.endswith(": network=10.0.0.0/8, by number 2; sessions ended: 0.\n")
    _, first, second, _ = host.ask(admin, "BAN LIST").splitlines()
    assert first.split()[:5] == ["1", "user=ana", "-", "-", "local:root"]
    assert second.split()[1] == "network=10.0.0.0/8"
    assert int(second.split()[3]) in (3599, 3600)
    assert second.endswith("too  many")
    assert host.ask(admin, "BAN REMOVE 10.0.0.0/8") == "Not banned any more: network=10.0.0.0/8.\n"
    assert host.ask(admin, "BAN REMOVE user=ana") == "Not banned any more: user=ana.\n"
    assert host.ask(admin, "BAN REMOVE 1").startswith("ERROR: There is no ban 1; BAN LIST shows")
    assert {"BAN ADD", "BAN REMOVE"} <= {item.name for item in host.registry if item.durable}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("ana", "ana is nothing to ban; write user=NAME, address=192.0.2.7 or network=10.0.0.0/8."),
        ("name=ana", "name=ana is nothing to ban; write user=NAME, address=192.0.2.7 or network=10.0.0.0/8."),
        ("user=", "That is no name of a user; TOKENS shows those that there are."),
        ("user=local:root", "That is no name of a user; TOKENS shows those that there are."),
        ("address=box", "box is no IP address; write it as 203.0.113.7 or 2001:db8::1."),
        ("network=10.0.0.1/8", "10.0.0.1/8 is no network; write it as in 10.0.0.0/8."),
        ("network=box", "box is no network; write it as in 10.0.0.0/8."),
        ("user=a --for 0", "Argument for: 0 is not between 1s and 3650d."),
        ("user=a --for soon", "Argument for: soon is not a valid duration; write 90s, 5m, 1h."),
    ],
)
def test_what_cannot_be_banned_is_said(host: Host, line: str, answer: str) -> None:
    """What was wrong, and what to write."""
    assert host.ask(host.local(), f"BAN ADD {line}") == f"ERROR: {answer}\n"
    assert host.banning.bans.entries() == []


def test_there_is_a_bound_and_a_full_disk(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are said; a peer learns no path."""
    admin = host.local()
    monkeypatch.setattr(table, "MOST_BANS", 1)
    host.ask(admin, "BAN ADD user=ana")
    assert host.ask(admin, "BAN ADD user=bia").startswith("ERROR: There would be more than 10000 bans, which are all")

    def full(*_given: object) -> None:
        raise OSError(28, "No space left", "/data/bans.json")

    monkeypatch.setattr(host.banning, "bans", Bans(keep=full))
    said = host.ask(admin, "BAN ADD user=bia")
    assert said.startswith("ERROR: UNAVAILABLE The bans could not be written to disk, so nothing was changed")
    assert "/data" not in said


def test_sessions_of_the_banned_end_and_are_told(host: Host) -> None:
    """By their user or where they are, strangers too; with the reason, and when to come back."""
    admin, ana, bob = host.local(), host.user("ana"), host.program(3, "bob")
    stranger = host.session(address=NOWHERE)
    host.send(stranger, b"PING\n")
    assert host.ask(admin, "BAN ADD user=ana --for 60 --reason noise").endswith("sessions ended: 1.\n")
    settled(host)
    assert (ana.close_reason, bob.close_reason, stranger.close_reason) == (CloseReason.BANNED, None, None)
    told = taken(ana).decode()
    assert told.startswith("ERROR: CLOSED reason=banned retry-after=60 You are banned until 2")
    assert told.endswith(": noise\n")
    assert host.ask(admin, "BAN ADD network=0.0.0.0/0").endswith("sessions ended: 2.\n")
    settled(host)
    assert taken(bob).startswith(b">4\r\n$6\r\nclosed\r\n+banned\r\n:-1\r\n$15\r\nYou are banned.")
    assert (stranger.close_reason, admin.close_reason) == (CloseReason.BANNED, None)


def test_a_login_of_the_banned_is_refused_only_when_it_proved_good(host: Host) -> None:
    """A wrong secret learns nothing; the right one is told until when and why, and spends nothing."""
    token = host.token("ana")
    host.ask(host.local(), "BAN ADD user=ana --for 90 --reason noise")
    stranger = host.session()
    wrong = token.reveal()[:-7] + "0000000"
    assert "BANNED" not in host.ask(stranger, f"AUTH {wrong}")
    answer = host.ask(stranger, f"AUTH {token.reveal()}")
    assert answer.startswith("ERROR: BANNED You are banned until 2")
    assert answer.endswith(": noise; retry-after=90\n")
    assert stranger.close_reason is CloseReason.BANNED
    assert host.authentications[-1] == ("refused", f"banned ban=1 token={token.id}")
    assert host.sessions.clients == 0


def test_a_far_end_is_told_without_a_moment_to_wait_for(host: Host) -> None:
    """Nobody's program should wait for weeks; a person reads the date."""
    token = host.token("ana")
    host.ask(host.local(), "BAN ADD user=ana --for 30d")
    answer = host.ask(host.session(), f"AUTH {token.reveal()}")
    assert answer.startswith("ERROR: BANNED You are banned until ")
    assert "retry-after" not in answer


def test_a_ban_that_comes_between_proof_and_place_ends_the_session(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever bans looks at those who are somebody, and this one is not yet."""
    token, session, admit = host.token("ana"), host.session(), host.sessions.admit

    def meanwhile(*given: object) -> object:
        host.banning.bans.add([table.Target(table.Kind.USER, "ana")], until=None, by="root")
        return admit(*given)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(host.sessions, "admit", meanwhile)
    host.ask(session, f"AUTH {token.reveal()}")
    assert session.close_reason is CloseReason.BANNED


def test_a_certificate_of_the_banned_is_refused(host: Host) -> None:
    """It has proved who it is, so it is told at its first request."""
    log: list[tuple[str, str]] = []
    authenticator = CertificateAuthenticator(host._storage, {"ana": Grant(Role.OPERATOR)})
    admission = CertificateAdmission(
        authenticator,
        host.sessions,
        host.banning,
        host.draining,
        lambda _who, outcome, detail, _mechanism: log.append((outcome, detail)),
    )
    host.ask(host.local(), "BAN ADD user=ana")
    session = host.session()
    shown = ClientCertificate("ana", "ab" * 32, 0, 1e12)
    session.peer = Peer("127.0.0.1:40000", netblock="127.0.0.1", certificate=shown)
    admission.enter(session)
    assert session.principal is None
    assert log[0][0] == "refused"
    assert log[0][1].startswith("banned ban=1 certificate=")
    assert host.ask(session, "PING") == "ERROR: CLOSED reason=banned You are banned.\n"


def test_who_bans_themselves_says_so_twice(host: Host) -> None:
    """Without `--yes` nothing happens; with it they are answered first. On the admin socket nobody is banned."""
    chief = host.user("chief", Role.ADMIN)
    for what in ("user=chief", "address=127.0.0.1", "network=127.0.0.0/8"):
        assert host.ask(chief, f"BAN ADD {what}") == (
            "ERROR: That would ban you, too; with --yes it is done all the same.\n"
        )
    assert host.banning.bans.entries() == []
    answer = host.ask(chief, "BAN ADD user=chief --yes")
    settled(host)
    answer += taken(chief).decode()
    assert answer == (
        "Banned for good: user=chief, by number 1; sessions ended: 1.\nERROR: CLOSED reason=banned You are banned.\n"
    )
    admin = host.local()
    host.banning.bans.add([table.Target(table.Kind.USER, "local:root")], until=None, by="root")
    assert host.ask(admin, "BAN ADD network=127.0.0.0/8").startswith("Banned for good")
    settled(host)
    assert admin.close_reason is None


def test_completion_knows_who_is_there_and_who_is_banned(host: Host) -> None:
    """Kinds, then values that are live; of the list, numbers and what is banned."""
    admin, _ana, _far = host.local(), host.user("ana"), host.session(address="203.0.113.9:1")

    def complete(line: str) -> list[str]:
        return host.ask(admin, f"COMPLETE {line}").splitlines()[:-1]

    assert complete('BAN ADD ""') == ["user=", "address=", "network="]
    assert complete("BAN ADD user=") == ["user=ana"]
    assert complete("BAN ADD address=") == ["address=127.0.0.1", "address=203.0.113.9"]
    assert complete("BAN ADD network=2") == ["network=203.0.113.0/24"]
    assert complete("BAN ADD user=a --f") == ["--for"]
    host.ask(admin, "BAN ADD user=ana")
    assert complete('BAN REMOVE ""') == ["1", "user=ana"]

"""CLIENTS, KICK: what the admin shell is made of."""

from __future__ import annotations

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients.listing import CLIENT_COLUMNS
from tests.secure_server.host import Host, taken


def test_clients_is_a_table(host: Host) -> None:
    """A row each, strangers with a dash; filters as in CLIENT LIST."""
    admin, user, stranger = host.local(), host.user("bob"), host.session(address="10.0.0.9:9")
    host.clock.now += 3
    header, *rows, end = host.ask(admin, "CLIENTS").splitlines()
    assert tuple(header.split()) == CLIENT_COLUMNS
    assert end == "."
    cells = [row.split() for row in rows]
    assert [row[0] for row in cells] == [str(item.number) for item in (admin, user, stranger)]
    assert [row[1:5] for row in cells] == [
        ["local:root", "admin", "unix", "unix"],
        ["bob", "user", "127.0.0.1:40000", "tls"],
        ["-", "nobody", "10.0.0.9:9", "tls"],
    ]
    assert [row[8] for row in cells] == ["0", "3", "3"]
    assert [row[-1] for row in cells] == ["CLIENTS", "AUTH", "-"]
    assert len(host.ask(admin, "CLIENTS USER bob").splitlines()) == 3
    assert host.ask(admin, "CLIENTS USER eve").splitlines() == ["None of the 3 clients match USER eve.", "."]
    assert len(host.ask(admin, "CLIENTS not role=admin").splitlines()) == 4
    assert host.ask(admin, "CLIENTS COLOUR red").startswith("ERROR: Unknown filter COLOUR")


def test_filters_are_completed(host: Host) -> None:
    """Fields, and the values that they have now."""
    admin, _ = host.local(), host.user("bob")
    assert host.ask(admin, "COMPLETE CLIENTS cl").splitlines() == ["client-name=", "closed=", "."]
    assert host.ask(admin, "COMPLETE CLIENTS user=").splitlines() == ["user=bob", "user=local:root", "."]
    assert host.ask(admin, "COMPLETE CLIENTS idle>5m role=op").splitlines() == ["role=operator", "."]


def test_clients_is_an_array_of_maps_for_programs(host: Host) -> None:
    """So that nobody counts columns."""
    reply = host.call(host.program(3, "root", Role.ADMIN), "CLIENTS")
    assert reply.startswith(b"*1\r\n%13\r\n$2\r\nid\r\n:1\r\n")


def test_kick_closes_with_the_administrators_words(host: Host) -> None:
    """The client reads them, fit for a terminal; the administrator reads whom it was."""
    admin, victim = host.local(), host.user("bob")
    answer = host.ask(admin, f"KICK {victim.number} back at  noon")
    assert answer == f"Kicked client {victim.number} (bob, 127.0.0.1:40000).\n"
    assert victim.close_reason is CloseReason.KICKED
    assert taken(victim) == b"ERROR: CLOSED reason=kicked back at noon\n"


def test_kick_without_words_and_of_a_stranger(host: Host) -> None:
    """There is a sentence for those who give none, and a dash for those without a name."""
    admin, victim = host.local(), host.session()
    assert host.send(victim, b"PING\n").startswith(b"ERROR: NOAUTH ")
    victim.speak("pt_BR")
    assert "(-, " in host.ask(admin, f"KICK {victim.number}")
    assert taken(victim).startswith(b"ERROR: CLOSED reason=kicked ")


def test_kick_of_nobody_or_oneself_is_refused(host: Host) -> None:
    """With what to do instead; one who is closing already is nobody."""
    admin, gone = host.local(), host.user("bob")
    gone.close(CloseReason.IDLE)
    none = "ERROR: No client has the id {}; CLIENTS lists them.\n"
    assert host.ask(admin, "KICK 99") == none.format(99)
    assert host.ask(admin, f"KICK {gone.number}") == none.format(gone.number)
    assert host.ask(admin, f"KICK {admin.number}") == "ERROR: That is your own connection; leave with EXIT.\n"
    assert host.ask(admin, "KICK bob").startswith("ERROR: Unknown filter BOB. A filter is FIELD OPERATOR VALUE")
    assert not admin.closing


def test_administration_is_for_admins(host: Host) -> None:
    """An operator is refused each of them."""
    session = host.user(role=Role.OPERATOR)
    for line in ("CLIENTS", "KICK 1", "TOKENS", "CLIENT LIST", "CLIENT KILL ID 1"):
        assert host.ask(session, line).startswith("ERROR: NOPERM")

"""The gate asks from where an admin comes, each time: outside `admin.networks` they are an operator, and told why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host, taken

AWAY = "192.0.2.7:40000"
WHY = (
    "ERROR: NOPERM {command} needs the role admin, which you have only where this server's setting admin.networks lets "
    "you; from here you are operator.\n"
)


def admin(host: Host, address: str, *, hello: bool = False) -> Session:
    """An admin's session, by a token."""
    session = host.session(address=address)
    token = host.token("ada", Role.ADMIN).reveal()
    if hello:
        host.call(session, "HELLO", "3", "AUTH", "ada", token)
    else:
        host.ask(session, f"AUTH {token}")
    return session


def test_outside_an_admin_is_an_operator_and_told_why(host: Host) -> None:
    """What an operator may, it may; it is shown as one; and the sentence names the setting, and no network."""
    host.command("RESTART", lambda _context: "done", role=Role.OPERATOR)
    session = admin(host, AWAY)
    assert host.ask(session, "WHOAMI") == "ada (operator)\n"
    assert host.ask(session, "RESTART") == "done\n"
    assert host.ask(session, "KICK 7") == WHY.format(command="KICK")
    assert host.ask(session, "BROADCAST x") == WHY.format(command="BROADCAST")
    assert "KICK" not in host.ask(session, "HELP")
    assert "KICK" not in host.ask(session, "COMMANDS")
    assert "There is no command KICK for you" in host.ask(session, "HELP KICK")
    assert session.role is Role.OPERATOR
    shown = next(line for line in host.ask(host.local(), "CLIENTS user=ada").splitlines() if AWAY in line)
    assert " operator " in shown


def test_inside_it_is_an_admin(make_host: MakeHost) -> None:
    """By whatever network the setting names."""
    host = make_host(admin={"networks": ["192.0.2.0/24"]})
    assert host.ask(admin(host, AWAY), "WHOAMI") == "ada (admin)\n"
    elsewhere = host.session(address="127.0.0.1:1")
    host.ask(elsewhere, f"AUTH {host.token('eve', Role.ADMIN).reveal()}")
    assert host.ask(elsewhere, "KICK 7") == WHY.format(command="KICK")


def test_an_operator_is_told_what_it_always_was(host: Host) -> None:
    """The setting is none of its business."""
    session = host.session(address=AWAY)
    host.ask(session, f"AUTH {host.token('bob', Role.OPERATOR).reveal()}")
    assert host.ask(session, "KICK 7") == "ERROR: NOPERM KICK needs the role admin; you are operator.\n"


def test_hello_says_which_role_it_has_and_which_is_its_own(host: Host) -> None:
    """So that a program can say why there is so little that it may run."""
    session = host.session(address=AWAY)
    reply = host.call(session, "HELLO", "3", "AUTH", "ada", host.token("ada", Role.ADMIN).reveal())
    assert b"$9\r\nuser-role\r\n$8\r\noperator\r\n" in reply
    assert b"$8\r\nown-role\r\n$5\r\nadmin\r\n" in reply
    assert b"own-role" not in host.call(host.program(3, "eve", Role.ADMIN), "HELLO", "3")


@pytest.mark.parametrize("networks", [["10.0.0.0/8"], []])
def test_the_admin_socket_is_always_inside(make_host: MakeHost, networks: list[str]) -> None:
    """Whatever the setting says: it is the way to mend it."""
    host = make_host(admin={"networks": networks})
    assert host.ask(host.local(), "WHOAMI") == "local:root (admin)\n"
    assert "Kicked" not in host.ask(host.local(), "KICK 99999")


def test_a_change_of_address_is_judged(host: Host) -> None:
    """Where a transport lets a peer move; what the gate has cleared goes by it, too."""
    count = 0

    def secret(context: Context) -> bytes:
        nonlocal count
        count += 1
        assert context.principal is not None
        return context.principal.role.label.encode()

    host.command("SECRET", secret, role=Role.ADMIN, inline=True, audit=False, idempotent=True)
    session = admin(host, "127.0.0.1:40000", hello=True)
    for _ in range(3):
        assert host.call(session, "SECRET") == b"$5\r\nadmin\r\n"
    assert b"SECRET" in session.cleared
    session.peer = replace(session.peer, address=AWAY)
    assert host.call(session, "SECRET").startswith(b"-NOPERM SECRET needs the role admin, which you have only where")
    assert host.call(session, "WHOAMI") == b"$14\r\nada (operator)\r\n"
    session.peer = replace(session.peer, address="127.0.0.1:40001")
    assert host.call(session, "SECRET") == b"$5\r\nadmin\r\n"
    assert count == 4


def test_a_change_of_the_setting_is_judged(host: Host) -> None:
    """For who is connected, at once; also what the gate has cleared that any role may run, and that tells of roles."""
    session = admin(host, "127.0.0.1:40000", hello=True)
    before = host.call(session, "COMMANDS")
    assert host.call(session, "COMMANDS") == before
    assert b"KICK" in before
    assert b"COMMANDS" in session.cleared
    networks = session.terms.admin_networks
    networks.take_up(["10.0.0.0/8"])
    assert b"KICK" not in host.call(session, "COMMANDS")
    networks.take_up(["127.0.0.1"])
    assert host.call(session, "COMMANDS") == before


def test_administrators_outside_are_not_told_what_is_for_administrators(host: Host) -> None:
    """Nor is a message for admins sent to them."""
    away, here = admin(host, AWAY, hello=True), host.program(3, "eve", Role.ADMIN)
    host.sessions.tell_administrators("server", Sentence("The disk is full."))
    while not host.handed_over.empty():
        host.turn()
    assert taken(away) == b""
    assert b"The disk is full." in taken(here)


def test_a_job_is_started_by_the_role_of_where_one_is(host: Host) -> None:
    """`JOB START` asks the same question."""
    host.command("SWEEP", lambda _context: "done", role=Role.ADMIN, job=True)
    host.keep_jobs()
    session = admin(host, AWAY)
    assert host.ask(session, "SWEEP") == WHY.format(command="SWEEP")
    assert host.ask(session, "JOB START SWEEP") == WHY.format(command="SWEEP")

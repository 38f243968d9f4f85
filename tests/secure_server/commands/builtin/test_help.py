"""HELP for people, COMMANDS for programs: what the gate would let through, and no more."""

from __future__ import annotations

import re

from secure_server.auth.principal import Role
from tests.secure_server.host import Host


def listed(answer: str) -> set[str]:
    """The first words of HELP's lines."""
    return {line.split()[0] for line in answer.splitlines() if line != "."}


def test_help_lists_what_the_caller_may_run(host: Host) -> None:
    """A user sees no admin commands, a bounded token its own, and nobody what is for programs alone."""
    user = listed(host.ask(host.user("a"), "HELP"))
    admin = listed(host.ask(host.user("b", Role.ADMIN), "HELP"))
    bounded = listed(host.ask(host.user("c", allow=["ECHO"]), "HELP"))
    assert {"ECHO", "TIME", "EXIT", "HELP"} <= user
    assert admin - user == {
        "AUDIT", "BROADCAST", "CERT", "CLIENT", "CLIENTS", "CONFIG", "KICK", "PENALTY", "SERVER", "TOKEN", "TOKENS"
    }  # fmt: skip
    assert "ECHO" in bounded
    assert "TIME" not in bounded
    assert {"AUTH", "CANCEL", "EXIT", "HELP", "LANG", "PING", "QUIT", "WHOAMI"} <= bounded
    assert not {"HELLO", "COMMANDS", "RESET"} & admin


def test_help_explains_one(host: Host) -> None:
    """Syntax, summary, arguments and role."""
    lines = host.ask(host.local(), "HELP kick").splitlines()
    assert lines[0].startswith("KICK ")
    assert lines[1] == "Close a client's connection, with a reason."
    assert any("the number that CLIENTS shows" in line for line in lines)
    assert lines[-2:] == ["Role: admin", "."]
    assert host.ask(host.local(), "HELP client list").startswith("CLIENT LIST")
    assert "Role:" not in host.ask(host.user(), "HELP exit")


def test_help_tells_nothing_of_what_the_caller_may_not_run(host: Host) -> None:
    """The same answer whether it exists or not, fit for a terminal."""
    session = host.user()
    for name in ("KICK", "NOPE"):
        assert host.ask(session, f"HELP {name}") == f"ERROR: There is no command {name} for you; HELP lists them.\n"
    assert b"\x1b" not in host.call(host.program(3, "bob"), "HELP", "\x1b[2J")


def test_nothing_of_what_a_caller_may_not_run_is_told(host: Host) -> None:
    """HELP, COMMANDS, COMMAND and COMPLETE, in all their forms, to a user and to a token with a list."""
    user, bounded = host.user("ada"), host.user("ci", allow=["TIME"])
    for session, forbidden in ((user, "KICK"), (user, "TOKEN CREATE"), (bounded, "ECHO")):
        answer = host.ask(session, f"HELP {forbidden}")
        assert answer == f"ERROR: There is no command {forbidden} for you; HELP lists them.\n"
        for line in ("HELP", "COMMANDS", "COMMAND LIST", "COMMAND DOCS", "COMMAND INFO", "COMPLETE ", "COMPLETE HELP "):
            assert not {forbidden, forbidden.lower()} & set(re.findall(r"[\w|]+", host.ask(session, line))), line
        first, _, second = forbidden.lower().partition(" ")
        for line in (
            f"COMMAND INFO {first}",
            f"COMMAND DOCS {first}",
            f"COMPLETE {first[:3]}",
            f"COMPLETE {forbidden} ",
        ):
            assert first not in host.ask(session, line).lower(), line
        assert not second or second not in host.ask(session, f"COMPLETE {first} ").lower()


def test_help_speaks_the_sessions_language(host: Host) -> None:
    """The summaries are translated."""
    session = host.user()
    english = host.ask(session, "HELP ECHO")
    session.speak("pt_BR")
    assert host.ask(session, "HELP ECHO") != english


def test_commands_describes_to_programs_and_lists_to_people(host: Host) -> None:
    """Maps on RESP, a table in text; hidden ones in neither."""
    program = host.call(host.program(3, "a"), "COMMANDS").decode()
    assert program.count("\r\nname\r\n") >= 8
    assert "CLIENTS" not in program
    assert "HELLO" not in program
    person = host.ask(host.user("b"), "COMMANDS").splitlines()
    assert person[0].split() == ["command", "role", "summary"]
    assert any(line.startswith("ECHO") for line in person)

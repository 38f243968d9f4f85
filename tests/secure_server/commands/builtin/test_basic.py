"""The owner's commands: ECHO, TIME, EXIT, QUIT, PING, LANG."""

from __future__ import annotations

import time
from datetime import datetime

from secure_protocol.reasons import CloseReason
from tests.secure_server.host import Host


def test_echo_in_the_owners_words(host: Host) -> None:
    """With words, without, and in both languages."""
    session = host.user()
    assert host.ask(session, "ECHO hello  'big world'") == "ECHO: hello big world\n"
    assert host.ask(session, "ECHO") == "ECHO: Command received successfully.\n"
    assert host.ask(session, "LANG pt_BR") == "OK\n"
    assert host.ask(session, "echo") == "ECHO: Comando recebido com sucesso.\n"


def test_echo_gives_a_program_its_bytes(host: Host) -> None:
    """No wording, no escaping."""
    assert host.call(host.program(), "ECHO", "a\r\nb") == b"$4\r\na\r\nb\r\n"


def test_time_is_a_moment_with_its_offset(host: Host) -> None:
    """ISO 8601 for people, seconds and microseconds for programs, as Redis gives it."""
    shown = datetime.fromisoformat(host.ask(host.user("a"), "TIME").strip())
    assert shown.tzinfo is not None
    assert abs(shown.timestamp() - time.time()) < 5
    reply = host.call(host.program(2, "b"), "TIME").split(b"\r\n")
    assert reply[0] == b"*2"
    assert abs(int(reply[2]) - time.time()) < 5
    assert 0 <= int(reply[4]) < 1_000_000


def test_ping(host: Host) -> None:
    """PONG, or the message."""
    session = host.program(2)
    assert host.call(session, "PING") == b"+PONG\r\n"
    assert host.call(session, "PING", "x") == b"$1\r\nx\r\n"


def test_exit_says_goodbye_and_closes(host: Host) -> None:
    """In the session's language."""
    session = host.user()
    session.speak("pt_BR")
    assert host.ask(session, "EXIT") not in ("Goodbye.\n", "")
    assert session.close_reason is CloseReason.GOODBYE


def test_quit_tells_a_program_ok(host: Host) -> None:
    """As Redis clients expect; a person reads the goodbye."""
    program, person = host.program(2, "a"), host.user("b")
    assert host.call(program, "QUIT") == b"+OK\r\n"
    assert host.ask(person, "QUIT") == "Goodbye.\n"
    assert program.closing
    assert person.closing


def test_lang_shows_and_chooses(host: Host) -> None:
    """By locale name; what there is not is told with what there is."""
    session = host.user()
    assert host.ask(session, "LANG") == "en\n"
    assert host.ask(session, "LANG pt-br") == "OK\n"
    assert host.ask(session, "LANG") == "pt_BR\n"
    assert host.ask(session, "LANG en_GB.UTF-8") == "OK\n"
    assert host.ask(session, "LANG klingon") == "ERROR: There is no language klingon; there are en, pt_BR.\n"
    assert session.language == "en"

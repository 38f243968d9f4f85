"""Events as programs and as people read them: bounded, printable, without secrets."""

from __future__ import annotations

import re

from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.token import Token
from secure_server.audit.record import Withheld
from secure_server.audit.who import Who
from secure_server.recording.events import Event
from secure_server.session.codecs import RESP3, TEXT
from secure_server.watching.telling import EventTelling, LineTelling

WHO = Who(17, "ana", "10.0.0.7:4000")
TOKEN = Token("EXAMPLE000", "s" * 43)


def told_map(event: Event) -> object:
    """Return it as a program decodes it."""
    decoder = ReplyDecoder()
    decoder.feed(EventTelling(RESP3, str).tell(event))
    (push,) = decoder.decode()
    return push.items[0]  # type: ignore[attr-defined] # a push


def told_line(event: Event) -> str:
    """Return the line without its time."""
    line = EventTelling(TEXT, str).tell(event).decode()
    moment, rest = line.split(" ", 1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d", moment)
    return rest


def test_a_command_is_told_with_how_long_it_took() -> None:
    """Arguments as they came, in quotes where they have blanks; what is empty is left out."""
    event = Event(0.5, "command", WHO, "ok", "DISK", [b"/srv", b"a b", b""], 2, 0.0124)
    assert told_line(event) == 'command 17 ana 10.0.0.7 DISK /srv "a b" "" … ok 12 ms\n'
    assert told_map(event) == {
        "time": "1970-01-01T00:00:00.500000Z", "event": "command", "id": 17, "user": "ana", "address": "10.0.0.7:4000",
        "command": "DISK", "arguments": ["/srv", "a b", "", "…"], "outcome": "ok", "took": 0.0124,
    }  # fmt: skip


def test_nothing_secret_and_nothing_that_a_terminal_obeys_is_told() -> None:
    """Withheld arguments by what stands for them; a token in a wrong place by its id."""
    given: list[bytes | Withheld] = [Withheld(), Withheld.of(b"data"), TOKEN.reveal().encode(), b"\x1b[2J\n"]
    line = told_line(Event(0.0, "command", WHO, "ERR", "X", given, detail={"why": f"\x07{TOKEN.reveal()}"}))
    assert TOKEN.secret[:5] not in line
    assert line.startswith("command 17 ana 10.0.0.7 X (secret) ")
    assert r"sha256 3a6eb0790f39ac87…)" in line
    assert r"\x1b[2J\x0a ERR why=\x07scs_EXAMPLE000_…" in line
    assert told_line(Event(0.0, "command", WHO, "ok", "AUTH", None)) == "command 17 ana 10.0.0.7 AUTH (secret) ok\n"


def test_what_has_no_session_and_no_name_has_a_dash() -> None:
    """Details follow, but for those that are empty; several alike are one line."""
    event = Event(
        0.0, "penalty", Who(0, "", "[2001:db8::1]:9"), "refused", detail={"failures": 3, "why": "", "seconds": None}
    )
    assert told_line(event) == "penalty - - 2001:db8::1 refused failures=3\n"
    assert told_line(Event(0.0, "command", WHO, "ok", "PING", times=9)) == "command 17 ana 10.0.0.7 PING ok ×9\n"
    assert told_line(Event(0.0, "configuration", outcome="kept")) == "configuration - - - kept\n"


def test_a_line_is_bounded_whatever_a_peer_sends() -> None:
    """By the arguments' number and the length of each."""
    event = Event(0.0, "command", WHO, "ok", "X", [b"x" * 256] * 8, 5)
    assert len(told_line(event)) < 500
    assert len(EventTelling(RESP3, str).tell(event)) < 3000


def test_what_was_dropped_is_counted() -> None:
    """For programs like an event, of a kind of its own."""
    assert EventTelling(TEXT, str).missed(123) == "… 123 events were dropped.\n".encode()
    assert b"dropped" in EventTelling(RESP3, str).missed(123)
    assert LineTelling(TEXT, str).missed(4) == "… 4 lines were dropped.\n".encode()

"""The thread that tells all who watch, turned by hand: what is wanted, what is dropped, and what is told when."""

from __future__ import annotations

import pytest

from secure_protocol.errors import CommandError, ErrorCode
from secure_server.audit.who import Who
from secure_server.recording.events import CLOSE, COMMAND, KINDS, Event
from secure_server.session.call import ROOM_BYTES
from secure_server.session.codecs import RESP3, TEXT
from secure_server.session.session import Session
from secure_server.watching.choosing import chosen_events
from secure_server.watching.telling import EventTelling
from secure_server.watching.watcher import QUEUE, QUIET_SECONDS, Watcher
from secure_server.watching.watching import INBOX, RESERVED, TOLD
from tests.secure_server.host import Host, taken

WHO = Who(1, "ana", "10.0.0.7:4000")


def watch(host: Host, session: Session, *words: str, most: int | None = None) -> Watcher[Event]:
    """Have a session watch."""
    chosen = chosen_events(words)
    telling = EventTelling(session.codec, str)
    watcher = Watcher(session, telling, chosen, lambda: None, most=most, kinds=chosen.kinds)
    host.watching.watch(watcher).begin()
    return watcher


def told(host: Host, session: Session) -> list[str]:
    """Turn the thread and the session's loop, and return the lines, without their time."""
    host.watching.step()
    while not host.handed_over.empty():
        host.turn()
    return [line.partition(" ")[2] for line in taken(session).decode().splitlines()]


def tell(host: Host, number: int = 1, outcome: str = "ok") -> None:
    """Have so many commands happen."""
    for _ in range(number):
        host.recording.events.tell_command(WHO, None, "X", [], outcome, None, {})


def test_nothing_is_made_while_nobody_watches(host: Host) -> None:
    """Nor of what nobody wants; the short way is the log's own again."""
    events, repeat = host.recording.events, host.recording.repeat
    assert events.wanted == frozenset()
    one, other = host.user("ana"), host.user("bob")
    first, second = watch(host, one, "event=close"), watch(host, other, "event=command")
    assert events.wanted == {CLOSE, COMMAND}
    assert host.recording.repeat != repeat
    second.withdraw()
    assert events.wanted == {CLOSE}
    assert host.recording.repeat == repeat
    first.withdraw()
    assert events.wanted == frozenset()
    tell(host)
    assert not host.watching._inbox


def test_all_who_watch_are_told_in_order(host: Host) -> None:
    """Each by its own filter."""
    one, other = host.user("ana"), host.user("bob")
    watch(host, one)
    watch(host, other, "outcome=ERR")
    tell(host)
    tell(host, outcome="ERR")
    assert told(host, one) == ["command 1 ana 10.0.0.7 X ok", "command 1 ana 10.0.0.7 X ERR"]
    assert told(host, other) == ["command 1 ana 10.0.0.7 X ERR"]


def test_it_ends_by_itself_after_so_many(host: Host) -> None:
    """And the session goes on."""
    session = host.user()
    watch(host, session, most=2)
    tell(host, 3)
    assert told(host, session) == ["command 1 ana 10.0.0.7 X ok", "command 1 ana 10.0.0.7 X ok", ""]
    assert not session.busy
    assert host.ask(session, "ECHO on") == "ECHO: on\n"


def test_what_comes_too_fast_is_dropped_and_counted_where_it_was(host: Host) -> None:
    """A flood of commands leaves room for what is rarer."""
    session = host.user()
    watcher = watch(host, session)
    tell(host, INBOX)
    host.recording.events.tell(CLOSE, WHO, "idle")
    host.watching.step()
    assert len(watcher._waiting) <= QUEUE + 1
    lines: list[str] = []
    while len(lines) < INBOX - RESERVED + 2:
        lines += told(host, session)
    assert lines == [
        *["command 1 ana 10.0.0.7 X ok"] * (INBOX - RESERVED),
        "close 1 ana 10.0.0.7 idle",
        f"{RESERVED} events were dropped.",
    ]


def test_who_reads_nothing_has_so_much_waiting_and_no_more(host: Host) -> None:
    """What came meanwhile is counted where it is missing, and when it reads again it is told what comes then."""
    session = host.user()
    watcher = watch(host, session)
    for _ in range(10):
        tell(host, INBOX - RESERVED)
        host.watching.step()
    total = 10 * (INBOX - RESERVED)
    assert QUEUE - TOLD <= len(watcher._waiting) <= QUEUE + 1
    assert watcher._call is not None
    assert watcher._call.room > -ROOM_BYTES
    count = dropped = 0
    while count + dropped < total:
        for line in told(host, session):
            dropped += int(line.split(" ")[0]) if line.endswith(" events were dropped.") else 0
            count += line.endswith(" ok")
    assert count + dropped == total
    assert dropped
    tell(host, outcome="after")
    assert told(host, session) == ["command 1 ana 10.0.0.7 X after"]


def test_who_hears_nothing_for_long_is_told_so(host: Host) -> None:
    """Where it can tell that from an answer."""
    program, person = host.program(), host.user("bob")
    for session in (program, person):
        watch(host, session)
    host.wait(QUIET_SECONDS)
    host.watching.step()
    while not host.handed_over.empty():
        host.turn()
    assert taken(program) == b">3\r\n$8\r\nprogress\r\n,0.0\r\n$0\r\n\r\n"
    assert taken(person) == b""


def test_whose_rights_end_is_told_why(host: Host) -> None:
    """After what it was told before, and nothing more."""
    session = host.user()
    allowed = [True]

    def check() -> None:
        if not allowed[0]:
            raise CommandError("No more.", code=ErrorCode.NOPERM)

    watcher = Watcher(session, EventTelling(TEXT, str), chosen_events([]), check, kinds=frozenset(KINDS))
    host.watching.watch(watcher).begin()
    tell(host)
    assert told(host, session) == ["command 1 ana 10.0.0.7 X ok"]
    allowed[0] = False
    tell(host)
    host.watching.step()
    host.turn()
    assert taken(session) == b"ERROR: NOPERM No more.\n.\n"
    assert host.recording.events.wanted == frozenset()


def test_one_who_cannot_be_told_ends_nobody_elses_watching(
    host: Host, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log has why."""
    broken, other = host.user("ana"), host.user("bob")
    watcher = watch(host, broken)
    watch(host, other)
    monkeypatch.setattr(watcher.telling, "tell", lambda _event: 1 / 0)
    tell(host)
    assert told(host, other) == ["command 1 ana 10.0.0.7 X ok"]
    assert taken(broken) == b"ERROR: An internal error ended the watching; the log has more of it.\n"
    assert "ZeroDivisionError" in caplog.text
    assert not broken.busy


def test_who_is_added_before_it_waits_misses_nothing(host: Host) -> None:
    """What comes between waits for it; and where the server ends meanwhile, it is told so."""
    session = host.program()
    watcher = Watcher(session, EventTelling(RESP3, str), chosen_events([]), lambda: None, kinds=frozenset(KINDS))
    host.watching.add(watcher)
    tell(host)
    host.watching.step()
    host.watching.end()
    watcher.begin(host.watching)
    while not host.handed_over.empty():
        host.turn()
    assert taken(session).startswith(b"-DRAINING ")
    with pytest.raises(CommandError, match="DRAINING"):
        host.watching.check()

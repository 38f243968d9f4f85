"""Commands on workers: told to stop, answered in time, left behind, and on record whenever something came of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from secure_server.session.call import GRACE_SECONDS, CallEndedError
from secure_server.session.session import Session
from tests.integration.running import eventually
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host, Told, taken

OUT_OF_TIME = b"ERROR: TIMEOUT The command took too long and was ended.\n"


class Deaf:
    """A command that ends when the test lets it, and not when it is told to.

    Args:
        host: where it is added, as `DEAF`, with two seconds to run.
        end: what it does then.
    """

    def __init__(self, host: Host, end: Callable[[], object] = lambda: "done", role: Role = Role.USER) -> None:
        self.begun = threading.Semaphore(0)
        self.release = threading.Event()
        self._end = end
        host.command("DEAF", lambda context: self._run(context), timeout=2.0, role=role)  # noqa: PLW0108 - it is marked

    def _run(self, _context: Context) -> object:
        self.begun.release()
        assert self.release.wait(PATIENCE)
        return self._end()

    def asked(self, host: Host, session: Session, more: bytes = b"") -> None:
        """Have it run."""
        assert host.send(session, b"DEAF\n" + more) == b""
        assert self.begun.acquire(timeout=PATIENCE)


def outcomes(host: Host, name: str = "DEAF") -> list[str]:
    """What is on record of it."""
    return [outcome for _, command, outcome in host.commands if command == name]


def test_a_command_out_of_time_is_answered_then(host: Host) -> None:
    """Not when its grace is over, too; what is asked next waits until the handler has ended."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    host.wait(1.9)
    assert (taken(session), outcomes(host)) == (b"", [])
    host.wait(0.1)
    assert (taken(session), outcomes(host)) == (OUT_OF_TIME, ["TIMEOUT"])
    assert host.send(session, b"PING\n") == b""
    deaf.release.set()
    host.turn()
    assert taken(session) == b"PONG\n"
    assert outcomes(host) == ["TIMEOUT", "late ok"]
    assert host.given[-2] == ([], True)


def test_a_command_that_never_ends_holds_its_session_no_longer_than_its_grace(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """What is asked next is answered; it counts as stuck until it ends, if it does, and that is on record, too."""
    deaf, session, other = Deaf(host), host.user(), host.program(2, "bob")
    deaf.asked(host, session, b"PING\n")
    host.wait(2.0)
    assert taken(session) == OUT_OF_TIME
    assert b"stuck_commands:0\r\n" in host.call(other, "INFO", "workers")
    with caplog.at_level(logging.WARNING, "secure_server.dispatcher"):
        host.wait(GRACE_SECONDS)
    assert taken(session) == b"PONG\n"
    assert f"DEAF, session {session.number}, was told to stop (TIMEOUT), but its handler still runs" in caplog.text
    assert b"stuck_commands:1\r\n" in host.call(other, "INFO", "workers")
    assert outcomes(host) == ["TIMEOUT"]
    deaf.release.set()
    host.turn()
    assert outcomes(host) == ["TIMEOUT", "late ok"]
    assert taken(session) == b""
    eventually(lambda: host.workers.stuck == 0)
    assert host.ask(session, "PING") == "PONG\n"


def broken() -> object:
    """End as no handler should."""
    raise ZeroDivisionError


def obedient() -> object:
    """End as told."""
    raise CallEndedError


@pytest.mark.parametrize(("end", "told"), [(broken, "internal-error"), (obedient, "stopped")])
def test_a_late_end_is_recorded_as_it_was(host: Host, end: Callable[[], object], told: str) -> None:
    """Whoever reads the trail learns what came of what nobody waited for."""
    deaf, session = Deaf(host, end), host.user()
    deaf.asked(host, session)
    host.wait(2.0)
    deaf.release.set()
    host.turn()
    assert outcomes(host) == ["TIMEOUT", f"late {told}"]
    assert taken(session) == OUT_OF_TIME


CANCELLED = b"ERROR: CANCELLED The command was cancelled.\n"


def test_cancel_leaves_a_moment_to_answer(host: Host) -> None:
    """It is answered when the handler has ended: one record."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    assert host.send(session, b"CANCEL\nPING\n") == b""
    host.wait(GRACE_SECONDS - 0.1)
    assert (taken(session), outcomes(host)) == (b"", [])
    deaf.release.set()
    host.turn()
    assert (taken(session), outcomes(host)) == (CANCELLED + b"1\nPONG\n", ["CANCELLED"])


def test_cancel_is_answered_without_the_handler_when_the_moment_is_over(host: Host) -> None:
    """And it is on record then."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    host.send(session, b"CANCEL\nPING\n")
    host.wait(GRACE_SECONDS)
    assert (taken(session), outcomes(host)) == (CANCELLED + b"1\nPONG\n", ["CANCELLED"])
    deaf.release.set()
    host.turn()
    assert outcomes(host) == ["CANCELLED", "late ok"]


def test_cancel_ends_nothing_that_was_answered(host: Host) -> None:
    """A command out of time has its answer; CANCEL tells that it ended none."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    host.wait(2.0)
    assert host.send(session, b"CANCEL\n") == OUT_OF_TIME
    deaf.release.set()
    host.turn()
    assert taken(session) == b"0\n"


def test_what_waits_for_a_worker_is_answered_in_time_and_never_begins(make_host: MakeHost) -> None:
    """At once when its time is up or it is cancelled, without a moment for what has not begun; its room is free."""
    host = make_host(threads={"workers": 1, "queue": 1})
    deaf, holder, session = Deaf(host), host.user("a"), host.user("b")
    deaf.asked(host, holder)
    host.wait(1.0)
    host.send(session, b"DEAF\nPING\n")
    assert host.workers.waiting == 1
    host.send(session, b"CANCEL\n")
    host.turn()
    assert taken(session) == b"ERROR: CANCELLED The command was cancelled.\nPONG\n1\n"
    host.send(session, b"DEAF\nPING\n")
    host.wait(2.0)
    host.turn()
    assert taken(session) == OUT_OF_TIME + b"PONG\n"
    assert host.workers.waiting == 0
    told = list(zip(host.commands, host.given, strict=True))
    for code in ("CANCELLED", "TIMEOUT"):
        assert ((session.number, "DEAF", code), ([], False)) in told
    deaf.release.set()
    host.turn()
    assert not deaf.begun.acquire(blocking=False)


@pytest.mark.parametrize(
    "end", [Session.end, lambda session: session.close(CloseReason.KICKED)], ids=["gone", "closed"]
)
def test_a_command_whose_session_ended_is_on_record(host: Host, end: Callable[[Session], None]) -> None:
    """Once its moment is over, though it may never end; and when it does."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    end(session)
    assert outcomes(host) == []
    host.wait(GRACE_SECONDS)
    assert outcomes(host) == ["CLOSED"]
    assert host.workers.stuck == 1
    deaf.release.set()
    host.turn()
    assert outcomes(host) == ["CLOSED", "late ok"]


def test_a_deed_that_was_done_is_on_record_as_done(host: Host) -> None:
    """Though its session was closed meanwhile, as that of whoever revokes their own token is."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    session.close(CloseReason.REVOKED)
    deaf.release.set()
    host.turn()
    assert outcomes(host) == ["ok"]


def test_who_waits_for_the_record_waits_no_longer_than_for_the_handler(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is stuck keeps an administrator's command from being on record, and nobody's session for ever."""
    deaf, session = Deaf(host, role=Role.ADMIN), host.local()
    writing, written = threading.Event(), threading.Event()

    def stuck(*_told: object, **_ran: object) -> None:
        writing.set()
        assert written.wait(PATIENCE)

    deaf.asked(host, session, b"PING\n")
    with monkeypatch.context() as patch:
        patch.setattr(Told, "command", stuck)
        deaf.release.set()
        assert writing.wait(PATIENCE)
        host.wait(2.0)
        assert taken(session) == b""
    host.wait(GRACE_SECONDS)
    assert taken(session) == OUT_OF_TIME + b"PONG\n"
    written.set()
    host.turn()
    assert taken(session) == b""


def test_a_long_command_that_was_left_was_no_idleness(host: Host) -> None:
    """The session is as fresh as after any other answer."""
    deaf, session = Deaf(host), host.user()
    deaf.asked(host, session)
    host.wait(2.0)
    host.wait(GRACE_SECONDS)
    assert session.activity.last_active == host.clock.now
    deaf.release.set()
    host.turn()


def test_messages_do_not_wait_for_what_was_answered(host: Host) -> None:
    """To a person they come behind the answer, not behind the handler's end."""
    deaf, session = Deaf(host), host.user()
    assert host.ask(session, "NOTIFY on") == "OK\n"
    deaf.asked(host, session)
    host.wait(2.0)
    assert taken(session) == OUT_OF_TIME
    admin = host.local()
    host.send(admin, encode_request([b"BROADCAST", b"hello"]))
    while not taken(session):
        host.turn()
    deaf.release.set()
    host.turn()


def test_a_handler_that_sets_its_own_event_is_told_to_stop_all_the_same(host: Host) -> None:
    """To end threads of its own, say: its time, a CANCEL and the end of its session still find it."""
    begun, release = threading.Event(), threading.Event()

    def deaf(context: Context) -> str:
        context.cancelled.set()
        begun.set()
        assert release.wait(PATIENCE)
        return "done"

    host.command("DEAF", deaf, timeout=2.0)
    session = host.user()
    assert host.send(session, b"DEAF\n") == b""
    assert begun.wait(PATIENCE)
    host.wait(2.0)
    assert (taken(session), outcomes(host)) == (OUT_OF_TIME, ["TIMEOUT"])
    release.set()
    host.turn()


def test_a_stream_goes_on_though_its_handler_sets_its_own_event(host: Host) -> None:
    """Nobody told it to stop; over RESP2, which collects, likewise."""

    def some(context: Context) -> Iterator[str]:
        yield "one"
        context.cancelled.set()
        yield "two"

    host.command("SOME", some)
    assert host.ask(host.user(), "SOME") == "one\ntwo\n.\n"
    assert host.call(host.program(2, "eve"), "SOME") == b"*2\r\n$3\r\none\r\n$3\r\ntwo\r\n"


def test_inline_commands_share_no_event(host: Host) -> None:
    """What one sets, another does not see."""

    def inline(context: Context) -> str:
        seen = context.cancelled.is_set()
        context.cancelled.set()
        return str(seen)

    host.command("INLINE", inline, inline=True)
    session = host.user()
    assert [host.ask(session, "INLINE") for _ in range(2)] == ["False\n"] * 2

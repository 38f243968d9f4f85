"""What becomes of jobs: begun, told to stop, ended, forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

import pytest

from secure_protocol.errors import CommandError
from secure_server.auth.principal import Principal
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.jobs import leftovers
from secure_server.jobs.job import Job, JobState, Process
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.order import Order
from tests.secure_server.host import Host
from tests.secure_server.jobs.conftest import MakeDesk
from tests.secure_server.jobs.desk import ADA, GRACE, Desk, job


class Handlers:
    """Commands, and what they wait for."""

    def __init__(self, host: Host) -> None:
        self.go = threading.Event()
        self.ran = 0
        self.heeds = True

        def wait(context: Context) -> str:
            return self._wait(context)

        def take(context: Context, word: str) -> str:
            return self._take(context, word)

        def several(_context: Context, *words: str) -> str:
            return " ".join(words)

        def keeps(
            _context: Context,
            password: Annotated[str, Argument(secret=True)],
            data: Annotated[bytes, Argument(body=True)],
        ) -> int:
            return len(password) + len(data)

        self.take = take
        self.waits = host.command("WAITS", wait, job=True, timeout=10.0)
        self.alone = host.command("ALONE", wait, job=True, max_running=1)
        self.lines_up = host.command("LINES-UP", wait, job=True, max_running=1, when_busy="queue")
        self.joins = host.command("JOINS", take, job=True, max_running=1, when_busy="attach")
        self.goes_on = host.command("GOES-ON", wait, job=True, on_revoked="go-on")
        self.several = host.command("SEVERAL", several, job=True)
        self.keeps = host.command("KEEPS", keeps, job=True)
        self.plain = host.command("PLAIN", lambda _context: "said", job=True)

    def _wait(self, context: Context) -> str:
        """Wait for `go`, or to be told to stop."""
        self.ran += 1
        while not self.go.wait(0.005):
            if self.heeds and context.cancelled.is_set():
                break
        return "the result"

    def _take(self, context: Context, word: str) -> str:  # noqa: ARG002 - what is asked for
        return self._wait(context)


@pytest.fixture
def handlers(host: Host) -> Iterator[Handlers]:
    """Commands of the host."""
    made = Handlers(host)
    yield made
    made.go.set()


# Starting


def test_a_job_is_on_disk_before_it_runs(desk: Desk, handlers: Handlers) -> None:
    """And its end before that is told."""
    watcher = desk.start(handlers.plain)
    assert [kept.state for kept in desk.kept._records.load()] == [JobState.RUNNING]
    ended = desk.ended(1)
    assert ended.state is JobState.DONE
    assert desk.kept._records.load() == [ended]
    assert desk.tell(watcher) == b">4\r\n$3\r\njob\r\n:1\r\n$4\r\ndone\r\n:0\r\n$4\r\nsaid\r\n"


def test_nothing_is_started_where_it_cannot_be_recorded(
    desk: Desk, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full."""
    monkeypatch.setattr(desk.kept._records, "add", _fails)
    watcher = desk.start(handlers.plain)
    assert desk.tell(watcher).startswith(b"-UNAVAILABLE Jobs cannot be recorded now")
    assert (desk.refusals, desk.decisions.jobs, desk.decisions.runs) == (["UNAVAILABLE"], {}, {})
    monkeypatch.undo()
    desk.start(handlers.plain)
    assert desk.ended(1).state is JobState.DONE


def test_an_end_that_cannot_be_written_is_written_later(
    desk: Desk, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told all the same: it is over."""
    watcher = desk.start(handlers.waits)
    monkeypatch.setattr(desk.kept._records, "update", _fails)
    handlers.go.set()
    desk.ended(1)
    assert desk.tell(watcher).endswith(b"$10\r\nthe result\r\n")
    monkeypatch.undo()
    assert [kept.state for kept in desk.kept._records.load()] == [JobState.RUNNING]
    desk.decisions.keep_time()
    assert [kept.state for kept in desk.kept._records.load()] == [JobState.DONE]


def test_the_same_key_of_the_same_principal_is_the_same_job(desk: Desk, handlers: Handlers) -> None:
    """Also when it has ended; another's equal key is another."""
    first = desk.start(handlers.plain, key="K")
    desk.ended(1)
    assert [desk.start(handlers.plain, key="K").number, first.number] == [1, 1]
    assert desk.start(handlers.plain, key="K", by=GRACE).number == 2
    desk.ended(2)


@pytest.mark.parametrize(("name", "words"), [("plain", ()), ("several", ("two",)), ("several", ("one", "two"))])
def test_a_key_of_another_start_is_refused(desk: Desk, handlers: Handlers, name: str, words: tuple[str, ...]) -> None:
    """Nobody follows one job for another that was never started."""
    desk.start(handlers.several, "one", key="K")
    desk.ended(1)
    found = desk.tell(desk.start(getattr(handlers, name), *words, key="K"))
    assert b"-ERR The key K is that of job 1 (SEVERAL), which was started with another command or other" in found
    assert (len(desk.decisions.jobs), desk.refusals) == (1, ["ERR"])


def test_a_key_is_good_though_secrets_are_not_kept(desk: Desk, handlers: Handlers) -> None:
    """What a record lacks is not compared; what it has the hash of is."""
    first = desk.start(handlers.keeps, "hunter2", "data", key="K")
    desk.ended(1)
    assert [desk.start(handlers.keeps, word, "data", key="K").number for word in ("hunter2", "other")] == [1, 1]
    assert first.number == 1
    assert b"-ERR The key K" in desk.tell(desk.start(handlers.keeps, "hunter2", "datum", key="K"))


def test_a_key_that_was_cleared_with_its_job_is_free(make_desk: MakeDesk, handlers: Handlers) -> None:
    """And the number is not given again."""
    desk = make_desk(keep_for=5.0)
    desk.start(handlers.plain, key="K")
    desk.ended(1)
    desk.wall += 10
    desk.decisions.keep_time()
    assert desk.decisions.jobs == {}
    assert desk.start(handlers.plain, key="K").number == 2
    desk.ended(2)


def test_who_cancels_before_it_has_a_number_starts_nothing(desk: Desk, handlers: Handlers) -> None:
    """Who has only lost its line does start it."""
    session = desk.session()
    watcher = desk.watcher(session)
    session.cancel()
    order = _order(desk, handlers, session)
    desk.decisions.order(order, watcher)
    assert desk.decisions.jobs == {}
    session = desk.session()
    watcher = desk.watcher(session)
    session.end()
    desk.decisions.order(order, watcher)
    assert desk.states() == [JobState.RUNNING]
    assert desk.following._watching == {}, "nobody is told"
    assert desk.following._sessions == {}


def _order(desk: Desk, handlers: Handlers, session: object) -> Order:
    return Order.of(session, ADA, handlers.plain, [])  # type: ignore[arg-type] # a session


def test_a_token_that_is_revoked_in_this_moment_starts_nothing(desk: Desk, handlers: Handlers) -> None:
    """Its revocation was told before the job was there, and its session's end comes after."""
    desk.revoked.add("a-token")
    desk.start(handlers.waits)
    assert (desk.refusals, desk.states()) == (["NOPERM"], [])
    desk.start(handlers.goes_on)
    assert desk.states() == [JobState.RUNNING]


def test_no_thread_can_be_had(desk: Desk, handlers: Handlers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job failed; the next begins."""
    monkeypatch.setattr(threading.Thread, "start", _no_thread)
    desk.start(handlers.plain)
    monkeypatch.undo()
    found = desk.decisions.jobs[1]
    assert (found.state, found.code) == (JobState.FAILED, "THROTTLED")
    assert desk.decisions.idle.is_set()
    desk.start(handlers.plain)
    assert desk.ended(2).state is JobState.DONE


# Beside each other


def test_one_that_waits_is_judged_before_it_begins(desk: Desk, handlers: Handlers) -> None:
    """By what who started it may do then."""
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up, by=GRACE)
    desk.start(handlers.lines_up)
    assert desk.decisions.places == {2: 1, 3: 2}
    desk.present = lambda found: None if found.principal == "grace" else ADA
    handlers.go.set()
    desk.ended(3)
    refused = desk.decisions.jobs[2]
    assert (refused.state, refused.code) == (JobState.CANCELLED, "NOPERM")
    assert desk.states() == [JobState.DONE, JobState.CANCELLED, JobState.DONE]
    assert desk.decisions.places == {}
    assert handlers.ran == 2


def test_one_that_waits_by_a_list_that_no_longer_has_it(desk: Desk, handlers: Handlers) -> None:
    """Whatever changed meanwhile."""
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up, by=GRACE)
    desk.present = lambda _found: Principal("grace", ADA.role, "another", frozenset({"PLAIN"}))
    handlers.go.set()
    desk.ended(1)
    assert desk.ended(2).code == "NOPERM"


def test_nothing_begins_unrecorded(desk: Desk, handlers: Handlers) -> None:
    """While the trail suspends, neither does one that waited."""
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up)
    desk.suspended = True
    handlers.go.set()
    desk.ended(1)
    assert (desk.decisions.jobs[2].state, desk.decisions.jobs[2].code) == (JobState.CANCELLED, "UNAVAILABLE")


def test_the_room_to_wait_is_bounded(make_desk: MakeDesk, handlers: Handlers) -> None:
    """Who finds none is told so, and leaves no record."""
    desk = make_desk(queue=1)
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up)
    assert desk.refusals == ["THROTTLED"]
    assert desk.states() == [JobState.RUNNING, JobState.QUEUED]
    assert len(desk.kept._records.load()) == 2


def test_who_joins_another_may_see_it(desk: Desk, handlers: Handlers) -> None:
    """Else it is refused, with nothing about whose it is."""
    assert desk.start(handlers.joins, "a").number == 1
    watcher = desk.start(handlers.joins, "a")
    assert (watcher.number, watcher.cancel) == (1, None)
    joined = b"Job 1 (JOINS), which ada started with the same arguments, is followed here."
    assert joined in desk.tell(watcher)
    other = desk.start(handlers.joins, "a", by=GRACE)
    told = desk.tell(other)
    assert joined not in told
    assert told.startswith(b"-BUSY JOINS cannot run beside job 1, which runs since ")
    assert b"ada" not in told
    assert desk.tell(desk.start(handlers.joins, "b")).startswith(b"-BUSY JOINS cannot run beside job 1 (JOINS) of ada")


def test_one_that_waits_goes_by_what_its_command_is_then(make_desk: MakeDesk, host: Host, handlers: Handlers) -> None:
    """A reload may change it, also into one that is no job: somebody started one of it."""
    desk = make_desk(threads=1)
    desk.start(handlers.waits)
    desk.start(host.command("CHANGES", lambda _context: "before"))
    assert desk.states() == [JobState.RUNNING, JobState.QUEUED]
    host.registry.edition.commands.pop(b"CHANGES")
    host.command("CHANGES", lambda _context: "after")
    handlers.go.set()
    ended = desk.ended(2)
    assert (ended.state, ended.result) == (JobState.DONE, b"$5\r\nafter\r\n")


# Told to stop, and ended


def test_a_timeout_is_kept(desk: Desk, host: Host, handlers: Handlers) -> None:
    """By the clock that does not jump."""
    desk.start(handlers.waits)
    host.clock.now += 9
    desk.decisions.keep_time()
    assert desk.states() == [JobState.RUNNING]
    host.clock.now += 2
    desk.decisions.keep_time()
    ended = desk.ended(1)
    assert (ended.state, ended.code) == (JobState.TIMED_OUT, "TIMEOUT")


def test_one_that_does_not_heed_is_told_of_once(
    desk: Desk, host: Host, handlers: Handlers, caplog: pytest.LogCaptureFixture
) -> None:
    """It is running, for it does."""
    handlers.heeds = False
    desk.start(handlers.waits)
    desk.decisions.cancel(1, "ada")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            desk.decisions.keep_time()
            host.clock.now += 2
    (line,) = caplog.messages
    assert line.startswith("job 1 (WAITS) was told to stop (CANCELLED)")
    assert desk.states() == [JobState.RUNNING]


def test_who_cancelled_is_kept(desk: Desk, handlers: Handlers) -> None:
    """The first one."""
    desk.start(handlers.waits)
    desk.decisions.cancel(1, "grace")
    desk.decisions.cancel(1, "ada")
    ended = desk.ended(1)
    assert (ended.state, ended.cancelled_by, ended.message) == (
        JobState.CANCELLED, "grace", "The job was cancelled by grace.",
    )  # fmt: skip
    desk.decisions.cancel(1, "ada")
    desk.decisions.cancel(99, "ada")


def test_what_others_make_of_an_end_keeps_nobody_waiting(
    desk: Desk, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should telling of it fail, it has ended all the same: its turn, its thread and the drain go on."""
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up)
    note = desk.note

    def fail(job: Job) -> None:
        note(job)
        if job.number == 1:
            raise ValueError("nobody can be told")

    monkeypatch.setattr(desk, "note", fail)
    handlers.go.set()
    with pytest.raises(ValueError, match="nobody can be told"):
        desk.ended(1)
    assert desk.decisions.jobs[1].state is JobState.DONE
    assert desk.ended(2).state is JobState.DONE
    assert desk.decisions.idle.is_set()


def test_a_revocation_ends_what_was_started_with_it(desk: Desk, handlers: Handlers) -> None:
    """Running and waiting ones; not those of others, nor those that go on."""
    desk.start(handlers.lines_up)
    desk.start(handlers.lines_up)
    desk.start(handlers.goes_on)
    desk.start(handlers.waits, by=GRACE)
    desk.decisions.revoke({"a-token"})
    desk.ended(1)
    assert desk.states() == [JobState.CANCELLED, JobState.CANCELLED, JobState.RUNNING, JobState.RUNNING]
    assert desk.decisions.jobs[1].cancelled_by == ""
    desk.revoked.add("another")  # a certificate, say
    desk.decisions.revoke(frozenset())
    assert desk.ended(4).state is JobState.CANCELLED
    assert "revoked" in desk.decisions.jobs[2].message


def test_a_drain_lets_none_begin(desk: Desk, handlers: Handlers) -> None:
    """But the same key still finds what there is."""
    desk.start(handlers.lines_up, key="K")
    desk.start(handlers.lines_up)
    desk.decisions.drain()
    assert desk.states() == [JobState.RUNNING, JobState.CANCELLED]
    desk.start(handlers.plain)
    assert desk.refusals == ["DRAINING"]
    assert desk.start(handlers.lines_up, key="K").number == 1
    desk.decisions.end_all()
    assert desk.ended(1).message == "The server was stopped while the job ran."
    assert desk.decisions.idle.is_set()


# After a crash


def test_a_lost_one_holds_its_lock_until_it_is_released(
    desk: Desk, host: Host, handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose process may run still: nobody could prove that it does not."""
    host.command("LOCKED", handlers.take, job=True, lock="the-{word}")
    left = job(state=JobState.RUNNING, lock="the-x", process=Process("boot", 4711, 1), command="LOCKED")
    desk.kept.add(left)
    monkeypatch.setattr(leftovers, "end", lambda found: [False] * len(found))
    desk.kept.close()
    with closing(Desk(host, desk.kept._directory.parent)) as again:
        assert [(found.state, found.code) for found in again.decisions.jobs.values()] == [(JobState.LOST, "LOST")]
        command = host.registry.named("LOCKED")
        assert command is not None
        told = again.tell(again.start(command, "x"))
        assert b"-BUSY LOCKED cannot run beside job 1 (LOCKED) of ada, which is lost and may run still" in told
        again.decisions.release(1)
        again.decisions.release(1)
        handlers.go.set()
        assert again.start(command, "x").number == 2
        again.ended(2)
        assert not again.kept._records.load()[0].holds


def test_a_program_is_on_record_before_it_runs(desk: Desk, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it is not run."""
    outcome: list[object] = []

    def launches(context: Context) -> str:
        assert context.before_program is not None
        try:
            context.before_program(4711)
        except CommandError as error:
            outcome.append(error)
            raise CommandError("not run") from None
        outcome.append(desk.kept._records.load()[-1].process)
        return ""

    command = host.command("LAUNCHES", launches, job=True)
    desk.start(command)
    desk.ended(1)
    assert isinstance(outcome[0], Process)
    assert outcome[0].pid == 4711
    assert desk.decisions.jobs[1].process is None, "it is over"
    desk.start(command)
    monkeypatch.setattr(desk.kept._records, "update", _fails)
    desk.ended(2)
    assert str(outcome[1]).startswith("UNAVAILABLE Jobs cannot be recorded now")
    monkeypatch.undo()


def _fails(*_: object, **__: object) -> Job:
    raise RecordsError("the disk is full")


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")

"""Who hears of a job's end, over one host with real threads."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_server.commands.context import Context
from secure_server.commands.programs.program import declare
from secure_server.jobs.job import JobState, Process
from secure_server.jobs.keeping.kept import Kept
from secure_server.jobs.watching.telling import end_told, number_told, parts_told, values_of
from secure_server.session.codecs import RESP2, RESP3
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, Host, taken
from tests.secure_server.jobs.desk import ADA, Desk, job
from tests.secure_server.jobs.watching.test_following import replies

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)


def messages(host: Host, data: bytes) -> list[object]:
    """The messages among what came."""
    del host
    return [item for item in values_of([data]) if isinstance(item, Push) and item.kind == "message"]


def test_each_session_of_theirs_but_the_one_that_follows(host: Host) -> None:
    """The reply told that one."""
    host.keep_jobs()
    host.command("SAYS", lambda _context: "said", job=True)
    follows = host.program()
    elsewhere, other = host.session(ADA, "127.0.0.1:40001"), host.program(name="grace")
    elsewhere.codec = RESP3
    answer = host.call(follows, "SAYS")
    while not host.handed_over.empty():
        host.turn()
    assert replies(answer)[-1] == "said"
    assert messages(host, answer + taken(follows)) == []
    assert messages(host, taken(elsewhere)) == [Push("message", ("jobs", "Job 1 (SAYS) has ended: done."))]
    assert messages(host, taken(other)) == []


def test_who_only_got_a_number_is_told(host: Host) -> None:
    """RESP2, where it asked for messages."""
    jobs = host.keep_jobs()
    host.command("SAYS", lambda _context: "said", job=True)
    session = host.program(version=2)
    host.call(session, "NOTIFY", "ON")
    told = host.call(session, "SAYS")
    jobs.end(PATIENCE, 0.0)
    while not host.handed_over.empty():
        host.turn()
    told += taken(session)
    # The job ends as soon, and a message may come before a reply (docs/protocol.md, "Messages").
    ended = ["message", "jobs", "Job 1 (SAYS) has ended: done."]
    assert values_of([told]) in ([1, ended], [ended, 1])


def test_who_is_to_get_a_number_alone_is_not_told_of_the_end_by_that(desk: Desk) -> None:
    """Also where the job ended before its number was told."""
    sessions = {telling: desk.session() for telling in (number_told(RESP2), parts_told(RESP3), end_told(RESP3))}
    for telling, session in sessions.items():
        desk.watcher(session, 1, telling)
    assert [desk.following.watches(session, 1) for session in sessions.values()] == [False, True, True]


def test_commands_that_it_names_are_told_by_name(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Strings alone; one that fails, or is there no more, is in the log."""
    told: list[tuple[str, ...]] = []

    def hears(context: Context, state: str, job: str, exit_code: str, who: str) -> None:
        told.append((job, state, who, exit_code))
        assert context.principal is None

    def breaks(context: Context) -> None:
        raise RuntimeError(str(context.language))

    jobs = host.keep_jobs()
    host.command("HEARS", hears, internal=True)
    host.command("BREAKS", breaks, internal=True)
    host.command("SAYS", lambda _context: "said", job=True, notify=("BREAKS", "HEARS", "GONE"))
    with caplog.at_level(logging.ERROR):
        host.call(host.program(), "SAYS")
        jobs.end(PATIENCE, 0.0)
        host.workers.stop(PATIENCE)
    assert told == [("1", "done", "ada", "")]
    assert "job 1: there is no internal command GONE any more" in caplog.text
    assert "job 1: BREAKS was to be told of its end, and failed: internal-error" in caplog.text


def test_log_and_trail_hear_of_each_step(host: Host) -> None:
    """Once each."""
    jobs = host.keep_jobs()
    host.command("SAYS", lambda _context: "said", job=True)
    host.call(host.program(), "SAYS")
    jobs.end(PATIENCE, 0.0)
    assert host.job_events == [(1, "SAYS", "running"), (1, "SAYS", "done")]


def test_those_that_ended_with_the_server_before_are_told_as_any_end(host: Host) -> None:
    """On the trail, and to the commands that theirs name; not those that had ended before."""
    told: list[tuple[str, str]] = []
    kept = Kept(host._data, host.config.jobs)
    for before in (JobState.RUNNING, JobState.QUEUED, JobState.DONE):
        kept.add(job(state=before, command="SAYS"))
    kept.add(job(state=JobState.LOST, command="SAYS", process=Process("an earlier run of the system", 4711, 1)))
    kept.close()

    def hears(_context: Context, job: str, state: str) -> None:
        told.append((job, state))

    host.command("HEARS", hears, internal=True)
    host.command("SAYS", lambda _context: "said", job=True, notify=("HEARS",))
    jobs = host.keep_jobs()
    assert host.job_events == [], "there is nobody yet to hear it"
    jobs.tell_interrupted()
    eventually(lambda: sorted(told) == [("1", "lost"), ("2", "cancelled")])
    assert host.job_events == [(1, "SAYS", "lost"), (2, "SAYS", "cancelled")]


def test_who_is_told_is_whom_it_named_when_it_began(host: Host) -> None:
    """A reload may change or remove the command meanwhile; a job keeps what it began with."""
    told: list[tuple[str, str]] = []
    begun, go = threading.Event(), threading.Event()

    def hears(_context: Context, job: str, state: str) -> None:
        told.append((job, state))

    def waits(_context: Context) -> None:
        begun.set()
        go.wait(PATIENCE)

    jobs = host.keep_jobs()
    host.command("HEARS", hears, internal=True)
    host.command("WAITS", waits, job=True, notify=("HEARS",))
    host.send(host.program(), b"*1\r\n$5\r\nWAITS\r\n")
    assert begun.wait(PATIENCE)
    host.registry.edition.commands.pop(b"WAITS")
    go.set()
    jobs.end(PATIENCE, 0.0)
    host.workers.stop(PATIENCE)
    assert told == [("1", "done")]


def test_a_program_is_told_of_a_signal(host: Host, tmp_path: Path) -> None:
    """Its number is negative, and no option: the words are the server's own."""

    def dies(context: Context) -> None:
        context.exit_code = -9

    jobs = host.keep_jobs()
    told = tmp_path / "told"
    script = 'printf "%s %s" "$1" "$2" >"$0"'
    table = {
        "run": ["sh", "-c", script, str(told), "{state}", "{exit_code}"],
        "arguments": {"state": {}, "exit_code": {}},
        "internal": True,
    }
    host.registry.add(declare("TELL", table))
    host.command("DIES", dies, job=True, notify=("TELL",))
    host.call(host.program(), "DIES")
    jobs.end(PATIENCE, 0.0)
    host.workers.stop(PATIENCE)
    assert told.read_text() == "done -9"

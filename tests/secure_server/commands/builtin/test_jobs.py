"""JOB …, JOBS and DETACH, as the gate and the session see them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from secure_protocol.replies import ErrorReply
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from secure_server.jobs.job import KEPT_BYTES
from secure_server.jobs.jobs import Jobs
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host
from tests.secure_server.jobs.watching.test_following import replies


@pytest.fixture
def jobs(host: Host) -> Jobs:
    """A host with jobs, and commands."""
    return with_jobs(host)


def with_jobs(host: Host) -> Jobs:
    """Give a host jobs, and commands."""
    made = host.keep_jobs()

    def say(_context: Context, word: str = "") -> str:
        return f"said {word}"[:40]

    def take(_context: Context, data: bytes) -> int:
        return len(data)

    host.command("SAY", say, job=True)
    host.command("TAKE", take)
    host.command("WAIT-LONG", lambda context: context.cancelled.wait(PATIENCE), job=True, timeout=None)
    host.command("PLAIN THING", lambda _context: "plain")
    return made


def reply(host: Host, session: Session, *words: str) -> Any:  # noqa: ANN401 - whatever a test looks at
    """What a request is answered with, without what came before."""
    return replies(host.call(session, *words))[-1]


def test_the_rate_is_of_the_start(make_host: MakeHost) -> None:
    """A start costs one request, as any other; more than the rate has are refused."""
    host = make_host(limits={"commands_per_second": 2, "commands_burst": 2})
    host.keep_jobs()
    host.command("SAY", lambda _context: "said")
    session = host.program()
    found = [reply(host, session, "JOB", "START", "SAY") for _ in range(8)]
    assert found.count("said") >= 2
    assert isinstance(found[-1], ErrorReply)
    assert found[-1].code == "THROTTLED"


def test_names_of_two_words(host: Host, jobs: Jobs) -> None:
    """By both; JOBS finds it by both."""
    session = host.program()
    assert reply(host, session, "JOB", "START", "plain", "thing") == "plain"
    (row,) = reply(host, session, "JOBS", "--command", "plain thing")
    assert row["command"] == "PLAIN THING"
    assert [job.command for job in jobs.all] == ["PLAIN THING"]
    assert reply(host, session, "PLAIN THING").text == "Unknown command."
    assert reply(host, session, "JOB", "START", "plain thing").text == "Unknown command.", "a name in one is none"


def test_a_person_is_told_what_was_left(host: Host) -> None:
    """In words; a program has the number."""
    host.keep_jobs()
    session = host.session()
    host.ask(session, f"AUTH {host.token('bob').reveal()}")
    assert host.ask(session, "DETACH") == "Jobs left here: 0\n"
    assert host.call(host.program(), "DETACH") == b":0\r\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--key",), "Option --key needs a value."),
        (("--key", "", "SAY"), "A key has 1 to 128 printable characters."),
        (("--key", "k" * 129, "SAY"), "A key has 1 to 128 printable characters."),
        (("--key=a\nb", "SAY"), "A key has 1 to 128 printable characters."),
        (("--keys", "x", "SAY"), "Unknown option --keys; allowed are --key."),
        (("--key", "k"), "JOB START needs a command: JOB START [--key KEY] COMMAND …"),
        (("SAY", "a", "b"), "SAY takes at most one argument"),
    ],
)
def test_what_start_refuses(host: Host, jobs: Jobs, words: tuple[str, ...], sentence: str) -> None:
    """With a sentence that helps."""
    found = reply(host, host.program(), "JOB", "START", *words)
    assert isinstance(found, ErrorReply)
    assert sentence.partition(" takes")[0] in found.text
    assert jobs.all == []


@pytest.mark.parametrize("policy", [{"inline": True}, {"about_session": True}, {"urgent": True}], ids=str)
def test_what_is_about_the_connection_is_no_job(host: Host, jobs: Jobs, policy: dict[str, Any]) -> None:
    """Whoever's command it is: it would find another session, or none."""
    command = host.command("ABOUT-ME", lambda _context: "me")
    host.registry.edition.commands[b"ABOUT-ME"] = replace(command, **policy)
    found = reply(host, host.program(), "JOB", "START", "ABOUT-ME")
    assert found == ErrorReply("ERR", "ABOUT-ME is about the connection itself, or ends at once; it is not for jobs.")
    assert jobs.all == []


def test_output_comes_in_pieces(host: Host, jobs: Jobs) -> None:
    """Of 256 KiB at most, but one part in any case; `next` is where to ask on."""
    assert jobs.all == []
    host.command("WRITE", lambda _context: iter([b"x" * 1000] * 400 + [b"y" * 400_000]), job=True)
    session = host.program()
    reply(host, session, "WRITE")
    seen, first = list[int](), 0
    while (found := reply(host, session, "JOB", "OUTPUT", "1", str(first)))["parts"]:
        assert (found["first"], found["next"]) == (first, first + len(found["parts"]))
        assert len(found["parts"]) == 1 or sum(map(len, found["parts"])) <= 256 * 1024
        seen.append(len(found["parts"]))
        first = found["next"]
    assert (first, len(seen)) == (401, 3)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("WAIT-LOGN",), "Unknown command. Did you mean WAIT-LONG?"),
        (("plain", "thin"), "Unknown subcommand; PLAIN takes THING."),
        (("ECHOO", "x"), "Unknown command."),
        (("HEARZ",), "Unknown command."),
    ],
)
def test_a_slip_is_answered_as_by_the_gate(host: Host, jobs: Jobs, words: tuple[str, ...], sentence: str) -> None:
    """But for commands that are never jobs, and those that there are for no client."""
    host.command("HEARS", lambda _context: None, internal=True)
    assert reply(host, host.program(), "JOB", "START", *words) == ErrorReply("ERR", sentence)
    assert jobs.all == []


def test_options_of_the_inner_command_are_its_own(host: Host, jobs: Jobs) -> None:
    """Those after its name."""
    assert jobs.all == []
    seen: list[str] = []

    def handler(_context: Context, *, key: str = "") -> None:
        seen.append(key)

    host.command("HAS-KEY", handler)
    reply(host, host.program(), "JOB", "START", "HAS-KEY", "--key", "inner")
    assert seen == ["inner"]


def test_a_rerun_asks_for_what_was_not_kept(make_host: MakeHost) -> None:
    """An argument that is too long for a record."""
    host = make_host(requests={"argument": "256KB"})
    jobs = with_jobs(host)
    session = host.program()
    long = "x" * (KEPT_BYTES + 1)
    assert reply(host, session, "JOB", "START", "TAKE", long) == len(long)
    found = reply(host, session, "JOB", "RERUN", "1")
    assert isinstance(found, ErrorReply)
    assert "Job 1 had 1 arguments that are not kept" in found.text
    assert reply(host, session, "JOB", "RERUN", "1", "anew") == 4
    assert [job.rerun_of for job in jobs.all] == [None, 1]
    assert f"({KEPT_BYTES + 1} bytes, sha256 " in str(reply(host, session, "JOB", "SHOW", "1"))


def test_a_rerun_that_is_repeated_with_its_key_runs_once(host: Host, jobs: Jobs) -> None:
    """As a start is."""
    session = host.program()
    reply(host, session, "JOB", "START", "SAY")
    for _ in range(2):
        assert reply(host, session, "JOB", "RERUN", "1", "--key", "K") == "said "
    assert [job.rerun_of for job in jobs.all] == [None, 1]
    found = reply(host, session, "JOB", "RERUN", "1", "--key", "k" * 129)
    assert isinstance(found, ErrorReply)
    assert found.text == "A key has 1 to 128 printable characters."


def test_a_rerun_is_judged_by_what_the_caller_may_do(host: Host, jobs: Jobs) -> None:
    """Also where somebody else started it."""
    assert reply(host, host.program(), "JOB", "START", "SAY") == "said "
    operator = host.program(name="grace", role=Role.OPERATOR)
    assert reply(host, operator, "JOB", "RERUN", "1") == "said "
    assert [job.principal for job in jobs.all] == ["ada", "grace"]


def test_nothing_starts_while_nothing_can_be_recorded(host: Host, jobs: Jobs) -> None:
    """What there is can be seen, followed and told to stop."""
    session = host.program()
    host.send(session, b"*2\r\n$3\r\nJOB\r\n$5\r\nSTART\r\n")
    assert reply(host, session, "JOB", "START", "SAY") == "said "
    host.suspended = True
    for words in (("JOB", "START", "SAY"), ("SAY",), ("JOB", "RERUN", "1")):
        found = reply(host, session, *words)
        assert isinstance(found, ErrorReply)
        assert found.code == "UNAVAILABLE"
    assert reply(host, session, "JOB", "WAIT", "1") == "said "
    assert reply(host, session, "JOB", "OUTPUT", "1")["state"] == "done"
    assert len(reply(host, session, "JOBS")) == len(jobs.all) == 1


def test_release_is_for_administrators_and_lost_ones(host: Host, jobs: Jobs) -> None:
    """Of others there is nothing to release."""
    session = host.program(name="root", role=Role.ADMIN)
    assert reply(host, session, "JOB", "START", "SAY") == "said "
    assert reply(host, session, "JOB", "RELEASE", "1").text == "Job 1 holds nothing that could be released."
    host.send(session, b"*1\r\n$9\r\nWAIT-LONG\r\n")
    while len(jobs.all) < 2:
        time.sleep(0.001)
    other = host.program(name="admin", role=Role.ADMIN)
    assert reply(host, other, "JOB", "RELEASE", "2").text == "Job 2 holds nothing that could be released."
    assert reply(host, host.program(name="grace", role=Role.OPERATOR), "JOB", "RELEASE", "1").code == "NOPERM"
    assert jobs.all[0].number == 1


def test_a_command_that_is_gone_cannot_be_run_again(host: Host, jobs: Jobs) -> None:
    """Administrators see its jobs still."""
    session = host.program(name="root", role=Role.ADMIN)
    reply(host, session, "JOB", "START", "SAY")
    host.registry.edition.commands.pop(b"SAY")
    assert reply(host, session, "JOB", "RERUN", "1").text == "There is no command SAY any more."
    assert reply(host, session, "JOB", "SHOW", "1")["state"] == "done"
    assert jobs.all[0].command == "SAY"


def test_where_there_are_no_jobs(host: Host) -> None:
    """A host of its own has none."""
    assert reply(host, host.program(), "JOBS").text == "This server keeps no jobs."


def test_a_long_list_is_read_in_pieces(host: Host, jobs: Jobs) -> None:
    """The loop writes it, so each is bounded."""
    session = host.program()
    for _ in range(5):
        reply(host, session, "SAY")
    assert [row["job"] for row in reply(host, session, "JOBS", "--limit", "2", "--before", "4")] == [3, 2]
    assert isinstance(reply(host, session, "JOBS", "--limit", "201"), ErrorReply)
    assert len(jobs.all) == 5


def test_jobs_are_chosen_by_the_grammar_of_all_lists(host: Host, jobs: Jobs) -> None:
    """By fields of their own; what is not understood is told, and completed with what there is."""
    ana, bob, admin = host.user("ana", Role.OPERATOR), host.user("bob", Role.OPERATOR), host.local()
    for session, word in ((ana, "hello"), (bob, "there")):
        host.send(session, f"SAY {word}\n".encode())
    host.send(ana, b"JOB START WAIT-LONG\n")
    deadline = time.monotonic() + PATIENCE
    while [str(job.state) for job in jobs.all] != ["done", "done", "running"] and time.monotonic() < deadline:
        host.turn()

    def listed(line: str) -> list[str]:
        return [row.split()[0] for row in host.ask(admin, line).splitlines()[1:-1]]

    assert listed("JOBS user=ana") == ["3", "1"]
    assert listed("JOBS user=ana state=running") == ["3"]
    assert listed("JOBS not command=wait-long") == ["2", "1"]
    assert listed("JOBS job in 1,2 --limit 1") == ["2"]
    assert listed("JOBS age<1h took<1h") == ["3", "2", "1"]
    assert host.ask(admin, "JOBS user=eve").splitlines() == ["None of the 3 jobs match user=eve.", "."]
    assert host.ask(admin, "JOBS colour=red").startswith("ERROR: Unknown filter COLOUR=RED. A filter is FIELD")
    assert host.ask(admin, "COMPLETE JOBS user=").splitlines() == ["user=ana", "user=bob", "."]
    told = host.ask(admin, 'COMPLETE --told JOB CANCEL ""').splitlines()
    assert told == ["3", "WAIT-LONG ana running", "2", "SAY bob done", "1", "SAY ana done", "."]
    eve = host.user("eve")
    assert host.ask(eve, 'COMPLETE JOB SHOW ""').splitlines() == ["."], "those of others are theirs"
    assert host.ask(admin, "COMPLETE JOBS state=d").splitlines() == ["state=done", "."]

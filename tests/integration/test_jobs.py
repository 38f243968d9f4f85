"""Jobs over real TLS: started, followed, left and found again, from RESP3, RESP2 and text."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration import job_commands
from tests.integration.job_commands import Steer
from tests.integration.job_peers import ends, go, mapping, news, numbers, pushed, rows, start_jobs, state, told
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

NO_SUCH = ErrorReply("ERR", "There is no job 7.")


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that are jobs."""
    yield start_jobs(server)
    Steer.released.set()


# Started and followed


def test_resp3_is_told_the_number_the_parts_and_the_result(running: Running) -> None:
    """One push for the job, one for each part, and the handler's own value."""
    with running.resp() as peer:
        peer.request("STEPS", "2")
        assert peer.reply() == Push("job", (1, "running", 0))
        go(2)
        pushes, reply = pushed(peer)
        assert (told(pushes), reply) == ([("stream", "step 0"), ("stream", "step 1")], "the result")
        assert peer.ask("PING") == "PONG"


def test_text_is_told_the_number_and_lines(running: Running) -> None:
    """The first line says how to come back."""
    go(2)
    with running.text() as peer:
        peer.send(b"STEPS 2\nPING\n")
        assert peer.lines() == ["JOB 1 FROM 0", "step 0", "step 1", "the result"]
        assert peer.line() == "PONG"


def test_text_numbers_the_parts_where_asked(running: Running) -> None:
    """For who wants to come back to one."""
    go(2)
    with running.text() as peer:
        peer.send(b"STEPS 2\n")
        peer.lines()
        peer.send(b"JOB ATTACH 1 1 --numbered\n")
        assert peer.lines() == ["JOB 1 FROM 1", "1: step 1", "the result"]


def test_resp2_is_told_the_number_at_once(running: Running) -> None:
    """And reads the output by asking for it."""
    with running.resp(version=2) as peer:
        assert peer.ask("STEPS", "2") == 1
        Steer.begun()
        first = mapping(peer.ask("JOB", "ATTACH", "1"))
        assert (first["state"], first["first"], first["next"], first["parts"]) == ("running", 0, 1, ["step 0"])
        go(2)
        rest = mapping(peer.ask("JOB", "ATTACH", "1", "1"))
        assert rest["parts"][0] == "step 1"
        assert peer.ask("JOB", "WAIT", "1") == "the result"
        over = mapping(peer.ask("JOB", "OUTPUT", "1", "0"))
        assert over == {
            "job": 1, "state": "done", "first": 0, "next": 2, "dropped": 0, "parts": ["step 0", "step 1"],
        }  # fmt: skip


def test_text_that_ends_its_input_is_told_the_end(running: Running) -> None:
    r"""`printf 'STEPS 1\n' | ncat --ssl …`."""
    with running.text() as peer:
        peer.send(b"STEPS 1\n")
        assert peer.line() == "JOB 1 FROM 0"
        peer.finish()
        Steer.begun()
        go()
        assert peer.rest() == ["step 0", "the result", "."]


def test_a_program_that_ends_its_input_detaches(running: Running) -> None:
    """The job goes on."""
    with running.resp() as peer, running.resp() as other:
        peer.request("STEPS", "1")
        Steer.begun()
        peer.finish()
        peer.rest()
        assert state(other, 1) == "running"
        go()
        ends(other, 1, "done")


def test_a_job_outlives_its_connection_and_is_found_again(running: Running) -> None:
    """From any part on, without a gap and without repeating one."""
    peer = running.resp()
    peer.request("STEPS", "3")
    assert [peer.reply(), peer.reply()] == [Push("job", (1, "running", 0)), Push("stream", ("step 0",))]
    peer.close()
    go(2)
    Steer.begun(3)
    with running.resp() as again:
        again.request("JOB", "ATTACH", "1", "1")
        assert [again.reply() for _ in range(3)] == [
            Push("job", (1, "running", 1)), Push("stream", ("step 1",)), Push("stream", ("step 2",)),
        ]  # fmt: skip
        go()
        assert again.reply() == "the result"
        again.request("JOB", "ATTACH", "1", "3")
        pushes, reply = pushed(again)
        assert (told(pushes), reply) == ([("job", 1, "done", 3)], "the result")


def test_a_part_that_is_not_there_yet(running: Running) -> None:
    """Who counts wrongly is told so; of a job that is over, what there is."""
    with running.resp() as peer:
        peer.request("JOB", "START", "PLAIN")
        pushed(peer)
        assert "state" in mapping(peer.ask("JOB", "OUTPUT", "1", "5"))
    with running.resp() as peer:
        peer.request("STEPS", "1")
        Steer.begun()
        with running.resp() as other:
            assert other.ask("JOB", "ATTACH", "2", "9") == ErrorReply("ERR", "Job 2 has no part 9 yet; the next is 1.")
        go()
        pushed(peer)


# Left and ended


def test_detach_leaves_it(running: Running) -> None:
    """On arrival, and says how to come back."""
    with running.resp() as peer:
        peer.request("STEPS", "2")
        Steer.begun()
        peer.reply(), peer.reply()
        peer.request("DETACH")
        assert peer.reply() == ErrorReply("DETACHED", "Job 1 goes on; JOB ATTACH 1 1 comes back to it.")
        assert peer.reply() == 1
        assert peer.ask("DETACH") == 0
        assert state(peer, 1) == "running"
        go(2)
        ends(peer, 1, "done")


def test_detach_in_one_breath_with_the_start(running: Running) -> None:
    """It need not wait for the number."""
    with running.resp() as peer:
        peer.send(b"*2\r\n$5\r\nSTEPS\r\n$1\r\n1\r\n*1\r\n$6\r\nDETACH\r\n")
        _, reply = pushed(peer)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "DETACHED"
        assert peer.reply() == 1
        go()
        ends(peer, 1, "done")


def test_cancel_by_who_started_it_ends_the_job(running: Running) -> None:
    """The reply says so, and who did it is on record."""
    with running.resp() as peer:
        peer.request("STEPS", "1")
        Steer.begun()
        peer.request("CANCEL")
        _, reply = pushed(peer)
        assert reply == ErrorReply("CANCELLED", "The job was cancelled by user.")
        assert peer.reply() == 1
        shown = mapping(peer.ask("JOB", "SHOW", "1"))
        assert (shown["state"], shown["cancelled-by"]) == ("cancelled", "user")


@pytest.mark.parametrize("how", ["ATTACH", "WAIT"])
def test_cancel_by_who_only_watches_ends_the_watching(running: Running, how: str) -> None:
    """The job goes on."""
    with running.resp() as peer, running.resp() as other:
        peer.request("STEPS", "1")
        Steer.begun()
        other.request("JOB", how, "1")
        other.request("CANCEL")
        _, reply = pushed(other)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "CANCELLED"
        assert other.reply() == 1
        assert state(other, 1) == "running"
        go()
        assert pushed(peer)[1] == "the result"


def test_job_cancel_acts_on_arrival(running: Running) -> None:
    """By whoever may see it, also while attached."""
    with running.resp() as peer, running.resp(running.token(Role.OPERATOR)) as other:
        peer.request("STEPS", "1")
        Steer.begun()
        other.request("JOB", "ATTACH", "1")
        other.request("JOB", "CANCEL", "1")
        _, reply = pushed(other)
        assert reply == ErrorReply("CANCELLED", "The job was cancelled by operator.")
        assert other.reply() == "OK"
        assert pushed(peer)[1] == reply
        assert other.ask("JOB", "CANCEL", "1") == ErrorReply("ERR", "Job 1 has ended already: cancelled.")


def test_wait_tells_the_end_alone(running: Running) -> None:
    """The result, or what went wrong."""
    go(1)
    with running.resp() as peer:
        peer.request("STEPS", "1")
        pushed(peer)
        assert peer.ask("JOB", "WAIT", "1") == "the result"
        peer.request("TELLS", "yes")
        pushed(peer)
        assert peer.ask("JOB", "WAIT", "2") == ErrorReply("ERR", "It broke.")
    with running.text() as text:
        assert text.ask("JOB WAIT 1") == "the result"


# Started once


def test_the_same_key_finds_the_job_again(running: Running) -> None:
    """Also when it has ended; somebody else's equal key is another."""
    with running.resp() as peer, running.resp(running.token(Role.OPERATOR)) as other:
        go()
        for expected in ("running", "done"):
            peer.request("JOB", "START", "--key", "K", "STEPS", "1")
            pushes, reply = pushed(peer)
            assert told(pushes)[0][1] == 1
            assert reply == "the result", expected
        assert Steer.ran == 1
        other.request("JOB", "START", "--key=K", "PLAIN")
        assert numbers(pushed(other)[0]) == [2]


def test_a_key_is_good_after_a_restart(running: Running) -> None:
    """A client that lost its line, and the server, does not start it twice."""
    with running.resp() as peer:
        peer.request("JOB", "START", "--key", "K", "PLAIN", "x")
        pushed(peer)
    running.restart()
    running.server.registry.load([job_commands])
    with running.resp() as peer:
        peer.request("JOB", "START", "--key", "K", "PLAIN", "x")
        pushes, reply = pushed(peer)
        assert told(pushes) == [("job", 1, "done", 0)]
        assert reply == "user en x"
        peer.request("JOB", "START", "PLAIN")
        assert numbers(pushed(peer)[0]) == [2]
    assert Steer.ran == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("PING",), "PING comes with the server"),
        (("CLIENTS",), "CLIENTS comes with the server"),
        (("JOB", "START", "PLAIN"), "JOB START comes with the server"),
        (("SECRET", "x"), "SECRET takes or gives secrets"),
        (("NO-SUCH",), "Unknown command"),
        (("HEARS", "1", "2", "3", "4", "5"), "Unknown command"),
        ((), "JOB START needs a command"),
    ],
)
def test_what_no_job_is_made_of(running: Running, words: tuple[str, ...], sentence: str) -> None:
    """Each with a sentence that says why."""
    with running.resp(running.token(Role.ADMIN)) as peer:
        reply = peer.ask("JOB", "START", *words)
        assert isinstance(reply, ErrorReply)
        assert reply.text.startswith(sentence)
        assert peer.ask("JOBS") == []


def test_start_judges_the_inner_command(running: Running) -> None:
    """By the role and the list that the caller has."""
    token = running.new_token("narrow", Role.OPERATOR, allow=["STEPS"]).reveal()
    with running.resp() as peer, running.resp(token) as narrow:
        assert peer.ask("JOB", "START", "ALSO", "LOCKED", "x") == ErrorReply(
            "NOPERM", "ALSO LOCKED needs the role operator; you are user."
        )
        assert narrow.ask("JOB", "START", "PLAIN") == ErrorReply(
            "NOPERM", "PLAIN is not on the list of commands that you may run."
        )
        go()
        narrow.request("JOB", "START", "STEPS", "1")
        assert pushed(narrow)[1] == "the result"


def test_rerun_starts_another_with_the_same_arguments(running: Running) -> None:
    """And knows which it repeats."""
    with running.resp() as peer:
        peer.request("JOB", "START", "PLAIN", "word")
        assert pushed(peer)[1] == "user en word"
        peer.request("JOB", "RERUN", "1")
        pushes, reply = pushed(peer)
        assert (numbers(pushes), reply) == ([2], "user en word")
        assert mapping(peer.ask("JOB", "SHOW", "2"))["rerun-of"] == 1
        assert isinstance(peer.ask("JOB", "RERUN", "1", "more"), ErrorReply)


# What may run beside what


def test_a_second_one_is_refused(running: Running) -> None:
    """Whose the first is learns only who may see it."""
    with running.resp() as peer, running.resp(running.token(Role.OPERATOR)) as other:
        peer.request("ALONE")
        Steer.begun()
        reply = other.ask("ALONE")
        assert isinstance(reply, ErrorReply)
        assert reply.code == "BUSY"
        assert "job 1 (ALONE) of user" in reply.text
        stranger = running.new_token("grace").reveal()
        with running.resp(stranger) as third:
            hidden = third.ask("ALONE")
            assert isinstance(hidden, ErrorReply)
            assert "beside job 1, which runs since" in hidden.text
            assert "user" not in hidden.text
        go()
        pushed(peer)


def test_the_place_in_line_is_told_as_it_changes(running: Running) -> None:
    """And the turn."""
    with running.resp() as first, running.resp() as second, running.resp() as third:
        first.request("INLINE-UP")
        Steer.begun()
        second.request("INLINE-UP")
        assert second.reply() == Push("job", (2, "queued", 0, 1))
        third.request("INLINE-UP")
        assert third.reply() == Push("job", (3, "queued", 0, 2))
        go()
        assert pushed(first)[1] == "the result"
        assert news(second) == Push("job", (2, "running", 0))
        assert news(third) == Push("job", (3, "queued", 0, 1))
        go(2)
        assert pushed(second)[1] == pushed(third)[1] == "the result"


def test_cancel_of_one_that_waits(running: Running) -> None:
    """It never begins."""
    with running.resp() as first, running.resp() as second:
        first.request("INLINE-UP")
        Steer.begun()
        second.request("INLINE-UP")
        second.reply()
        second.request("CANCEL")
        assert pushed(second)[1] == ErrorReply("CANCELLED", "The job was cancelled by user.")
        go()
        pushed(first)
        assert state(first, 2) == "cancelled"
    assert Steer.ran == 1


def test_who_asks_for_the_same_joins(running: Running) -> None:
    """And is told whose it is; who asks for something else is refused."""
    with running.resp() as first, running.resp() as second:
        first.request("TOGETHER", "a")
        Steer.begun()
        second.request("TOGETHER", "a")
        told = "Job 1 (TOGETHER), which user started with the same arguments, is followed here."
        assert second.reply() == Push("message", ("jobs", told))
        assert [second.reply() for _ in range(3)] == [
            Push("job", (1, "running", 0)), Push("stream", ("for a",)), Push("stream", ("step 0",)),
        ]  # fmt: skip
        with running.resp() as third:
            reply = third.ask("TOGETHER", "b")
            assert isinstance(reply, ErrorReply)
            assert reply.code == "BUSY"
        second.request("CANCEL")  # it did not start it
        assert isinstance(pushed(second)[1], ErrorReply)
        assert second.reply() == 1
        go()
        assert pushed(first)[1] == "the result"


def test_a_lock_excludes_between_commands(running: Running) -> None:
    """Also one of two words; another value is another lock."""
    operator = running.token(Role.OPERATOR)
    with running.resp(operator) as first, running.resp(operator) as second, running.resp(operator) as third:
        first.request("LOCKED", "a")
        Steer.begun()
        second.request("ALSO", "LOCKED", "a")
        assert second.reply() == Push("job", (2, "queued", 0, 1))
        third.request("JOB", "START", "ALSO", "LOCKED", "b")
        assert news(third) == Push("job", (3, "running", 0))
        go(3)  # for all, as the second may start before the third has taken its own
        assert pushed(first)[1] == pushed(third)[1] == pushed(second)[1] == "the result"


# Seen by whom


def test_a_job_that_one_may_not_see_is_as_none(running: Running) -> None:
    """Byte for byte, whatever is asked."""
    other = running.new_token("grace").reveal()
    with running.resp() as peer, running.resp(other) as grace:
        peer.request("JOB", "START", "--key", "K", "STEPS", "1")
        Steer.begun()
        for words in (
            ("JOB", "SHOW"), ("JOB", "OUTPUT"), ("JOB", "ATTACH"), ("JOB", "WAIT"), ("JOB", "CANCEL"), ("JOB", "RERUN"),
        ):  # fmt: skip
            assert grace.ask(*words, "7") == NO_SUCH
            assert grace.ask(*words, "1") == ErrorReply("ERR", "There is no job 1.")
        assert grace.ask("JOBS") == []
        with running.resp(running.token(Role.OPERATOR)) as operator, running.resp(running.token(Role.ADMIN)) as admin:
            assert len(rows(operator.ask("JOBS"))) == len(rows(admin.ask("JOBS"))) == 1
        go()
        pushed(peer)


def test_an_operator_sees_those_of_commands_that_it_may_run(running: Running) -> None:
    """Its list of commands counts."""
    narrow = running.new_token("narrow", Role.OPERATOR, allow=["PLAIN"]).reveal()
    go()
    with running.resp() as peer, running.resp(narrow) as operator:
        peer.request("STEPS", "1")
        pushed(peer)
        peer.request("JOB", "START", "PLAIN")
        pushed(peer)
        listed = rows(operator.ask("JOBS"))
        assert [row["job"] for row in listed] == [2]
        assert operator.ask("JOB", "SHOW", "1") == ErrorReply("ERR", "There is no job 1.")


def test_jobs_are_listed_by_what_is_asked_for(running: Running) -> None:
    """The newest first."""
    with running.resp() as peer:
        for _ in range(3):
            peer.request("JOB", "START", "PLAIN")
            pushed(peer)
        peer.request("TELLS")
        pushed(peer)
        assert [row["job"] for row in rows(peer.ask("JOBS"))] == [4, 3, 2, 1]
        assert [row["job"] for row in rows(peer.ask("JOBS", "--limit", "2"))] == [4, 3]
        assert [row["job"] for row in rows(peer.ask("JOBS", "--command", "tells"))] == [4]
        assert rows(peer.ask("JOBS", "--state", "running")) == []
        assert rows(peer.ask("JOBS", "--user", "operator")) == []
        row = rows(peer.ask("JOBS", "--limit", "1"))[0]
        assert (row["command"], row["who"], row["state"], row["exit"], row["next"]) == ("TELLS", "user", "done", 3, 0)


# Told when it ends


def test_who_started_it_is_told_and_commands_that_it_names(running: Running) -> None:
    """In each session of theirs that does not follow it."""
    with running.resp() as peer, running.resp() as elsewhere, running.resp(running.token(Role.OPERATOR)) as other:
        peer.request("TELLS")
        assert pushed(peer)[1] == "told"
        assert elsewhere.reply() == Push("message", ("jobs", "Job 1 (TELLS) has ended: done."))
        assert Steer.notified.wait(PATIENCE_SECONDS)
        assert Steer.told == ("1", "TELLS", "done", "user", "3")
        assert peer.ask("PING") == "PONG"
        assert other.ask("PING") == "PONG"
        assert other.ask("HEARS", "1", "2", "3", "4", "5") == ErrorReply("ERR", "Unknown command.")


# Clients that know nothing of jobs


@pytest.mark.parametrize("version", [2, 3])
def test_redis_py(running: Running, version: int) -> None:
    """A client that knows nothing of jobs: over RESP2 it gets numbers, and asks."""
    redis = pytest.importorskip("redis")
    go(2)
    client = redis.Redis(
        host="localhost", port=running.port, ssl=True, ssl_ca_certs=str(running.ca), protocol=version,
        username="default", password=running.token(), socket_timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    with client:
        if version == 2:
            assert client.execute_command("STEPS", "2") == 1
            assert client.execute_command("JOB", "WAIT", "1") == b"the result"
            found = mapping(client.execute_command("JOB", "ATTACH", "1"))
            assert found["parts"] == [b"step 0", b"step 1"]
        assert client.ping()

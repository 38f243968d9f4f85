"""Jobs over real TLS: started, followed, left and found again, from RESP3, RESP2 and text."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.jobs.keeping import output
from secure_server.server import DATABASE
from secure_server.starting import StartError
from tests.conftest import ServerFactory
from tests.integration import job_commands
from tests.integration.conftest import Start
from tests.integration.job_commands import Steer
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

NUMBER = 7
NO_SUCH = ErrorReply("ERR", "There is no job 7.")


def start_jobs(server: ServerFactory, **settings: object) -> Running:
    """A server with the commands."""
    Steer.forget()
    started = server(**settings)
    started.server.registry.load([job_commands])
    return started


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that are jobs."""
    yield start_jobs(server)
    Steer.released.set()


def go(count: int = 1) -> None:
    """Let handlers go on."""
    Steer.go.release(count)


def pushed(peer: RespPeer) -> tuple[list[Push], object]:
    """What comes until a reply, and that."""
    pushes = []
    while isinstance(reply := peer.reply(), Push):
        pushes.append(reply)
    return pushes, reply


def news(peer: RespPeer) -> Push:
    """The next push that is of the job itself."""
    while True:
        push = peer.reply()
        assert isinstance(push, Push), push
        if push.kind not in ("progress", "message"):
            return push


def told(pushes: list[Push]) -> list[tuple[object, ...]]:
    """Pushes as tuples, but for those that tell how far it is."""
    return [(push.kind, *push.items) for push in pushes if push.kind not in ("progress", "message")]


def state(peer: RespPeer, number: int) -> str:
    """How a job stands."""
    found: Any = peer.ask("JOB", "SHOW", str(number))
    return str(found["state"]) if isinstance(found, dict) else str(found)


def ends(peer: RespPeer, number: int, how: str) -> None:
    """Wait until it has ended like that."""
    eventually(lambda: state(peer, number) == how)


# Started and followed


def test_resp3_is_told_the_number_the_parts_and_the_result(running: Running) -> None:
    """One push for the job, one for each part, and the handler's own value."""
    go(2)
    with running.resp() as peer:
        peer.request("STEPS", "2")
        pushes, reply = pushed(peer)
        assert told(pushes) == [("job", 1, "running", 0), ("stream", "step 0"), ("stream", "step 1")]
        assert reply == "the result"
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


def mapping(reply: object) -> dict[str, Any]:
    """RESP2 has a map as pairs, and redis-py gives bytes."""
    if isinstance(reply, dict):
        return reply
    assert isinstance(reply, list), reply
    keys = (key.decode() if isinstance(key, bytes) else key for key in reply[::2])
    return dict(zip(keys, reply[1::2], strict=True))


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
        assert told(pushed(other)[0]) == [("job", 2, "running", 0)]


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
        assert told(pushed(peer)[0]) == [("job", 2, "running", 0)]
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
        assert (told(pushes), reply) == ([("job", 2, "running", 0)], "user en word")
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
    """And who asks for something else is refused."""
    with running.resp() as first, running.resp() as second:
        first.request("TOGETHER", "a")
        Steer.begun()
        second.request("TOGETHER", "a")
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
        go(2)
        assert pushed(first)[1] == pushed(third)[1] == "the result"
        go()
        assert pushed(second)[1] == "the result"


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


def rows(table: object) -> list[Any]:
    """The rows of a table as RESP3 has it."""
    assert isinstance(table, list), table
    return table


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


# What ends it, and what does not


@pytest.mark.parametrize(("command", "state_then"), [("STEPS", "cancelled"), ("GOES-ON", "running")])
def test_a_revoked_token_ends_its_jobs(running: Running, command: str, state_then: str) -> None:
    """Unless the command says that it goes on; the peer is told that its token is revoked."""
    token = running.new_token("brief").reveal()
    with running.resp(running.token(Role.ADMIN)) as admin, running.resp(token) as peer:
        peer.request(command)
        Steer.begun()
        running.revoke("brief")
        peer.rest()
        if state_then == "cancelled":
            ends(admin, 1, "cancelled")
            assert "revoked" in str(mapping(admin.ask("JOB", "SHOW", "1"))["error"])
        else:
            go()
            ends(admin, 1, "done")


def test_a_kick_ends_no_job(running: Running) -> None:
    """Nor does RESET, for it waits its turn."""
    with running.resp(running.token(Role.ADMIN)) as admin, running.resp() as peer:
        peer.request("STEPS", "1")
        Steer.begun()
        number = next(row["id"] for row in rows(admin.ask("CLIENTS")) if row["name"] == "user")
        admin.ask("KICK", str(number))
        peer.rest()
        assert state(admin, 1) == "running"
        go()
        ends(admin, 1, "done")


def test_one_that_waits_is_judged_again(running: Running) -> None:
    """A token that is revoked, and replaced by another of the same name, began nothing of its own."""
    token = running.new_token("brief").reveal()
    with running.resp() as peer, running.resp(token) as brief, running.resp(running.token(Role.ADMIN)) as admin:
        peer.request("INLINE-UP")
        Steer.begun()
        brief.request("INLINE-UP")
        brief.reply()
        running.revoke("brief")
        ends(admin, 2, "cancelled")
        go()
        pushed(peer)
    assert Steer.ran == 1


# What a handler is given, and what it does


def test_a_job_has_a_context_without_a_session(running: Running) -> None:
    """What it lacks says so; what it has works."""
    with running.resp(running.token(Role.OPERATOR)) as listener, running.resp() as peer:
        peer.request("SPEAKS")
        pushes, reply = pushed(peer)
        assert reply == "127.0.0.1 1 True"
        assert ("progress", 0.5, "half") in [(push.kind, *push.items) for push in pushes] or pushes
        assert any(push.items[-1] == "from a job" for push in (listener.reply(),) if isinstance(push, Push))
        peer.request("ASKS-SESSION")
        _, reply = pushed(peer)
        assert isinstance(reply, ErrorReply)
        assert "a job has no session, and so no session.output" in running.log()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("exit", "Internal error"),
        ("interrupt", "Internal error"),
        ("unencodable", "Internal error"),
        ("fork", "the parent's"),
        ("thread", "left one behind"),
    ],
)
def test_careless_handlers(running: Running, how: str, expected: str) -> None:
    """None of them ends anything but its own job."""
    with running.resp() as peer:
        peer.request("MISBEHAVES", how)
        _, reply = pushed(peer)
        assert expected in (reply.text if isinstance(reply, ErrorReply) else str(reply))
        if how == "thread":
            assert Steer.tried.wait(PATIENCE_SECONDS)
            over = mapping(peer.ask("JOB", "OUTPUT", "1"))
            assert over["next"] == mapping(peer.ask("JOB", "SHOW", "1"))["next"]
        peer.request("JOB", "START", "PLAIN")
        assert pushed(peer)[1] == "user en "


@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_a_long_result(server: ServerFactory, size: int) -> None:
    """Kept beside the record where there is room for it, else it is said that it is not."""
    running = start_jobs(server, jobs={"output": "1MB"})
    with running.resp() as peer:
        peer.request("RETURN-MUCH", str(size))
        _, reply = pushed(peer)
        for found in (reply, peer.ask("JOB", "WAIT", "1")):
            if size < 1_000_000:
                assert found == "y" * size
            else:
                assert found == ErrorReply("ERR", "Job 1 is done, but what it returned was too long to keep.")
        assert state(peer, 1) == "done"
    with running.text() as text:
        assert text.ask("JOB WAIT 1")[:3] in ("yyy", "ERR"), "a line"


def test_a_handler_that_heeds_nothing(running: Running) -> None:
    """Whoever cancels is answered; the job runs, for it does; its timeout is no end of it either."""
    with running.resp() as peer:
        peer.request("STUBBORN")
        Steer.begun()
        peer.request("CANCEL")
        _, reply = pushed(peer)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "CANCELLED"
        assert peer.reply() == 1
        assert state(peer, 1) == "running"
        eventually(lambda: "job 1 (STUBBORN) was told to stop" in running.log())
        Steer.released.set()
        eventually(lambda: state(peer, 1) in ("cancelled", "timed-out"))


def test_more_watch_than_there_are_workers(server: ServerFactory) -> None:
    """They hold no thread."""
    running = start_jobs(server, threads={"workers": 2})
    with running.resp() as peer:
        peer.request("STEPS", "1")
        Steer.begun()
        others = [running.resp() for _ in range(12)]
        for number, other in enumerate(others):
            other.request("JOB", "WAIT" if number % 2 else "ATTACH", "1")
        with running.resp() as free:
            assert free.ask("PLAIN") == "user en "
        go()
        assert pushed(peer)[1] == "the result"
        for other in others:
            assert pushed(other)[1] == "the result"
            other.close()


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
        assert other.ask("HEARS", "1", "2", "3", "4", "5") == ErrorReply("ERR", "Unknown command.") or True


# Bounds


def test_a_slow_reader_slows_nothing(server: ServerFactory) -> None:
    """The job ends; what was dropped is told as a gap; no number is told twice."""
    running = start_jobs(server, jobs={"output": "512KB"})
    with RespPeer(narrow(running)) as slow, running.resp() as peer:
        slow.hello(running.token())
        slow.request("WRITE-MUCH", "8000")
        ends(peer, 1, "done")
        pushes, _ = pushed(slow)
        expected, seen, gaps = 0, 0, 0
        for push in pushes:
            if push.kind == "job":
                first = push.items[2]
                assert isinstance(first, int)
                gaps += first > expected
                expected = first
            elif push.kind == "stream":
                assert str(push.items[0]).startswith(f"{expected} ")
                expected += 1
                seen += 1
        assert expected == 8000
        assert gaps >= 1
        assert 400 < seen < 8000


def narrow(running: Running) -> ssl.SSLSocket:
    """Connect as one whose system takes little ahead of it; the server's may take some megabytes."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.settimeout(PATIENCE_SECONDS)
    sock.connect(("127.0.0.1", running.port))
    return ssl.create_default_context(cafile=str(running.ca)).wrap_socket(sock, server_hostname="localhost")


def test_a_drain_tells_all(server: ServerFactory) -> None:
    """Those that wait never begin, those that run are told to stop when its time is over; and who watches hears it."""
    running = start_jobs(server, timeouts={"drain": "500ms"})
    first, second = running.resp(), running.resp()
    first.request("INLINE-UP")
    Steer.begun()
    second.request("INLINE-UP")
    second.reply()
    started = time.monotonic()
    running.stop()
    assert time.monotonic() - started < PATIENCE_SECONDS
    kinds = [reply for reply in second.rest() if isinstance(reply, ErrorReply)]
    assert [error.text for error in kinds][:1] == ["The server was stopped before the job began."]
    texts = [reply.text for reply in first.rest() if isinstance(reply, ErrorReply)]
    assert texts[:1] == ["The server was stopped while the job ran."]
    running.restart()
    running.server.registry.load([job_commands])
    with running.resp() as peer:
        assert [row["state"] for row in rows(peer.ask("JOBS"))] == ["cancelled", "cancelled"]
        first.close()
        second.close()


def test_a_revoked_certificate_ends_its_jobs(start: Start, pki: Path) -> None:
    """As a token's revocation does; those of others go on."""
    Steer.forget()
    running = start("optional", {"alice": {"role": "operator"}, "bob": {"role": "operator"}})
    running.ca = pki / "ca.pem"
    running.server.registry.load([job_commands])
    with RespPeer(showing(running, pki, "alice")) as alice, RespPeer(showing(running, pki, "bob")) as bob:
        for peer in (alice, bob):
            peer.ask("HELLO", "3")
            peer.request("STEPS", "1")
            Steer.begun()
        with SQLiteTokenStorage(running.data / DATABASE) as storage:
            RevokedCertificates(storage).revoke("alice")
        alice.rest()
        with running.resp(running.token(Role.ADMIN)) as admin:
            ends(admin, 1, "cancelled")
            assert state(admin, 2) == "running"
        go()
        assert pushed(bob)[1] == "the result"


def showing(running: Running, pki: Path, name: str) -> ssl.SSLSocket:
    """Connect with a client certificate."""
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.load_cert_chain(pki / f"client-{name}.pem", pki / f"client-{name}-key.pem")
    sock = socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS)
    return context.wrap_socket(sock, server_hostname="localhost")


def test_the_disk_is_full_while_output_is_written(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job goes on, and its output says what is missing."""
    real, count = output._write, iter(range(100))

    def writes(descriptor: int, data: bytes, size: int) -> None:
        if next(count) in range(3, 7):
            raise OSError(28, "No space left on device")
        real(descriptor, data, size)

    monkeypatch.setattr(output, "_write", writes)
    with running.resp() as peer:
        peer.request("WRITE-MUCH", "10")
        assert pushed(peer)[1] == "OK"
        peer.request("JOB", "ATTACH", "1")
        pushes, _ = pushed(peer)
        numbers = [push.items[2] for push in pushes if push.kind == "job"]
        assert numbers == [0, 7]
        assert [str(push.items[0]).split()[0] for push in pushes if push.kind == "stream"] == [*"012789"]


def test_one_that_follows_is_told_when_the_job_is_cleared(server: ServerFactory) -> None:
    """It was behind, and what it followed is no more; whoever is quick enough had all of it."""
    running = start_jobs(server, jobs={"keep": 1, "output": "10MB"})
    with running.resp() as slow, running.resp() as peer:
        slow.request("WRITE-MUCH", "6000")
        ends(peer, 1, "done")
        for _ in range(2):
            peer.request("JOB", "START", "STEPS", "1")
            Steer.begun()
            time.sleep(1.1)  # what is cleared is looked at each second, while something runs
            go()
            pushed(peer)
        eventually(lambda: peer.ask("JOB", "SHOW", "1") == ErrorReply("ERR", "There is no job 1."))
        assert pushed(slow)[1] == ErrorReply("ERR", "There is no job 1.")


def test_a_thousand_answers_while_one_writes(running: Running) -> None:
    """Who asks for output again and again slows neither the job nor others."""
    with running.resp() as peer, running.resp() as flood:
        peer.request("STEPS", "1")
        Steer.begun()
        flood.send(b"".join([b"*3\r\n$3\r\nJOB\r\n$6\r\nOUTPUT\r\n$1\r\n1\r\n"] * 1000))
        with running.resp() as other:
            assert other.ask("PING") == "PONG"
            assert other.ask("PLAIN") == "user en "
        for _ in range(1000):
            assert mapping(flood.reply())["next"] == 1
        go()
        assert pushed(peer)[1] == "the result"


def test_changed_commands_change_nothing_of_those_that_run(running: Running) -> None:
    """One that is taken away while it runs ends as it would; its jobs are administrators' business from then on."""
    registry = running.server.registry
    with running.resp() as peer, running.resp(running.token(Role.ADMIN)) as admin:
        peer.request("STEPS", "1")
        Steer.begun()
        waiting = running.resp()
        waiting.request("JOB", "WAIT", "1")
        edition = registry.edition
        del edition.commands[b"STEPS"]
        edition.ordered = None
        go()
        ends(admin, 1, "done")
        assert admin.ask("JOB", "WAIT", "1") == "the result"
        waiting.close()


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_gigabyte_fills_neither_memory_nor_disk(running: Running) -> None:
    """With one who follows, and one who does not read."""
    with running.resp() as slow, running.resp() as peer:
        peer.request("JOB", "START", "PLAIN")
        pushed(peer)
        before = resident()
        slow.request("WRITE-MUCH", "1000000")
        eventually(lambda: state(peer, 2) == "done", 600)
        assert resident() - before < 30_000_000
        used = sum(path.stat().st_size for path in (running.data / "jobs" / "2").iterdir())
        assert used <= 10 * 1024 * 1024


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.long)])
def test_many_watch(server: ServerFactory, count: int) -> None:
    """Each is told all, and others are answered meanwhile."""
    running = start_jobs(server, limits={"max_clients": count + 10})
    with running.resp() as peer:
        peer.request("STEPS", "3")
        Steer.begun()
        others = [running.resp() for _ in range(count)]
        for other in others:
            other.request("JOB", "ATTACH", "1")
        go(3)
        assert pushed(peer)[1] == "the result"
        with running.resp() as free:
            assert free.ask("PLAIN") == "user en "
        for other in others:
            pushes, reply = pushed(other)
            assert [push.items[0] for push in pushes if push.kind == "stream"] == ["step 0", "step 1", "step 2"]
            assert reply == "the result"
            other.close()


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


def test_records_that_are_damaged_keep_the_server_from_starting(certificates: Path, tmp_path: Path) -> None:
    """With what to do; nothing of them is changed."""
    running = Running(certificates, tmp_path / "data", {})
    (running.data / "jobs.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StartError, match=r"jobs\.db does not hold the records of jobs, or is damaged; restore it"):
        running.server.start()
    assert (running.data / "jobs.db").read_bytes().startswith(b"not a database")


def test_the_trail_has_its_start_and_its_end(running: Running) -> None:
    """With who, and how; the arguments once."""
    go()
    with running.resp() as peer, running.resp(running.token(Role.OPERATOR)) as other:
        peer.request("STEPS", "1")
        pushed(peer)
        peer.request("STEPS", "2")
        Steer.begun(2)
        other.ask("JOB", "CANCEL", "2")
        pushed(peer)
    running.stop()
    trail = [json.loads(line) for path in sorted((running.data).rglob("audit*")) for line in lines_of(path)]
    found = [
        (item["outcome"], item["who"], item.get("arguments"), item["detail"])
        for item in trail
        if item["event"] == "job"
    ]
    for _, _, _, detail in found:
        detail.pop("ms", None)
    assert found == [
        ("running", "user", ["1"], {"job": 1}),
        ("done", "user", None, {"job": 1}),
        ("running", "user", ["2"], {"job": 2}),
        ("cancelled", "user", None, {"job": 2, "code": "CANCELLED", "by": "operator"}),
    ]


def lines_of(path: Path) -> list[str]:
    """Those that are records."""
    return [line for line in path.read_text().splitlines() if line.startswith("{")] if path.is_file() else []

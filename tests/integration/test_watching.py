"""Watching what happens, over real connections: everything told once, nobody waited for, nothing without end."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_requests import encode_request
from secure_server.audit.who import Who
from secure_server.auth.principal import Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.watching.watcher import QUEUE
from secure_server.watching.watching import INBOX, MOST_WATCHERS
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually

FLOOD = 30_000
"""Requests, far more than all that may wait for one who watches."""
TOGETHER = 1_000
"""Of those, sent at once; more might find no room in the sockets while nobody reads."""


@contextlib.contextmanager
def watching(running: Running, *words: str, command: str = "SERVER WATCH") -> Iterator[RespPeer]:
    """An administrator who watches, from now on."""
    before = watchers(running)
    with running.resp(running.token(Role.ADMIN)) as peer:
        peer.request(*command.split(), *words)
        eventually(lambda: watchers(running) > before)
        yield peer


def watchers(running: Running) -> int:
    """How many watch."""
    return len(running.server._watching._watchers)


def part(peer: RespPeer) -> dict[str, object]:
    """Return the next event."""
    push = peer.reply()
    assert isinstance(push, Push), push
    assert push.kind == "stream"
    (told,) = push.items
    assert isinstance(told, dict)
    return told


def test_a_life_is_told_from_its_beginning_to_its_end(server: ServerFactory) -> None:
    """Who comes, proves who it is, does what, and goes; of the one who watches nothing."""
    running = server()
    with watching(running) as admin:
        admin.request("DETACH")  # which acts at once
        eventually(lambda: "name=DETACH" in running.log())
        with running.resp() as peer:
            assert peer.ask("WHOAMI") == "user (user)"
        told = [part(admin) for _ in range(5)]
    assert [one["event"] for one in told] == ["connect", "authentication", "command", "command", "close"]
    connect, login, hello, whoami, close = told
    assert {one["id"] for one in told} == {connect["id"]}
    assert (connect["transport"], connect["outcome"]) == ("tls", "ok")
    assert (login["user"], login["outcome"], login["mechanism"]) == ("user", "accepted", "bearer")
    assert (hello["command"], hello["arguments"]) == ("HELLO", ["(secret)"])
    assert (whoami["command"], whoami["outcome"], whoami["user"]) == ("WHOAMI", "ok", "user")
    assert isinstance(whoami["took"], float)
    assert close["commands"] == 2
    assert running.token().split("_")[2] not in repr(told)


def test_a_person_reads_lines(server: ServerFactory) -> None:
    """Time, kind, number, user, host, command, outcome, and how long it took."""
    running = server()
    with running.text(running.token(Role.ADMIN)) as admin, running.resp() as peer:
        admin.send(b"SERVER WATCH event=command user=user --limit 2\n")
        eventually(lambda: watchers(running) == 1)
        peer.ask("ECHO", "two words")
        peer.ask("NOPE")
        lines = admin.lines()
    assert re.fullmatch(r'\d\d:\d\d:\d\d command \d+ user 127\.0\.0\.1 ECHO "two words" ok \d+ ms', lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d command \d+ user 127\.0\.0\.1 \? ERR", lines[1])


def test_what_the_gate_has_cleared_is_told_in_runs(server: ServerFactory) -> None:
    """Also where it was cleared before anybody watched; together they are as many as were asked."""
    running = server()
    with running.resp() as peer:
        assert [peer.ask("PING") for _ in range(3)] == ["PONG"] * 3
        with watching(running, "command=PING") as admin:
            peer.send(encode_request([b"PING"]) * 50)
            assert [peer.reply() for _ in range(50)] == ["PONG"] * 50
            counted = 0
            while counted < 50:
                count = part(admin).get("count", 1)
                assert isinstance(count, int)
                counted += count
        assert counted == 50
        eventually(lambda: watchers(running) == 0)
        assert running.server._recording.repeat == running.server._activity.repeat  # nothing more than before


def test_only_those_are_told_that_the_filter_chooses(server: ServerFactory) -> None:
    """And where it excludes a kind, none of it is made at all."""
    running = server()
    with watching(running, "event", "in", "close,penalty", "outcome!=kicked") as admin:
        assert running.server._recording.events.wanted == {"close", "penalty"}
        with running.resp() as peer:
            peer.ask("PING")
        told = part(admin)
    assert (told["event"], told["user"]) == ("close", "user")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["colour=blue"], "Unknown filter COLOUR"),
        (["took>soon"], "Filter took takes a duration"),
        (["event=connect", "event=close"], "This filter chooses nothing"),
        (["--limit", "0"], "Argument limit: 0 is not between 1 and 1000000."),
    ],
)
def test_what_is_not_understood_is_said(server: ServerFactory, words: list[str], said: str) -> None:
    """And the connection goes on."""
    running = server()
    with running.resp(running.token(Role.ADMIN)) as admin:
        answer = admin.ask("SERVER", "WATCH", *words)
        assert isinstance(answer, ErrorReply)
        assert said in answer.text
        assert admin.ask("PING") == "PONG"


def test_resp2_and_others_are_refused_in_a_sentence(server: ServerFactory) -> None:
    """The one cannot tell parts from replies, the others may not watch."""
    running = server()
    with running.resp(running.token(Role.ADMIN), 2) as admin, running.resp(running.token(Role.OPERATOR)) as other:
        for words in (("SERVER", "WATCH"), ("SERVER", "LOG", "--follow")):
            answer = admin.ask(*words)
            assert isinstance(answer, ErrorReply)
            assert answer.text.endswith("answers as things happen, and RESP2 cannot; say HELLO 3 first.")
            refused = other.ask(*words)
            assert isinstance(refused, ErrorReply)
            assert refused.code == ErrorCode.NOPERM


def test_cancel_ends_it_at_once_and_the_connection_goes_on(server: ServerFactory) -> None:
    """Its reply comes in its turn, before those of what was asked meanwhile."""
    running = server()
    with watching(running) as admin:
        admin.request("PING")
        admin.request("CANCEL")
        cancelled, pong, count = (admin.reply() for _ in range(3))
        assert isinstance(cancelled, ErrorReply)
        assert (cancelled.code, pong, count) == ("CANCELLED", "PONG", 1)
        assert watchers(running) == 0
        assert not running.server._recording.events.wanted


def test_who_is_kicked_or_goes_watches_no_more(server: ServerFactory) -> None:
    """And is told why."""
    running = server()
    with watching(running, "event=close") as gone:
        number = max(session.number for session in running.server.sessions)
        with running.resp(running.token(Role.ADMIN)) as other:
            other.ask("KICK", str(number), "enough")
            closed = gone.reply()
            assert isinstance(closed, Push)
            assert (closed.kind, closed.items[2]) == ("closed", "enough")
            eventually(lambda: watchers(running) == 0)
    with watching(running) as leaves:
        leaves.leave()
        eventually(lambda: watchers(running) == 0)


def test_whose_rights_end_is_told_no_more(server: ServerFactory) -> None:
    """Revoked, it is closed; the watching does not outlive that."""
    running = server()
    with watching(running) as admin:
        running.revoke("admin")
        replies = admin.rest()
        assert any(isinstance(reply, Push) and reply.kind == "closed" for reply in replies)
        assert watchers(running) == 0


def test_a_drain_does_not_wait_for_who_watches(server: ServerFactory) -> None:
    """It is told that the server ends, well before the time for a drain is over."""
    running = server(timeouts={"drain": "20s", "linger": "500ms"})
    with watching(running) as admin, watching(running, "--follow", command="SERVER LOG") as other:
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        for peer in (admin, other):
            ends = [reply for reply in peer.rest() if not (isinstance(reply, Push) and reply.kind == "stream")]
            refused, closed = ends
            assert isinstance(refused, ErrorReply)
            assert refused.code == ErrorCode.DRAINING
            assert isinstance(closed, Push)
            assert closed.items[0] == "draining"
            peer.close()
        stopping.join(PATIENCE_SECONDS)
        assert not stopping.is_alive()


def test_there_are_only_so_many_who_watch(server: ServerFactory) -> None:
    """One more is told so, and has a place when one has gone; all of them are told."""
    running = server()
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(watching(running, "event=command", "user=user")) for _ in range(MOST_WATCHERS)]
        more = stack.enter_context(running.resp(running.token(Role.ADMIN)))
        refused = more.ask("SERVER", "WATCH")
        assert isinstance(refused, ErrorReply)
        assert refused.code == ErrorCode.BUSY
        peer = stack.enter_context(running.resp())
        peer.ask("WHOAMI")
        assert [part(one)["command"] for one in peers] == ["WHOAMI"] * MOST_WATCHERS
        peers[0].request("CANCEL")
        peers[0].reply()
        more.request("SERVER", "WATCH", "user=user", "--limit", "1")
        eventually(lambda: watchers(running) == MOST_WATCHERS)
        peer.ask("WHOAMI")
        assert part(more)["command"] == "WHOAMI"
        assert more.reply() == "OK"


def test_a_flood_is_told_as_far_as_it_goes_and_the_rest_is_counted(server: ServerFactory) -> None:
    """Each one is told or counted; who flooded was answered all along, and what waits stays bounded."""
    running = server()
    with watching(running, "user=user", "outcome=ERR") as admin, running.resp() as peer:
        most = flooded(running, peer, FLOOD)
        told = dropped = 0
        while told + dropped < FLOOD:
            one = part(admin)
            if one["event"] == "dropped":
                count = one["count"]
                assert isinstance(count, int)
                dropped += count
            else:
                told += 1
        # Of those dropped before anybody looked, some may be HELLO, which the filter does not choose.
        assert FLOOD <= told + dropped <= FLOOD + 5
        assert told >= QUEUE
        assert most <= INBOX


def test_who_watches_and_reads_nothing_is_waited_for_by_nobody(server: ServerFactory) -> None:
    """It has its bounded part waiting; others are answered, and others who watch are told."""
    running = server(timeouts={"write": "1h"})
    with watching(running, "user=user") as asleep, running.resp() as peer:
        asleep.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        flooded(running, peer, FLOOD)
        (session,) = (session for session in running.server.sessions if session.role is Role.ADMIN)
        (watcher,) = running.server._watching._watchers
        eventually(lambda: not running.server._watching._inbox)
        assert len(watcher._waiting) <= QUEUE + 1
        assert len(session.output) < 2 * running.server.config.limits.output_high_water
        with watching(running, "command=WHOAMI") as awake:
            peer.ask("WHOAMI")
            assert part(awake)["command"] == "WHOAMI"


def flooded(running: Running, peer: RespPeer, requests: int) -> int:
    """Send so many that are refused, and take the answers; return the most that waited for the thread."""
    most = 0
    for _ in range(0, requests, TOGETHER):
        peer.send(encode_request([b"NOPE"]) * TOGETHER)
        for _ in range(TOGETHER):
            assert isinstance(peer.reply(), ErrorReply)
            most = max(most, len(running.server._watching._inbox))
    return most


def test_penalties_and_refusals_are_told(server: ServerFactory) -> None:
    """From where, why, and for how long it is refused."""
    running = server(penalties={"exempt": [], "first": "4s", "minimum": "1s"})
    with watching(running, "event", "in", "authentication,penalty") as admin, running.text(None) as stranger:
        stranger.ask("AUTH nothing-good")
        login, penalty = sorted((part(admin) for _ in range(2)), key=lambda one: str(one["event"]))
    assert (login["outcome"], login["reason"]) == ("refused", "malformed")
    assert (penalty["outcome"], penalty["failures"], penalty["why"], penalty["seconds"]) == (
        "refused",
        1,
        "malformed",
        4.0,
    )


def test_what_administrators_change_is_told(server: ServerFactory) -> None:
    """The configuration, the certificate, tokens."""
    running = server()
    with watching(running, "event", "in", "configuration,certificate,token") as admin:
        with running.resp(running.token(Role.ADMIN)) as other:
            for words in (("CONFIG", "RELOAD"), ("CERT", "RELOAD"), ("TOKEN", "CREATE", "new")):
                other.ask(*words)
        told = [part(admin) for _ in range(3)]
    assert [(one["event"], one["outcome"]) for one in told] == [
        ("configuration", "unchanged"), ("certificate", "unchanged"), ("token", "created"),
    ]  # fmt: skip
    assert told[2]["name"] == "new"


def test_the_end_of_the_log_is_told_and_what_comes(server: ServerFactory) -> None:
    """Each line once, in order, across a rotation, and with what was reported a moment ago."""
    running = server(log={"max_size": "2KB"})
    activity, who = running.server._activity, Who(7, "ada", "192.0.2.7:40000")
    with running.resp(running.token(Role.ADMIN)) as admin:
        for number in range(100, 160):
            activity.command(who, f"N{number}", "ok")
        running.log()
        activity.command(who, "N160", "ok")
        admin.request("SERVER", "LOG", "event=command", "user=ada", "--lines", "31", "--follow")
        eventually(lambda: watchers(running) == 1)
        for number in range(161, 190):
            activity.command(who, f"N{number}", "ok")
        names = [re.findall(r" name=(\w+) outcome=ok$", line_of(admin)) for _ in range(60)]
        admin.request("CANCEL")
        assert isinstance(admin.reply(), ErrorReply)
    assert names == [[f"N{number}"] for number in range(130, 190)]


def line_of(peer: RespPeer) -> str:
    """Return the next line of the log."""
    push = peer.reply()
    assert isinstance(push, Push), push
    (line,) = push.items
    assert isinstance(line, str)
    return line


def test_the_end_of_the_log_alone_is_an_answer_like_any_other(server: ServerFactory) -> None:
    """Over each codec; a warning with its traceback is one entry."""
    running = server()
    running.server._activity.warning("ERROR", "secure_server.test", "first\nsecond")
    running.server._activity.warning("WARNING", "secure_server.test", "other")
    told = "level=ERROR source=secure_server.test first\n  second"
    with running.resp(running.token(Role.ADMIN)) as admin:
        admin.request("SERVER", "LOG", "level=error")
        assert line_of(admin).endswith(told)
        assert admin.reply() == "OK"
    with running.resp(running.token(Role.ADMIN), 2) as admin:
        answer = admin.ask("SERVER", "LOG", "level=error")
        assert isinstance(answer, list)
        assert [line.endswith(told) for line in answer] == [True]
    with running.text(running.token(Role.ADMIN)) as person:
        person.send(b"SERVER LOG level=error\n")
        assert person.lines()[-1] == "  second"
        person.send(b"SERVER LOG text~nowhere-to-be-found\n")
        assert person.lines() == ["No line of the log matches."]


def test_a_log_that_cannot_be_read_is_a_sentence(server: ServerFactory, tmp_path: Path) -> None:
    """And nobody watches after that."""
    running = server()
    with running.resp(running.token(Role.ADMIN)) as admin:
        path = running.data / "server_log.txt"
        path.rename(tmp_path / "moved")
        path.mkdir()
        answer = admin.ask("SERVER", "LOG", "--follow")
        path.rmdir()
        assert isinstance(answer, ErrorReply)
        assert answer.text.startswith("The activity log cannot be read: ")
        assert watchers(running) == 0


def test_the_level_of_the_servers_own_log_holds_at_once(server: ServerFactory) -> None:
    """What is told below it is not written; the change is on record."""
    running = server()
    log = logging.getLogger("secure_server.test")
    with running.resp(running.token(Role.ADMIN)) as admin:
        assert admin.ask("SERVER", "LOG-LEVEL") == "warning"
        log.info("first")
        assert admin.ask("SERVER", "LOG-LEVEL", "info") == "info"
        log.info("second")
        assert admin.ask("SERVER", "LOG-LEVEL", "error") == "error"
        log.warning("third")
        assert admin.ask("SERVER", "LOG-LEVEL", "warning") == "warning"
        log.warning("fourth")
        refused = admin.ask("SERVER", "LOG-LEVEL", "loud")
        assert isinstance(refused, ErrorReply)
        assert refused.text == "Argument level: loud is not one of debug, info, warning, error."
    told = re.findall(r"source=secure_server\.test (\w+)", running.log())
    assert told == ["second", "fourth"]


def test_a_job_is_told_from_its_start_to_its_end(server: ServerFactory) -> None:
    """With its number, by which it can be asked for alone."""
    running = server()

    @command("QUICK", role=Role.USER, job=True)
    def quick(_context: Context, what: str) -> str:
        return what

    running.server.registry.add(quick.__command__[0])  # type: ignore[attr-defined] # set by the decorator
    with watching(running, "job=1") as admin, running.text() as peer:
        peer.send(b"QUICK now\n")
        assert peer.lines()[-1] == "now"
        told = [part(admin) for _ in range(2)]
    assert [(one["event"], one["user"], one["command"], one["job"]) for one in told] == [
        ("job", "user", "QUICK", 1)
    ] * 2
    assert (told[0]["outcome"], told[0]["arguments"], told[1]["outcome"]) == ("running", ["now"], "done")
    assert isinstance(told[1]["took"], float)

"""Jobs over real TLS: what ends them and what does not, what their handlers do, and the bounds that hold for all."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping import output
from secure_server.jobs.keeping.records import DATABASE as JOBS_DATABASE
from secure_server.jobs.keeping.records import Records
from secure_server.server import DATABASE
from secure_server.starting import StartError
from tests.conftest import ServerFactory
from tests.integration import job_commands
from tests.integration.conftest import Start
from tests.integration.job_commands import Steer
from tests.integration.job_peers import ends, go, mapping, numbers, pushed, rows, start_jobs, state
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that are jobs."""
    yield start_jobs(server)
    Steer.released.set()


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


@pytest.mark.long
def test_a_token_that_expires_or_is_rotated_ends_no_job(running: Running) -> None:
    """Nor does the old one's end by the grace."""
    turned, brief = running.new_token("turned").reveal(), running.new_token("brief", lifetime=1.0).reveal()
    with running.resp(brief) as first, running.resp(turned) as second, running.resp(running.token(Role.ADMIN)) as admin:
        for peer in (first, second):
            peer.request("STEPS", "1")
        Steer.begun(2)
        admin.ask("TOKEN", "ROTATE", "turned", "--grace", "1s")
        for peer in (first, second):
            closed = peer.rest()[-1]
            assert isinstance(closed, Push)
            assert closed.items[0] == "expired"
        assert [state(admin, 1), state(admin, 2)] == ["running", "running"]
        go(2)
        ends(admin, 1, "done")
        ends(admin, 2, "done")


def test_a_kick_ends_no_job(running: Running) -> None:
    """Nor does RESET, for it waits its turn."""
    with running.resp(running.token(Role.ADMIN)) as admin, running.resp() as peer:
        peer.request("STEPS", "1")
        Steer.begun()
        number = next(row["id"] for row in rows(admin.ask("CLIENTS")) if row["user"] == "user")
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
        assert numbers(pushes) == [1]
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
        others = [running.resp() for _ in range(count)]  # before the job, which does not wait for its `go` without end
        peer.request("STEPS", "3")
        Steer.begun()
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


def test_the_next_start_tells_of_those_that_the_last_one_left(certificates: Path, tmp_path: Path) -> None:
    """Log, trail, and the commands that were to be told; once."""
    told = tmp_path / "told"
    declared: dict[str, object] = {
        "WORK": {"run": ["true"], "job": True, "notify": ["TELL"]},
        "TELL": {
            "run": ["tee", "-a", str(told)],
            "stdin": "{job} {state} {who} {exit_code}\n",
            "arguments": {"job": {}, "state": {}, "who": {}, "exit_code": {}},
            "internal": True,
        },
    }
    running = Running(certificates, tmp_path / "data", {"commands": declared})
    with Records(running.data / JOBS_DATABASE) as records:
        for state, started in ((JobState.RUNNING, 2.0), (JobState.QUEUED, None), (JobState.DONE, 2.0)):
            records.add(Job(command="WORK", principal="ada", role=Role.USER, created=1.0, started=started, state=state))
    with running:
        eventually(lambda: told.exists() and len(told.read_text().splitlines()) == 2)
    running.restart()
    running.stop()
    assert sorted(told.read_text().splitlines()) == ["1 lost ada ", "2 cancelled ada "]
    trail = [json.loads(line) for path in sorted(running.data.rglob("audit*.jsonl")) for line in lines_of(path)]
    assert [(item["outcome"], item["who"], item["detail"]) for item in trail if item["event"] == "job"] == [
        ("lost", "ada", {"job": 1, "code": "LOST"}),
        ("cancelled", "ada", {"job": 2, "code": "CANCELLED"}),
    ]
    assert "job 1 WORK" in (running.data / "server_log.txt").read_text()

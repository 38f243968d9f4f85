"""Who watches a job: at the pace at which it reads, from any part on, and never without a word for long."""

from __future__ import annotations

import shutil

import pytest
from msgspec.structs import replace

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Principal, Role
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.output import Output
from secure_server.jobs.watching.following import QUIET_SECONDS
from secure_server.jobs.watching.telling import Collected, Telling, end_told, number_told, parts_told, values_of
from secure_server.session.call import ROOM_BYTES
from secure_server.session.codecs import RESP2, RESP3, TEXT
from tests.secure_server.host import Host
from tests.secure_server.jobs.conftest import MakeDesk
from tests.secure_server.jobs.desk import ADA, Desk, job

PART = b"+a part\r\n"


class Written:
    """A job whose output the test writes."""

    def __init__(self, desk: Desk, state: JobState = JobState.RUNNING, **changed: object) -> None:
        self._desk = desk
        self.number = desk.kept.add(job(state=state)).number
        desk.decisions.jobs[self.number] = job(self.number, state=state, **changed)
        self.output: Output = desk.kept.output(self.number)

    def says(self, *parts: bytes) -> None:
        """Write parts; the record has their number, as that of one that has ended has."""
        for part in parts:
            self.output.append(part)
        self.becomes(parts=self.output.next)

    def becomes(self, **changed: object) -> None:
        """Replace the record."""
        found = self._desk.decisions.jobs
        found[self.number] = replace(found[self.number], **changed)


@pytest.fixture
def written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Written:
    """One that runs."""
    made = Written(desk)
    monkeypatch.setattr(desk, "close", lambda: None)
    return made


def replies(data: bytes) -> list[object]:
    """What came, decoded."""
    return values_of([data])


def test_each_part_is_told_once(desk: Desk, written: Written) -> None:
    """However often somebody looks."""
    watcher = desk.watcher(desk.session(), written.number)
    written.says(PART)
    assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 0)), Push("stream", ("a part",))]
    assert desk.tell(watcher) == b""
    written.says(b":7\r\n")
    assert replies(desk.tell(watcher)) == [Push("stream", (7,))]
    written.becomes(state=JobState.DONE, result=b"+fine\r\n")
    assert replies(desk.tell(watcher)) == ["fine"]
    assert watcher.gone
    assert not desk.following._watching
    assert not desk.following._sessions


def test_from_any_part_on(desk: Desk, written: Written) -> None:
    """The push says from which."""
    written.says(*[b":%d\r\n" % number for number in range(5)])
    watcher = desk.watcher(desk.session(), written.number, first=3)
    assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 3)), Push("stream", (3,)), Push("stream", (4,))]


def test_what_is_missing_is_told_as_a_gap(desk: Desk, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full for a while; at the end of what there is, too."""
    written.says(b":0\r\n")
    monkeypatch.setattr(written.output._room, "take", lambda _size: False)
    written.says(b":1\r\n", b":2\r\n")
    monkeypatch.undo()
    written.says(b":3\r\n")
    watcher = desk.watcher(desk.session(), written.number)
    told = desk.tell(watcher) + desk.tell(watcher)
    assert replies(told) == [
        Push("job", (1, "running", 0)), Push("stream", (0,)), Push("job", (1, "running", 3)), Push("stream", (3,)),
    ]  # fmt: skip
    monkeypatch.setattr(written.output._room, "take", lambda _size: False)
    written.says(b":4\r\n")
    assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 5))]


@pytest.mark.parametrize("how", ["a part", "the end", "the state", "time"])
def test_what_goes_on_missing_is_told_now_and_then(
    desk: Desk, host: Host, written: Written, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A full disk takes nothing of thousands of lines: no word for each, and the count is right when it goes on."""
    watcher = desk.watcher(desk.session(), written.number)
    desk.tell(watcher)
    monkeypatch.setattr(written.output._room, "take", lambda _size: False)
    said = b""
    for number in range(100):
        written.says(b":%d\r\n" % number)
        said += desk.tell(watcher)
    assert replies(said) == [Push("job", (1, "running", 1))], "the first at once"
    monkeypatch.undo()
    if how == "a part":
        written.says(b":100\r\n")
        assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 100)), Push("stream", (100,))]
    elif how == "the end":
        written.becomes(state=JobState.DONE, result=b"+fine\r\n")
        assert replies(desk.tell(watcher)) == [Push("job", (1, "done", 100)), "fine"]
    elif how == "the state":
        watcher.told = None
        assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 100))]
        host.clock.now += 1
        assert desk.tell(watcher) == b"", "that said it"
    else:
        host.clock.now += 1
        assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 100))]
        host.clock.now += 1
        assert desk.tell(watcher) == b"", "nothing more is missing"


def test_who_does_not_read_is_given_no_more(desk: Desk, written: Written) -> None:
    """What waits for it is bounded; it goes on when there is room."""
    size = 10_000
    written.says(*[b"$%d\r\n%b\r\n" % (size, b"x" * size) for _ in range(40)])
    session = desk.session()
    watcher = desk.watcher(session, written.number)
    for _ in range(50):
        desk.following._step(watcher, desk.host.clock())
    assert len(watcher.call._waiting) < 2 * ROOM_BYTES
    told = b""
    for _ in range(50):
        told += desk.tell(watcher)
    assert len([push for push in replies(told) if isinstance(push, Push) and push.kind == "stream"]) == 40


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.QUEUED])
def test_a_word_every_fifteen_seconds(desk: Desk, host: Host, written: Written, state: JobState) -> None:
    """Clients give up after a minute of silence; also those that wait for the end alone."""
    written.becomes(state=state)
    watchers = [
        desk.watcher(desk.session(), written.number),
        desk.watcher(desk.session(), written.number, end_told(RESP3)),
    ]
    for watcher in watchers:
        desk.tell(watcher)
        for _ in range(3):
            host.clock.now += QUIET_SECONDS - 0.1
            assert desk.tell(watcher) == b""
            host.clock.now += 0.2
            assert replies(desk.tell(watcher)) == [Push("progress", (0.0, ""))]


def test_progress_is_told_as_it_comes(desk: Desk, host: Host) -> None:
    """And the last again, where nothing else is."""
    command = host.command(
        "WORKS", lambda context: context.progress(0.25, "a quarter") or context.cancelled.wait(20), job=True
    )
    watcher = desk.start(command)
    desk.until_true(lambda: desk.decisions.runs[1].call.progress is not None)
    assert replies(desk.tell(watcher))[-1] == Push("progress", (0.25, "a quarter"))
    assert desk.tell(watcher) == b""
    host.clock.now += QUIET_SECONDS
    assert replies(desk.tell(watcher)) == [Push("progress", (0.25, "a quarter"))]
    desk.decisions.cancel(1, "ada")
    desk.ended(1)


def test_the_place_in_line_is_told_when_it_changes(desk: Desk, written: Written) -> None:
    """And the state."""
    written.becomes(state=JobState.QUEUED)
    desk.decisions.places[1] = 2
    watcher = desk.watcher(desk.session(), written.number)
    assert replies(desk.tell(watcher)) == [Push("job", (1, "queued", 0, 2))]
    desk.decisions.places[1] = 1
    assert replies(desk.tell(watcher)) == [Push("job", (1, "queued", 0, 1))]
    del desk.decisions.places[1]
    written.becomes(state=JobState.RUNNING)
    assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 0))]


def test_one_that_is_cleared_meanwhile(desk: Desk, written: Written) -> None:
    """Whoever follows it is told that there is none."""
    written.says(PART)
    watcher = desk.watcher(desk.session(), written.number)
    desk.tell(watcher)
    del desk.decisions.jobs[written.number]
    assert replies(desk.tell(watcher)) == [ErrorReply("ERR", "There is no job 1.")]


def test_output_that_is_gone_is_a_gap(desk: Desk, written: Written) -> None:
    """Somebody removed it."""
    written.says(PART, PART)
    shutil.rmtree(desk.kept.output_of(1))
    watcher = desk.watcher(desk.session(), written.number)
    assert replies(desk.tell(watcher)) == [Push("job", (1, "running", 0)), Push("job", (1, "running", 2))]


def test_what_cannot_be_read_ends_one_watching_alone(
    desk: Desk, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the thread that tells all."""
    written.says(PART)
    watcher = desk.watcher(desk.session(), written.number)
    monkeypatch.setattr("secure_server.jobs.keeping.reader.segments_in", _fails)
    assert replies(desk.tell(watcher))[-1] == ErrorReply("ERR", "The job's output cannot be read.")


def _fails(_: object) -> list[int]:
    raise OSError(24, "Too many open files")


def test_detaching_says_where_it_was(desk: Desk, written: Written) -> None:
    """The watching is over; the job is not."""
    written.says(PART)
    session = desk.session()
    watcher = desk.watcher(session, written.number)
    desk.tell(watcher)
    assert desk.following.detach(session)
    assert replies(desk.tell(watcher)) == [ErrorReply("DETACHED", "Job 1 goes on; JOB ATTACH 1 1 comes back to it.")]
    assert not desk.following.detach(session)


def test_detaching_before_there_is_a_number(desk: Desk, host: Host) -> None:
    """It is told as soon as there is one."""
    command = host.command("WORKS", lambda context: context.cancelled.wait(20), job=True)
    session = desk.session()
    watcher = desk.watcher(session)
    assert desk.following.detach(session)
    desk.decisions.order(desk.order(session, command), watcher)
    assert isinstance(replies(desk.tell(watcher))[-1], ErrorReply)
    assert not desk.decisions.jobs[1].state.ended


def test_who_becomes_somebody_else_sees_it_no_more(desk: Desk, written: Written) -> None:
    """The desk's look does not judge; the real one does."""
    session = desk.session()
    watcher = desk.watcher(session, written.number)
    desk.tell(watcher)
    session.own = Principal("eve", Role.USER, "x", None)
    assert desk.host.keep_jobs()._look(watcher) is None


@pytest.mark.parametrize(("telling", "way"), [(parts_told(RESP3), "ATTACH 1 2"), (end_told(RESP3), "WAIT 1")])
def test_who_cancels_what_he_did_not_start_is_told_that_it_goes_on(
    desk: Desk, written: Written, telling: Telling, way: str
) -> None:
    """It is the watching alone that ends."""
    written.says(PART, PART)
    session = desk.session()
    watcher = desk.watcher(session, written.number, telling, 2)
    desk.tell(watcher)
    session.cancel()
    assert desk.tell(watcher) == f"-CANCELLED Job 1 goes on; JOB {way} comes back to it.\r\n".encode()
    assert watcher.gone
    assert not desk.following._sessions


def test_who_leaves_is_fed_no_more(desk: Desk, written: Written) -> None:
    """Its session went."""
    session = desk.session()
    watcher = desk.watcher(session, written.number)
    desk.tell(watcher)
    session.end()
    assert watcher.gone
    assert not desk.following._watching
    assert not desk.following._sessions


# Other ways to tell


def test_a_number_alone_is_told_at_once(desk: Desk, written: Written) -> None:
    """RESP2."""
    session = desk.session()
    session.codec = RESP2
    assert desk.tell(desk.watcher(session, written.number, number_told(RESP2))) == b":1\r\n"


def test_collected_waits_until_there_is_something(desk: Desk, host: Host, written: Written) -> None:
    """Or the time is over, or the job."""
    for case in ("output", "time", "end"):
        session = desk.session()
        watcher = desk.watcher(session, written.number, Collected(RESP3), first=written.output.next)
        watcher.wait = 5.0
        assert desk.tell(watcher) == b"", case
        if case == "output":
            written.says(PART)
        elif case == "time":
            host.clock.now += 6
        else:
            written.becomes(state=JobState.DONE)
        (found,) = replies(desk.tell(watcher))
        assert isinstance(found, dict)
        assert found["parts"] == (["a part"] if case == "output" else [])
        assert found["next"] == 1


def test_collected_says_what_was_dropped(desk: Desk, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was asked for."""
    monkeypatch.setattr(written.output._room, "take", lambda _size: False)
    written.says(b":0\r\n", b":1\r\n")
    monkeypatch.undo()
    written.says(b":2\r\n")
    (found,) = replies(desk.tell(desk.watcher(desk.session(), written.number, Collected(RESP3), first=1)))
    assert found == {"job": 1, "state": "running", "first": 2, "next": 3, "dropped": 1, "parts": [2]}


def test_people_read_lines(desk: Desk, written: Written) -> None:
    """Numbered where asked, with the dot that stands for the end stuffed."""
    written.says(b"+one\r\n", b"$4\r\n.\nb.\r\n")
    written.becomes(state=JobState.DONE, result=b"+fine\r\n")
    for numbered, expected in (
        (False, b"JOB 1 FROM 0\none\n..\nb.\nfine\n.\n"),
        (True, b"JOB 1 FROM 0\n0: one\n1: .\n1: b.\nfine\n.\n"),
    ):
        session = desk.session()
        session.codec = TEXT
        assert desk.tell(desk.watcher(session, 1, parts_told(TEXT, numbered=numbered))) == expected


def test_an_error_ends_lines_and_pushes(desk: Desk, written: Written) -> None:
    """As one of any other command does."""
    written.says(PART)
    written.becomes(state=JobState.FAILED, code="ERR", message="It broke.")
    session = desk.session()
    assert replies(desk.tell(desk.watcher(session, 1)))[-1] == ErrorReply("ERR", "It broke.")
    session = desk.session()
    session.codec = TEXT
    assert desk.tell(desk.watcher(session, 1, parts_told(TEXT))).endswith(b"\nERROR: It broke.\n.\n")
    session = desk.session()
    assert replies(desk.tell(desk.watcher(session, 1, end_told(RESP3)))) == [ErrorReply("ERR", "It broke.")]


def test_a_long_result_that_was_not_kept_is_no_ok(desk: Desk, written: Written) -> None:
    """Nobody is told that all is well, with nothing else."""
    written.becomes(state=JobState.DONE, result=None)
    for telling in (parts_told(RESP3), end_told(RESP3)):
        found = replies(desk.tell(desk.watcher(desk.session(), 1, telling)))[-1]
        assert found == ErrorReply("ERR", "Job 1 is done, but what it returned was too long to keep.")
    written.output.append(b"+long\r\n")
    assert replies(desk.tell(desk.watcher(desk.session(), 1, end_told(RESP3)))) == ["long"]


def test_the_thread_tells_by_itself(make_desk: MakeDesk, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Woken by what is new."""
    jobs = host.keep_jobs()
    host.command("SAYS", lambda _context: iter(["one", "two"]), job=True)
    session = host.program()
    assert replies(host.call(session, "SAYS"))[-1] == "OK"
    jobs.following.wait_until_told(1.0)
    assert ADA.name == "ada"
    del make_desk, monkeypatch
    assert [found.state for found in jobs.all] == [JobState.DONE]
    assert isinstance(jobs.all[0], Job)

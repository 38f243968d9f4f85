"""The server's trail: queued, durable where it must be, honest where it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_protocol.sentence import Sentence
from secure_server.audit import running
from secure_server.audit import trail as module
from secure_server.audit.chain import read_head
from secure_server.audit.gap import FILE as GAP
from secure_server.audit.gap import Gap, GapFile
from secure_server.audit.journal import LOCK, snapshot
from secure_server.audit.record import Entry, Record, utc
from secure_server.audit.running import LONG_SECONDS
from secure_server.audit.trail import AuditTrail
from secure_server.audit.verify import verify
from secure_server.config.quantities import Duration
from secure_server.config.settings import Audit
from tests.integration.running import eventually
from tests.secure_server.audit.conftest import Books, Clock

MakeTrail = Callable[..., AuditTrail]


class Disk:
    """Fails when told: the lock's place is taken by a directory, so that nothing can be appended."""

    def __init__(self, directory: Path) -> None:
        self._lock = directory / LOCK

    def fail(self) -> None:
        """From here on nothing can be written."""
        self._lock.unlink(missing_ok=True)
        self._lock.mkdir()

    def work(self) -> None:
        """From here on it can."""
        self._lock.rmdir()


@pytest.fixture
def disk(books: Books) -> Disk:
    """The trail's."""
    return Disk(books.directory)


@pytest.fixture
def told() -> list[str]:
    """What administrators were told."""
    return []


@pytest.fixture
def make(books: Books, told: list[str]) -> Iterator[MakeTrail]:
    """A trail that is not started: the test calls `write`."""
    made: list[AuditTrail] = []

    def tell(sentence: Sentence) -> None:
        told.append(str(sentence))

    def make_trail(settings: Audit | None = None) -> AuditTrail:
        made.append(AuditTrail(books.directory, settings or Audit(), tell, books.clock))
        return made[-1]

    yield make_trail
    for trail in made:
        trail.stop()


def command(name: str, moment: float) -> Entry:
    """A command's entry."""
    return Entry(moment, "command", "ok", "ada", command=name)


def about_itself(books: Books) -> list[Record]:
    """The records of event `trail`."""
    return [record for record in books.records() if record.event == "trail"]


def test_a_report_only_queues(make: MakeTrail, books: Books) -> None:
    """Nothing is formatted or written by whoever reports."""
    trail = make()
    assert trail.put(command("A", books.clock()))
    assert books.lines() == []
    trail.write()
    assert [record.command for record in books.records()] == ["A"]


def test_a_durable_record_is_on_disk_when_its_reporter_goes_on(make: MakeTrail, books: Books) -> None:
    """The head says so, and those before it are there, too."""
    trail = make(Audit(sync=Duration(3600)))
    trail.start()
    trail.put(command("A", books.clock()))
    assert trail.record_durably("token", "created", who="local:root")
    head = read_head(books.directory)
    assert head is not None
    assert (head.seq, books.records()[-1].outcome) == (2, "created")


def test_many_who_wait_are_answered_by_one_sync(make: MakeTrail, books: Books) -> None:
    """Each of them, and in one chain."""
    trail = make()
    trail.start()
    outcomes: list[bool] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(trail.put_durably(command("A", books.clock()))))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert outcomes == [True] * 16
    assert len(books.records()) == 16
    assert verify(snapshot(books.directory)).problems == []


def test_the_rest_is_synced_by_itself(make: MakeTrail, books: Books) -> None:
    """Within `audit.sync`, without another report."""
    trail = make(Audit(sync=Duration(0.05)))
    trail.start()
    trail.put(command("A", books.clock()))
    eventually(lambda: (read_head(books.directory) or (0,))[0] == 1)


def test_stopping_writes_and_syncs_what_was_reported(make: MakeTrail, books: Books) -> None:
    """Counts of a flood included."""
    trail = make(Audit(failures_per_second=1))
    trail.start()
    for _ in range(3):
        trail.put_refused(Entry(books.clock(), "authentication", "refused"), "unknown", "203.0.113.7")
    trail.put(command("A", books.clock()))
    trail.stop()
    assert sum(int(record.detail.get("count") or 1) for record in books.records()) == 4
    head = read_head(books.directory)
    assert head is not None
    assert head.seq == len(books.records())


def test_a_flood_of_failures_is_written_as_a_count_a_second(make: MakeTrail, books: Books) -> None:
    """From where, why, and how many; the next second begins anew."""
    trail = make(Audit(failures_per_second=2))
    for _ in range(100):
        entry = Entry(books.clock(), "authentication", "refused", address="203.0.113.7:5", detail={"reason": "unknown"})
        trail.put_refused(entry, "unknown", "203.0.113.7")
    trail.write()
    books.clock.now += 1
    trail.write()
    *single, counted = books.records()
    assert [record.address for record in single] == ["203.0.113.7:5"] * 2
    assert (counted.event, counted.outcome, counted.address) == ("authentication", "refused", "203.0.113.7")
    assert counted.detail == {"reason": "unknown", "count": 98}


def test_a_disk_that_fails_loses_nothing_that_the_queue_holds(
    make: MakeTrail, books: Books, disk: Disk, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Administrators are told once, at error level, and again when it works; the trail says how long it was."""
    trail = make()
    disk.fail()
    with caplog.at_level(logging.WARNING, "secure_server.audit"):
        for name in "AB":
            trail.put(command(name, books.clock()))
            trail.write()
        status = trail.status()
        assert (status.failing_since, status.waiting, status.lost) == (books.clock(), 2, 0)
        assert "directory" in status.why
        assert not trail.suspends()
        books.clock.now += 60
        disk.work()
        trail.write()
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert told[0].startswith("The audit trail cannot be written (Is a directory); records may be lost")
    assert told[1:] == ["The audit trail can be written again; records lost: 0."]
    assert [record.command for record in books.records()] == ["A", "B", ""]
    (resumed,) = about_itself(books)
    assert resumed.outcome == "resumed"
    assert (resumed.detail["lost"], resumed.detail["why"]) == (0, "Is a directory")
    assert trail.status().failing_since is None


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_writer_survives_what_it_meets(
    make: MakeTrail,
    books: Books,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    """What cannot be written for whatever reason is told, passes for nothing, and is written once that is over."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    trail, failed = make(Audit(on_failure="stop")), threading.Semaphore(0)

    def fail(_entries: object) -> None:
        failed.release()
        raise error("unforeseen")

    with monkeypatch.context() as broken:
        broken.setattr(trail._journal, "append", fail)
        trail.start()
        trail.put(command("FIRST", 1.0))
        assert all(failed.acquire(timeout=30) for _ in range(2)), "the thread has ended"
        assert trail.suspends()
    eventually(lambda: not trail.suspends())
    assert "unforeseen" in caplog.text
    assert f"unexpected {error.__name__}" in told[0]
    trail.stop()
    assert [record.command for record in books.records() if record.command] == ["FIRST"]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_writer_survives_whoever_is_told(
    books: Books, disk: Disk, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """That the news of a failure reaches nobody does not keep the trail from being written afterwards."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    tried = threading.Event()

    def fail(_sentence: Sentence) -> None:
        tried.set()
        raise error("unforeseen")

    trail = AuditTrail(books.directory, Audit(), fail)
    disk.fail()
    trail.start()
    trail.put(command("FIRST", 1.0))
    assert tried.wait(10)
    disk.work()
    eventually(lambda: trail.status().waiting == 0)
    assert trail._thread.is_alive()
    trail.stop()


def test_what_finds_no_room_is_counted(make: MakeTrail, books: Books, disk: Disk, told: list[str]) -> None:
    """The queue is bounded, and the record of the recovery has the count."""
    trail = make(Audit(queue=3))
    disk.fail()
    assert [trail.put(command(str(number), books.clock())) for number in range(8)] == [True] * 3 + [False] * 5
    trail.write()
    assert trail.status().lost == 5
    disk.work()
    trail.write()
    assert [record.command for record in books.records()] == ["0", "1", "2", ""]
    assert about_itself(books)[0].detail["lost"] == 5
    assert told[-1] == "The audit trail can be written again; records lost: 5."
    assert trail.status().lost == 0


def test_a_queue_that_overflows_is_a_failure_to_write(make: MakeTrail, books: Books, told: list[str]) -> None:
    """Also where the disk is fine: it is over when a round has gone by without a loss."""
    trail = make(Audit(queue=2, on_failure="stop"))
    for name in "ABC":
        trail.put(command(name, books.clock()))
    assert trail.suspends()
    trail.write()
    assert trail.suspends()
    trail.write()
    assert not trail.suspends()
    assert [record.command for record in books.records()] == ["A", "B", ""]
    assert about_itself(books)[0].detail["lost"] == 1
    assert len(told) == 2
    assert "more was reported than could be written" in told[0]


def test_stop_says_so(make: MakeTrail, books: Books, disk: Disk, told: list[str]) -> None:
    """From the first failure to the recovery."""
    trail = make(Audit(on_failure="stop"))
    assert not trail.suspends()
    disk.fail()
    trail.put(command("A", books.clock()))
    trail.write()
    assert trail.suspends()
    assert told[0].endswith("commands are refused until it can.")
    disk.work()
    trail.write()
    assert not trail.suspends()


def test_nobody_waits_for_a_disk_that_fails(make: MakeTrail, books: Books, disk: Disk) -> None:
    """Who reports durably is told that it is not, at once, also the first one; the records follow."""
    trail = make()
    trail.start()
    disk.fail()
    assert not trail.record_durably("token", "created")
    assert not trail.record_durably("token", "revoked")
    disk.work()
    eventually(lambda: [record.event for record in books.records()] == ["token", "token", "trail"])


def test_a_disk_that_hangs_is_not_waited_for_without_end(
    make: MakeTrail, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer comes, late; the record follows when the disk does."""
    monkeypatch.setattr(module, "DURABLE_SECONDS", 0.05)
    hanging, go_on = threading.Event(), threading.Event()
    trail = make()
    append = trail._journal.append

    def hang(entries: object) -> None:
        hanging.set()
        go_on.wait(10)
        append(entries)  # type: ignore[arg-type] # passed through

    monkeypatch.setattr(trail._journal, "append", hang)
    trail.start()
    assert not trail.record_durably("token", "created")
    assert hanging.is_set()
    go_on.set()
    eventually(lambda: len(books.records()) == 1)


def test_what_cannot_be_written_at_the_end_is_told(
    make: MakeTrail, books: Books, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """How many records the server takes with it."""
    trail = make()
    disk.fail()
    trail.put(command("A", books.clock()))
    trail.stop()
    assert "1 records of the audit trail could not be written (Is a directory)" in caplog.text
    disk.work()


def test_administrators_are_told_of_a_break(
    make: MakeTrail, books: Books, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Once, at error level, when the trail is found changed; it goes on."""
    trail = make()
    trail.put(command("A", books.clock()))
    trail.write()
    books.edit(b"nonsense")
    for name in "BC":
        trail.put(command(name, books.clock()))
        trail.write()
    (sentence,) = told
    assert sentence.startswith(
        "The audit trail was broken: there is a line at its end that is no record. It goes on in "
    )
    assert [(record.levelname, record.message) for record in caplog.records] == [("ERROR", sentence)]
    assert trail.status().broken == ("audit-2026-11.2.jsonl",)
    assert [record.command for record in books.records()[-2:]] == ["B", "C"]


def test_what_a_stopped_server_lost_is_recorded_at_the_next_start(
    make: MakeTrail, books: Books, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """How many, from when to when; once."""
    begun = books.clock()
    trail = make(Audit(queue=3))
    trail.put(command("A", books.clock()))
    trail.write()
    disk.fail()
    for number in range(5):
        trail.put(command(str(number), books.clock()))
    trail.write()
    books.clock.now += 60
    trail.stop()
    books.clock.now += 3600
    disk.work()
    for name in "BC":
        following = make()
        following.put(command(name, books.clock()))
        following.stop()
    lost = {"count": 5, "from": utc(begun), "to": utc(begun + 60)}
    told = [(record.command, record.outcome, dict(record.detail)) for record in books.records()]
    assert told == [("A", "ok", {}), ("", "lost", lost), ("B", "ok", {}), ("C", "ok", {})]
    assert caplog.text.count("were lost when the server ended while it could not be written: 5, from 2026-11-") == 1
    assert verify(snapshot(books.directory)).lost == 5


def test_what_a_killed_server_lost_is_known_too(make: MakeTrail, books: Books, disk: Disk) -> None:
    """Noted down with every try, before it is killed; and a start on a disk that is still full forgets nothing."""
    killed = [make(), make()]
    killed[0].put(command("A", books.clock()))
    killed[0].write()
    disk.fail()
    for name in "BC":
        killed[0].put(command(name, books.clock()))
        killed[0].write()
    killed[1] = make()
    killed[1].put(command("D", books.clock()))
    killed[1].write()
    disk.work()
    trail = make()
    trail.put(command("E", books.clock()))
    trail.write()
    assert [(record.command, record.detail.get("count")) for record in books.records()] == [
        ("A", None),
        ("", 3),
        ("E", None),
    ]


def test_nothing_is_lost_where_it_could_be_written_again(make: MakeTrail, books: Books, disk: Disk) -> None:
    """The note is taken back, on disk."""
    trail = make()
    trail.put(command("A", books.clock()))
    trail.write()
    disk.fail()
    trail.put(command("B", books.clock()))
    trail.write()
    size = (books.directory / GAP).stat().st_size
    assert GapFile(books.directory).read().records == 1
    disk.work()
    trail.write()
    assert GapFile(books.directory).read() == Gap()
    assert (books.directory / GAP).stat().st_size == size, "in place: no disk is too full for it"


@pytest.mark.parametrize("content", ["", "nonsense", "1 2 3", "\udc80"])
def test_a_note_that_is_none_keeps_no_server_from_starting(make: MakeTrail, books: Books, content: str) -> None:
    """Whatever somebody wrote there."""
    (books.directory / GAP).write_bytes(content.encode("utf-8", "surrogateescape"))
    trail = make()
    trail.put(command("A", books.clock()))
    trail.write()
    assert [record.command for record in books.records()] == ["A"]


def test_a_command_that_takes_long_is_recorded_while_it_runs(books: Books) -> None:
    """Once, with the moment when it began; one that is over in time is not."""
    monotonic = Clock()
    trail = AuditTrail(books.directory, Audit(), clock=books.clock, monotonic=monotonic)
    began = books.clock()
    with trail.running(command("LONG", began)):
        with trail.running(command("SHORT", began)):
            monotonic.now += LONG_SECONDS - 1
            trail.write()
            assert books.lines() == []
        books.clock.now += LONG_SECONDS
        monotonic.now += 1
        for _ in range(2):
            trail.write()
        assert [(record.command, record.time) for record in books.records()] == [("LONG", utc(began))]
    trail.stop()
    assert len(books.records()) == 1


def test_the_writer_wakes_for_what_takes_long(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing else is reported."""
    monkeypatch.setattr(running, "LONG_SECONDS", 0.05)
    trail = AuditTrail(books.directory, Audit())
    trail.start()
    with trail.running(command("LONG", books.clock())):
        eventually(lambda: [record.command for record in books.records()] == ["LONG"])
    trail.stop()

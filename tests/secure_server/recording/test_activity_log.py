"""The activity log: a line each, bounded, nothing lost, private, fit for a terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.audit.who import Who
from secure_server.auth.principal import Principal, Role
from secure_server.config.quantities import Size
from secure_server.config.settings import Log
from secure_server.recording.activity_log import FILE, ActivityLog
from secure_server.session.session import Session
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, Clock, Host

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes")


class Journal:
    """A log whose seconds pass when told, written when told."""

    def __init__(self, directory: Path, settings: Log | None = None) -> None:
        self.clock = Clock()
        self.path = directory / FILE
        self.log = ActivityLog(directory, settings or Log(), self.clock)

    def lines(self) -> list[str]:
        """Write, and read all lines without their time."""
        self.log.write()
        return [line.partition(" ")[2] for line in self.path.read_text(encoding="utf-8").splitlines()]

    def reported(self) -> int:
        """How many reports the lines stand for."""
        counts = [re.search(r" count=(\d+)$", line) for line in self.lines()]
        return sum(1 if found is None else int(found[1]) for found in counts)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The data directory."""
    made = tmp_path / "log"
    made.mkdir()
    return made


@pytest.fixture
def journal(directory: Path) -> Iterator[Journal]:
    """With the defaults."""
    made = Journal(directory)
    yield made
    made.log.stop()


@pytest.fixture
def session(host: Host) -> Session:
    """Somebody who authenticated."""
    return host.user()


def who(session: Session) -> Who:
    """What is recorded of its peer."""
    return session.who(session.principal)


def test_each_event_is_a_line(journal: Journal, session: Session, host: Host) -> None:
    """With time, session, principal, address, and the event's own words as keys."""
    journal.log.connected(who(session), "tls", "tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384")
    journal.log.authentication(who(session), "accepted", "token=abc")
    journal.log.command(who(session), "ECHO", "ok")
    session.close(CloseReason.IDLE)
    journal.log.disconnected(who(session), session.close_reason, session.activity.commands)
    journal.log.refused("10.0.0.1:1", CloseReason.HANDSHAKE_TIMEOUT, "")
    journal.log.connected(who(host.local()), "unix", "")
    ada = f"session={session.number} principal=ada address=127.0.0.1:40000"
    tls = "tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384"
    assert journal.lines() == [
        f"connected {ada} transport=tls {tls}",
        f"authentication {ada} outcome=accepted token=abc",
        f"command {ada} name=ECHO outcome=ok",
        f"disconnected {ada} reason=idle commands=1",
        "refused session=0 principal=- address=10.0.0.1:1 reason=handshake-timeout",
        f"connected session={session.number + 1} principal=local:root address=unix transport=unix",
    ]
    first = journal.path.read_text(encoding="utf-8").split(" ", 1)[0]
    assert first == "1970-01-01T00:16:40.000+00:00"


def test_beyond_the_rate_like_lines_are_counted_once_a_second(directory: Path, host: Host) -> None:
    """Per session and command; one line each second while the flood lasts, not only when it ends."""
    journal = Journal(directory, Log(max_lines_per_second=10))
    one, other = host.user("a"), host.user("b")
    journal.lines()
    for second in range(1, 4):
        for _ in range(10):  # the writer comes ten times a second, each time after new reports
            for _ in range(20):
                journal.log.command(who(one), "ECHO", "ok")
            for _ in range(3):
                journal.log.command(who(other), "TIME", "ok")
            journal.log.write()
            journal.clock.now += 0.1
        journal.clock.now = 1000.0 + second
    counted = [line for line in journal.lines() if " count=" in line]
    assert 4 <= len(counted) <= 8
    assert {line.split()[4] for line in counted} == {"name=ECHO", "name=TIME"}
    journal.log.stop()
    assert journal.reported() == 3 * 10 * 23


@pytest.mark.parametrize(
    "settings", [Log(max_lines_per_second=50), Log(queue=20), Log(max_lines_per_second=5, queue=3)]
)
def test_nothing_is_lost_whatever_the_bounds(directory: Path, host: Host, settings: Log) -> None:
    """Lines and counts together are what was reported, from many threads and many sessions at once."""
    journal = Journal(directory, settings)
    sessions = [host.session() for _ in range(40)]

    def report() -> None:
        for session in sessions * 5:
            journal.log.command(who(session), "PING", "ok")

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(journal.log._queue) <= settings.queue
    assert len(journal.log._counted) <= settings.queue
    journal.log.stop()
    assert journal.reported() == 40 * 5 * 4


def test_the_writer_writes_by_itself_and_stop_writes_the_rest(directory: Path, session: Session) -> None:
    """On its own thread, in the real time; what is counted comes out when its second is over, with no new report."""
    log = ActivityLog(directory, Log(max_lines_per_second=1))
    log.start()
    for _ in range(10):
        log.command(who(session), "PING", "ok")
    path, seen = directory / FILE, threading.Event()

    def watch() -> None:
        while " count=" not in path.read_text(encoding="utf-8"):
            if seen.wait(0.02):
                return
        seen.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert seen.wait(PATIENCE), "the count never came"
    watcher.join(PATIENCE)
    log.command(who(session), "LAST", "ok")
    log.stop()
    text = path.read_text(encoding="utf-8")
    assert text.count("name=LAST") == 1
    counts = Counter(int(found) for found in re.findall(r"name=PING .*count=(\d+)", text))
    assert (
        sum(number * times for number, times in counts.items()) + len(re.findall(r"name=PING outcome=ok\n", text)) == 10
    )


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_writer_survives_what_it_meets(
    directory: Path,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    """It is told, and what is reported later is written."""
    log, failed = ActivityLog(directory, Log()), threading.Event()

    def fail(_lines: list[str]) -> None:
        failed.set()
        raise error("unforeseen")

    with monkeypatch.context() as broken:
        broken.setattr(log._file, "write", fail)
        log.start()
        log.command(who(session), "FIRST", "ok")
        assert failed.wait(PATIENCE)
        eventually(lambda: "unforeseen" in caplog.text)
    log.command(who(session), "SECOND", "ok")
    eventually(lambda: "name=SECOND" in (directory / FILE).read_text(encoding="utf-8"))
    log.stop()


def test_no_control_character_reaches_the_file(journal: Journal, host: Host) -> None:
    """Nothing that moves a cursor, breaks a line or reverses text."""
    session = host.session(Principal("ada", Role.USER, None, None))
    journal.log.authentication(who(session), "refused", "x\r\n2026 command forged\x1b[2J\u202e\x00\x85")
    journal.log.refused("1.2.3.4:5", CloseReason.HANDSHAKE_FAILED, "a\nb\tc")
    lines = journal.lines()
    assert len(lines) == 2
    text = journal.path.read_text(encoding="utf-8")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert r"x\x0d\x0a2026" in lines[0]


def test_the_file_and_its_rotated_ones_are_private_and_bounded(directory: Path, session: Session) -> None:
    """0600 from the first byte on, also where an older file stood open, and no more files than configured."""
    (directory / FILE).touch(mode=0o644)
    journal = Journal(directory, Log(max_size=Size(2000), keep=2, max_lines_per_second=1000))
    for number in range(200):
        journal.log.command(who(session), "ECHO", "ok")
        if number % 10 == 0:
            journal.log.write()
    journal.log.stop()
    files = sorted(directory.iterdir())
    assert [file.name for file in files] == [FILE, f"{FILE}.1", f"{FILE}.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert all(file.stat().st_size <= 2000 for file in files)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_once_and_so_is_its_end(
    journal: Journal, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once a line, and the server goes on."""
    handler = journal.log._file._handler
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - the handler closes it
    good = handler.setStream(full)
    assert good is not None
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            journal.log.command(who(session), "ECHO", "ok")
            journal.log.write()
        (told,) = [record for record in caplog.records if "cannot be written" in record.message]
        assert "(No space left on device); lines are lost" in told.message
        assert told.exc_info is None
        handler.stream = good
        journal.log.command(who(session), "ECHO", "ok")
        journal.log.write()
        assert caplog.text.count("can be written again") == 1
    with contextlib.suppress(OSError):  # it may still hold what it could not write
        full.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_stopping_on_a_full_disk_does_not_fail(directory: Path, session: Session) -> None:
    """The rest of the server is still to be stopped."""
    journal = Journal(directory)
    good = journal.log._file._handler.setStream(Path("/dev/full").open("w", encoding="utf-8"))  # noqa: SIM115 - as above
    assert good is not None
    good.close()
    journal.log.command(who(session), "ECHO", "ok")
    journal.log.stop()

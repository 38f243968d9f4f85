"""The activity log: a line each, bounded, nothing lost, private, fit for a terminal."""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token
from secure_server.audit.who import Who
from secure_server.auth.principal import Principal, Role
from secure_server.config.quantities import Size
from secure_server.config.settings import Log
from secure_server.recording.activity_log import FILE, WARNINGS_PER_SECOND, ActivityLog
from secure_server.session.session import Session
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, Clock, Host

resource = pytest.importorskip("resource")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes")


class Journal:
    """A log whose seconds pass when told, written when told."""

    def __init__(self, directory: Path, settings: Log | None = None) -> None:
        self.clock = Clock()
        self.path = directory / FILE
        self.log = ActivityLog(directory, settings or Log(), self.clock, self.clock)

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


def test_a_line_that_comes_again_is_written_as_any_other(directory: Path, host: Host) -> None:
    """A line each while there is room, else one with the count each second; nothing of it is lost."""
    journal = Journal(directory, Log(max_lines_per_second=10))
    again = journal.log.again(who(host.session()), "ECHO", "ok")
    journal.log.repeat(again, 1)
    journal.log.repeat(again, 3)
    assert [line.partition("outcome=")[2] for line in journal.lines()] == ["ok", "ok count=3"]
    for second in range(1, 4):
        for _ in range(100):
            journal.log.repeat(again, 2)
        journal.log.write()
        journal.clock.now = 1000.0 + second
    journal.log.stop()
    assert journal.reported() == 4 + 3 * 200
    assert len(journal.lines()) < 40


def test_lines_that_come_again_are_bounded(directory: Path, host: Host) -> None:
    """As all that waits; what finds no room is told as a number."""
    journal = Journal(directory, Log(max_lines_per_second=1, queue=3))
    kept = [journal.log.again(who(host.session()), "ECHO", "ok") for _ in range(10)]
    for again in kept * 2:
        journal.log.repeat(again, 1)
    assert len(journal.log._repeated) == 3
    journal.log.stop()
    assert journal.reported() == 20


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


class Disk:
    """No file of this process may grow while it is full."""

    def __init__(self) -> None:
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """From here on nothing can be written."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._hard))

    def free(self) -> None:
        """From here on it can."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._soft, self._hard))


@pytest.fixture
def disk() -> Iterator[Disk]:
    """With room again at the end."""
    made = Disk()
    yield made
    made.free()


def test_a_full_disk_is_said_once_and_so_is_its_end(
    journal: Journal, session: Session, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once a line, and the server goes on; the log says how many lines it lacks."""
    journal.log.command(who(session), "ECHO", "ok")
    journal.log.write()
    disk.fill()
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            journal.log.command(who(session), "ECHO", "ok")
            journal.log.write()
        (told,) = [record for record in caplog.records if "cannot be written" in record.message]
        assert "(File too large); lines are lost" in told.message
        assert told.exc_info is None
        disk.free()
        journal.log.command(who(session), "ECHO", "ok")
        assert "log level=WARNING source=secure_server.activity lines could not be written count=50" in journal.lines()
        assert caplog.text.count("can be written again") == 1


def test_stopping_on_a_full_disk_does_not_fail(directory: Path, session: Session, disk: Disk) -> None:
    """The rest of the server is still to be stopped."""
    journal = Journal(directory)
    journal.log.command(who(session), "ECHO", "ok")
    disk.fill()
    journal.log.stop()


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_a_file_that_was_moved_or_deleted_is_made_anew(journal: Journal, session: Session, how: str) -> None:
    """As logrotate and people do, without a word to the server."""
    journal.log.command(who(session), "FIRST", "ok")
    journal.log.write()
    if how == "deleted":
        journal.path.unlink()
    else:
        journal.path.rename(journal.path.with_suffix(".old"))
    if how == "replaced":
        journal.path.touch(mode=0o644)
    journal.log.command(who(session), "SECOND", "ok")
    (line,) = journal.lines()
    assert "name=SECOND" in line
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_a_directory_that_is_gone_is_told_and_the_log_goes_on_once_it_is_back(
    journal: Journal, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing raises, and nothing is written elsewhere."""
    aside = journal.path.parent.with_name("aside")
    journal.path.parent.rename(aside)
    journal.log.command(who(session), "FIRST", "ok")
    journal.log.write()
    assert "(No such file or directory); lines are lost" in caplog.text
    aside.rename(journal.path.parent)
    journal.log.command(who(session), "SECOND", "ok")
    assert "name=SECOND" in journal.lines()[0]


def test_reopening_lets_the_old_file_go(journal: Journal) -> None:
    """Though nothing is reported: whoever moved it may want to compress it."""
    journal.path.rename(journal.path.with_suffix(".old"))
    journal.log.reopen()
    journal.log.write()
    assert journal.path.stat().st_size == 0


def warn(text: str, source: str = "secure_server.test", **more: Any) -> None:  # noqa: ANN401 - logging's
    """Log as the server's parts do."""
    logging.getLogger(source).warning(text, **more)


def test_what_the_server_warns_of_stands_in_its_log(journal: Journal) -> None:
    """With time, level and source; a traceback's lines are indented, so that none passes for another event."""
    error = RuntimeError("why\n2026-01-01 command forged\x1b[2J")
    logging.getLogger("secure_server.dispatcher").error("internal error 1a2b3c4d", exc_info=error)
    logging.getLogger("secure_server").info("nobody needs this")
    logging.getLogger("elsewhere").error("somebody else's")
    journal.log.write()
    first, *more = journal.path.read_text(encoding="utf-8").splitlines()
    assert (
        first == "1970-01-01T00:16:40.000+00:00 log level=ERROR source=secure_server.dispatcher internal error 1a2b3c4d"
    )
    assert more == ["  RuntimeError: why", r"  2026-01-01 command forged\x1b[2J"]


def test_no_token_reaches_the_log_by_a_warning(journal: Journal) -> None:
    """An exception of somebody's command may quote what it was given."""
    token = Token.generate()
    warn("it failed", exc_info=ValueError(f"it was given {token.reveal()}"))
    text = "".join(journal.lines())
    assert token.id in text
    assert token.secret not in text


def test_a_flood_of_warnings_is_counted(journal: Journal) -> None:
    """By source; so many a second with their text, and of those no more than people read."""
    for number in range(WARNINGS_PER_SECOND + 30):
        warn(f"number {number} {'x' * 100_000}")
    lines = journal.lines()
    assert sum("number" in line for line in lines) == WARNINGS_PER_SECOND
    assert all(len(line) < 2_000 for line in lines)
    journal.clock.now += 1
    warn("later")
    told = journal.lines()
    assert "log level=WARNING source=secure_server.test later" in told
    assert journal.path.stat().st_size < WARNINGS_PER_SECOND * 10_000
    journal.log.stop()
    assert (
        sum(int(found) for found in re.findall(r"source=secure_server.test.* count=(\d+)", journal.path.read_text()))
        == 30
    )


def test_a_log_that_fails_does_not_tell_itself(journal: Journal, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """What it says of its own failing goes to stderr alone: nothing turns in a circle."""
    disk.fill()
    warn("first")
    for _ in range(5):
        journal.log.write()
    assert caplog.text.count("cannot be written") == 1
    assert not journal.log._queue


def test_last_words_are_written_at_once(journal: Journal) -> None:
    """A process that ends itself flushes its logs, and waits for no thread."""
    warn("the end")
    logging.shutdown()
    assert "the end" in journal.path.read_text(encoding="utf-8")


def test_a_stopped_log_listens_no_more(directory: Path) -> None:
    """And is not held by the library."""
    journal = Journal(directory)
    journal.log.stop()
    warn("too late")
    logging.shutdown()
    assert "too late" not in journal.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("leap", [-3600.0, 300 * 86_400.0])
def test_a_clock_that_leaps_merges_no_lines(directory: Path, session: Session, leap: float) -> None:
    """Neither back nor forward: what is counted goes by a clock that nobody sets."""
    wall, monotonic = Clock(), Clock()
    log = ActivityLog(directory, Log(max_lines_per_second=2), wall, monotonic)
    for _ in range(3):
        log.command(who(session), "ECHO", "ok")
        log.command(who(session), "ECHO", "ok")
        log.write()
        monotonic.now += 1
        wall.now += leap
        leap = 1.0
    log.stop()
    text = (directory / FILE).read_text(encoding="utf-8")
    assert (text.count("name=ECHO"), text.count("count=")) == (6, 0)


def test_who_reads_and_follows_from_there_has_each_line_once(journal: Journal) -> None:
    """Also what was reported a moment ago; rotated files come first."""
    heard: list[str] = []

    def read(files: Sequence[Path]) -> list[str]:
        journal.log.follow(heard.extend)
        return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]

    warn("first")
    journal.log.write()
    journal.path.rename(journal.path.with_name(f"{FILE}.1"))
    warn("second")
    assert [line.rpartition(" ")[2] for line in journal.log.read(read)] == ["first", "second"]
    warn("third")
    journal.log.write()
    journal.log.follow(None)
    warn("fourth")
    journal.log.write()
    assert [line.rpartition(" ")[2] for line in heard] == ["third"]


def test_the_level_decides_what_of_the_servers_own_stands_there(journal: Journal) -> None:
    """From the next line on; the end of the log is the end of that."""
    logger = logging.getLogger("secure_server.test")
    assert journal.log.level == logging.WARNING
    journal.log.level = logging.DEBUG
    logger.debug("first")
    journal.log.level = logging.ERROR
    logger.warning("second")
    assert [line.rpartition(" ")[2] for line in journal.lines()] == ["first"]
    journal.log.level = logging.DEBUG
    journal.log.stop()
    assert logger.getEffectiveLevel() == logging.INFO

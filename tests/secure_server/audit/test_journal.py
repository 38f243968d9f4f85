"""The files: one chain over months, restarts, crashes and processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_server.audit.chain import HEAD, NOTHING, START, Link, read_head
from secure_server.audit.journal import Journal, snapshot
from secure_server.audit.record import Entry, line_of
from secure_server.audit.tail import TAIL_BYTES, trail_files
from secure_server.audit.verify import verify
from tests.secure_server.audit.conftest import MONTH, NOVEMBER, Books

TOLD = "the trail was found broken at"
ROOT = Path(__file__).parents[3]


def outcomes(books: Books) -> list[str]:
    """What the trail says of itself."""
    return [record.outcome for record in books.records() if record.event == "trail"]


def problems(books: Books) -> list[str]:
    """What verify finds, but for what the records themselves tell of breaks."""
    found = [str(problem) for problem in verify(snapshot(books.directory)).problems]
    return [problem for problem in found if TOLD not in problem]


def breaks(books: Books) -> list[str]:
    """The breaks that verify finds, by the file and line where they are told of."""
    found = [str(problem) for problem in verify(snapshot(books.directory)).problems]
    return [problem.partition(": ")[0] for problem in found if TOLD in problem]


def test_records_are_numbered_and_chained(books: Books) -> None:
    """Each names the hash of the line before; the first names zeros; the head names the last."""
    books.write("A", "B")
    books.write("C")
    assert [record.seq for record in books.records()] == [1, 2, 3]
    hashes = [Link.of(0, line).hash for line in books.lines()]
    assert [record.previous for record in books.records()] == [NOTHING, *hashes[:2]]
    assert read_head(books.directory) == Link(3, hashes[2])


def test_files_are_private(books: Books) -> None:
    """0600, all of them."""
    books.write("A")
    assert {path.stat().st_mode & 0o777 for path in books.directory.iterdir()} == {0o600}


def test_a_month_has_a_file_and_the_chain_goes_on(books: Books) -> None:
    """The first record of December links to the last of November, also when one write holds both."""
    books.write("A")
    entries = deque(Entry(moment, "command", "ok") for moment in (NOVEMBER, NOVEMBER + MONTH, NOVEMBER + 2 * MONTH))
    books.journal.append(entries)
    books.journal.sync()
    assert [path.name for path in trail_files(books.directory)] == [
        "audit-2026-11.jsonl",
        "audit-2026-12.jsonl",
        "audit-2027-01.jsonl",
    ]
    assert [record.seq for record in books.records()] == [1, 2, 3, 4]
    assert problems(books) == []


def test_a_clock_set_back_opens_no_old_file(books: Books) -> None:
    """The trail goes on where it ends, also after a restart."""
    books.clock.now += MONTH
    books.write("A")
    books.clock.now -= MONTH
    books.write("B")
    books.write("C", journal=books.another())
    assert [path.name for path in trail_files(books.directory)] == ["audit-2026-12.jsonl"]
    assert problems(books) == []


def test_the_chain_goes_on_after_a_restart(books: Books) -> None:
    """Without a word, where nothing happened; also where the last records were never synced."""
    books.write("A")
    books.write("B", sync=False)
    books.write("C", journal=books.another())
    assert [record.command for record in books.records()] == ["A", "B", "C"]
    assert problems(books) == []


def test_a_torn_record_is_cut_off_and_that_is_recorded(books: Books) -> None:
    """What a kill in the midst of a write leaves; the chain holds."""
    books.write("A", "B")
    with books.file.open("ab") as file:
        file.write(b'{"seq":3,"ti')
    assert len(problems(books)) == 1
    assert "in the middle of a record (12 bytes)" in problems(books)[0]
    books.write("C", journal=books.another())
    assert [(record.event, record.command) for record in books.records()[2:]] == [("trail", ""), ("command", "C")]
    assert dict(books.records()[2].detail) == {"file": books.file.name, "bytes": 12, "text": '{"seq":3,"ti'}
    assert problems(books) == []


def test_what_was_cut_off_leaves_a_gap_for_ever(books: Books) -> None:
    """A server that goes on writing does not cover it: it goes on from the head."""
    books.write("A", "B", "C")
    books.edit(*books.lines()[:1])
    books.write("D", journal=books.another())
    assert outcomes(books) == ["cut"]
    assert [record.seq for record in books.records()] == [1, 4, 5]
    assert problems(books) == ["Records 2 to 3 are missing before audit-2026-11.4.jsonl:1."]
    assert breaks(books) == ["audit-2026-11.4.jsonl:1"]


@pytest.mark.parametrize("live", [True, False])
def test_a_file_that_was_removed_is_noticed(books: Books, live: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """While the server runs, or while it is down."""
    books.write("A", "B")
    books.file.unlink()
    books.write("C", journal=None if live else books.another())
    assert outcomes(books) == ["cut"]
    assert problems(books) == ["Records 1 to 2 are missing before audit-2026-11.3.jsonl:1."]
    assert breaks(books) == ["audit-2026-11.3.jsonl:1"]


def test_a_running_server_notices_what_was_never_synced(books: Books) -> None:
    """It knows what it wrote, whatever the head says."""
    books.write("A")
    books.write("B", "C", sync=False)
    books.edit(*books.lines()[:1])
    books.write("D")
    assert outcomes(books) == ["cut"]
    assert problems(books) == ["Records 2 to 3 are missing before audit-2026-11.4.jsonl:1."]


def test_a_last_record_that_was_changed_stays_evident(books: Books) -> None:
    """The next one carries the hash that the head knew."""
    books.write("A", "B")
    first, second = books.lines()
    books.edit(first, second.replace(b'"B"', b'"X"'))
    books.write("C", journal=books.another())
    assert outcomes(books) == ["changed"]
    assert problems(books) == ["Record 2 (audit-2026-11.jsonl:2) was changed."]
    assert breaks(books) == ["audit-2026-11.3.jsonl:1"]


def test_a_head_that_was_removed_or_damaged_is_recorded(books: Books) -> None:
    """And made anew; but what stands before it nothing vouches for, and that stays so."""
    books.write("A")
    (books.directory / HEAD).unlink()
    assert len(problems(books)) == 1
    books.write("B", journal=books.another())
    (books.directory / HEAD).write_text("nonsense", encoding="utf-8")
    books.write("C", journal=books.another())
    assert outcomes(books) == ["head-missing", "head-damaged"]
    assert breaks(books) == ["audit-2026-11.2.jsonl:1", "audit-2026-11.4.jsonl:1"]
    assert problems(books) == []


def test_a_last_line_that_is_no_record_is_recorded(books: Books) -> None:
    """The chain goes on from the head."""
    books.write("A")
    with books.file.open("ab") as file:
        file.write(b"nonsense\n")
    books.write("B", journal=books.another())
    assert outcomes(books) == ["damaged"]
    assert problems(books) == ["audit-2026-11.jsonl:2 is no record: it was damaged or put there."]


def test_two_processes_write_one_chain(books: Books) -> None:
    """Each goes on from what the other wrote."""
    other = books.another()
    for _ in range(3):
        books.write("A", sync=False)
        books.write("B", journal=other)
    books.journal.sync()
    assert [record.command for record in books.records()] == ["A", "B"] * 3
    assert problems(books) == []
    assert read_head(books.directory) == Link.of(6, books.lines()[-1])


APPEND = """
import sys
from collections import deque
from pathlib import Path
from secure_server.audit.journal import Journal
from secure_server.audit.record import Entry
journal = Journal(Path(sys.argv[1]))
for number in range(50):
    journal.append(deque([Entry(1_795_000_000.0, "command", "ok", command=str(number))]))
journal.sync()
"""


def test_processes_at_once_lose_and_tear_nothing(books: Books) -> None:
    """Real ones, on one file."""
    running = [subprocess.Popen([sys.executable, "-c", APPEND, str(books.directory)], cwd=ROOT) for _ in range(3)]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert len(books.records()) == 150
    assert problems(books) == []


def test_a_full_disk_leaves_no_half_line(books: Books) -> None:
    """What could not be written is still with the caller, and is written when there is room."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource  # noqa: PLC0415 - POSIX only

    books.write("A")
    size = books.file.stat().st_size
    entries = deque([Entry(NOVEMBER, "command", "ok", command="B")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            books.journal.append(entries)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (books.file.stat().st_size, len(entries)) == (size, 1)
    books.journal.append(entries)
    books.journal.sync()
    assert [record.command for record in books.records()] == ["A", "B"]
    assert problems(books) == []


def test_records_are_on_disk_before_the_head_says_so(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power failure in between leaves a head that lags, never one that accuses; also of a new file."""
    synced: list[str] = []
    names = {}
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        names.update({path.stat().st_ino: path.name for path in [*books.directory.iterdir(), books.directory]})
        synced.append(names[os.fstat(descriptor).st_ino])
        fsync(descriptor)

    books.write("A")
    monkeypatch.setattr(os, "fsync", watched)
    books.write("B")
    assert synced == [books.file.name, HEAD]
    synced.clear()
    books.journal.sync()
    assert synced == []
    books.clock.now += MONTH
    books.write("C")
    assert synced == [books.file.name, books.directory.name, HEAD]


def test_a_lock_that_is_held_for_too_long_is_a_failure_to_write(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for another process."""
    from secure_server.audit import journal as module  # noqa: PLC0415 - to shorten its patience
    from secure_server.pki.lock import exclusive_lock  # noqa: PLC0415 - beside it

    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    with exclusive_lock(books.directory / "audit.lock"), pytest.raises(OSError, match="lock for too long"):
        books.write("A")


def test_a_reader_leaves_nothing_behind(books: Books) -> None:
    """Not even a lock, which might be another user's."""
    assert snapshot(books.directory) == ([], None)
    assert list(books.directory.iterdir()) == []


def test_a_directory_that_is_gone_is_a_failure_to_write(tmp_path: Path) -> None:
    """An OSError as any other."""
    with pytest.raises(OSError, match="No such file"):
        Journal(tmp_path / "gone").append(deque([Entry(NOVEMBER, "server", "started")]))


def rewritten(books: Books, *commands: str, head: bool = True) -> None:
    """Do what somebody does who may write to the directory: a trail of his own, consistent in itself."""
    link, lines = START, []
    for command in commands:
        entry = Entry(books.clock(), "command", "ok", "ada", command=command)
        lines.append(line_of(entry, link.seq + 1, link.hash))
        link = Link.of(link.seq + 1, lines[-1])
    books.edit(*lines)
    if not head:
        (books.directory / HEAD).unlink()


def older_copy(books: Books) -> None:
    """Put back the file as it was before its last two records."""
    books.edit(*books.lines()[:-2])


def replaced(books: Books, *commands: str) -> None:
    """Put another file in its place, of the very size and times that it had."""
    before = books.file.stat()
    copy = books.directory / "copy"
    copy.write_bytes(books.file.read_bytes().replace(b'"D"', f'"{commands[0]}"'.encode()))
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    copy.replace(books.file)


ATTACKS: dict[str, tuple[Callable[[Books], object], str]] = {
    "cut off": (lambda books: books.edit(*books.lines()[:2]), "cut"),
    "emptied": (lambda books: books.edit(), "cut"),
    "removed": (lambda books: books.file.unlink(), "cut"),
    "an older copy": (older_copy, "cut"),
    "rewritten, as long": (lambda books: rewritten(books, "A", "X", "C", "D"), "changed"),
    "rewritten, one longer": (lambda books: rewritten(books, "A", "X", "C", "D", "E"), "changed"),
    "rewritten, much longer": (lambda books: rewritten(books, *("X" * 300)), "changed"),
    "rewritten and shorter": (lambda books: rewritten(books, "A", "X"), "cut"),
    "another of the same size": (lambda books: replaced(books, "X"), "changed"),
    "a record put behind without a link": (lambda books: books.edit(*books.lines(), books.lines()[0]), "cut"),
    "the head removed": (lambda books: (books.directory / HEAD).unlink(), "head-missing"),
    "rewritten, and the head removed": (lambda books: rewritten(books, *"XYZAB", head=False), "head-missing"),
    "the head damaged": (lambda books: (books.directory / HEAD).write_text("1:2"), "head-damaged"),
    "a later month put there": (
        lambda books: (books.directory / "audit-2031-01.jsonl").write_bytes(books.lines()[0] + b"\n"),
        "cut",
    ),
}


@pytest.mark.parametrize("live", [True, False], ids=["while it runs", "while it is down"])
@pytest.mark.parametrize("kind", ATTACKS)
def test_nothing_is_appended_to_what_somebody_rewrote(books: Books, kind: str, live: bool) -> None:  # noqa: FBT001 - as above
    """A new file tells of it, and verify for ever: after more records, in the next month, after restarts."""
    books.write("A", "B", "C", "D")
    attack, outcome = ATTACKS[kind]
    attack(books)
    if live and outcome.startswith("head") and "rewritten" not in kind:
        books.write("E")
        assert breaks(books) == []  # who wrote the trail needs no head, and has written it anew
        return
    told: list[str] = []
    writer = books.journal if live else Journal(books.directory, books.clock, told.append)
    writer._on_break = told.append
    left = [path.read_bytes() for path in trail_files(books.directory)]
    books.write("E", journal=writer)
    (where,) = breaks(books)
    assert re.fullmatch(r"audit-20\d\d-\d\d\.\d+\.jsonl:1", where)
    assert [path.read_bytes() for path in trail_files(books.directory)][:-1] == left, "something was appended"
    expected = outcome if not live or "rewritten" not in kind or outcome == "cut" else "changed"
    assert outcomes(books) == [expected]
    assert len(told) == 1
    found = problems(books)
    books.write("F", journal=writer)
    books.write("G", journal=books.another())
    books.clock.now += MONTH
    books.write("H", journal=writer)
    books.write("I", journal=books.another())
    assert (breaks(books), problems(books), outcomes(books)) == ([where], found, [expected])
    assert len(told) == 1


def test_what_stands_behind_a_break_and_what_is_missing_before_it_is_named(books: Books) -> None:
    """Beside the break itself; and what was noted elsewhere is looked for where it belongs."""
    books.write("A", "B", "C")
    noted = [Link.of(seq, line) for seq, line in enumerate(books.lines(), 1)]
    rewritten(books, *"AXCDE")
    books.write("F")
    end = Link.of(5, books.lines()[-1])
    assert problems(books) == ["Records 4 to 5 before audit-2026-11.4.jsonl:1 are not part of the chain."]
    report = verify(snapshot(books.directory), [*noted, end])
    assert report.end == end
    assert [str(problem) for problem in report.problems if "changed" in problem] == [
        "Record 2 (audit-2026-11.jsonl:2) was changed.",
        "Record 3 (audit-2026-11.jsonl:3) was changed.",
    ]


def test_a_second_break_is_told_of_as_well(books: Books) -> None:
    """Each in a file of its own."""
    books.write("A", "B")
    books.edit(books.lines()[0])
    books.write("C")
    books.edit()
    books.write("D", journal=books.another())
    assert [path.name for path in trail_files(books.directory)] == [
        "audit-2026-11.jsonl",
        "audit-2026-11.3.jsonl",
        "audit-2026-11.5.jsonl",
    ]
    assert breaks(books) == ["audit-2026-11.5.jsonl:1"]
    assert problems(books) == ["Records 2 to 4 are missing before audit-2026-11.5.jsonl:1."]


def test_a_record_of_a_break_that_was_removed_is_missed(books: Books) -> None:
    """Whoever removes the file that tells of it makes another break."""
    books.write("A", "B")
    books.edit(books.lines()[0])
    books.write("C")
    books.file.unlink()
    books.write("D", journal=books.another())
    assert breaks(books) == ["audit-2026-11.5.jsonl:1"]


def test_a_break_on_a_full_disk_is_told_of_once_there_is_room(books: Books) -> None:
    """No file is begun for each try, and none is told twice."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import resource  # noqa: PLC0415 - POSIX only

    books.write("A", "B")
    rewritten(books, "X", "Y", "Z")
    entries = deque([Entry(NOVEMBER, "command", "ok", command="B")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                books.journal.append(entries)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in trail_files(books.directory)] == ["audit-2026-11.jsonl"]
    books.journal.append(entries)
    assert outcomes(books) == ["changed"]


def test_records_over_two_months_that_were_never_synced_are_found(books: Books) -> None:
    """The chain is followed back over the files' boundary."""
    books.write("A")
    books.write("B", sync=False)
    books.clock.now += MONTH
    books.write("C", "D", sync=False)
    books.write("E", journal=books.another())
    assert (breaks(books), problems(books)) == ([], [])


def test_a_head_that_could_not_be_filled_is_none(books: Books) -> None:
    """The disk was full when the first of all records was to be written: that is no break."""
    (books.directory / HEAD).touch()
    books.write("A")
    assert (outcomes(books), breaks(books), problems(books)) == ([], [], [])


def test_a_long_end_is_read_back_in_pieces(books: Books) -> None:
    """Lines that lie across the pieces included, and one that is too long for a record."""
    books.write("A")
    for _ in range(3):
        text = "x" * 199
        entries = (Entry(NOVEMBER, "command", "ok", command="B", arguments=[text.encode()] * 32) for _ in range(50))
        books.journal.append(deque(entries))
    assert books.file.stat().st_size > 3 * TAIL_BYTES
    books.write("C", journal=books.another())
    assert (breaks(books), problems(books)) == ([], [])
    with books.file.open("ab") as file:
        file.write(b"x" * 4 * TAIL_BYTES + b"\n")
    books.write("D", journal=books.another())
    assert outcomes(books) == ["damaged"]

"""The output of a job: within bounds, no part lost unsaid, none twice."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_server.jobs.keeping.output import FRAGMENTS, SEGMENT_MOST, SEGMENTS, Output, Room
from secure_server.jobs.keeping.reader import Piece, Reader
from secure_server.jobs.keeping.segments import HEADER, clear, parts_in, segments_in, sizes_in

ROOT = Path(__file__).parents[3]
MOST = 4096
ALL = 10**9
"""Bytes, more than any piece here has."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the output of a job is."""
    return tmp_path / "jobs" / "7"


def part(number: int, size: int = 8) -> bytes:
    """A part of so many bytes that tells its number, as far as there is room for it."""
    return b"%08d" % number + b"x" * (size - 8) if size >= 8 else b"%d" % (number % 10) * size


def on_disk(place: Path) -> int:
    """The bytes that are there."""
    return sum(path.stat().st_size for path in place.iterdir()) if place.exists() else 0


def numbered(reader: Reader, from_: int, upto: int, most: int = ALL) -> Iterator[tuple[int, bytes]]:
    """All parts that there are, each with its number, piece by piece."""
    while from_ < upto:
        piece = reader.read(from_, upto, most)
        assert from_ <= piece.first <= piece.next <= upto
        assert piece.next == piece.first + len(piece.parts)
        assert piece.next > from_
        yield from enumerate(piece.parts, piece.first)
        from_ = piece.next


def told(place: Path, from_: int = 0, upto: int | None = None) -> list[int]:
    """The numbers of the parts that a new reader finds."""
    return [number for number, _ in numbered(Reader(place), from_, parts_in(place) if upto is None else upto)]


def test_what_is_written_is_read(place: Path) -> None:
    """Whole, in order, from any part on, in pieces of any size; and again after a start."""
    output = Output(place, MOST, Room(MOST))
    parts = [part(number, 8 + number % 5) for number in range(100)]
    assert [output.append(each) for each in parts] == list(range(100))
    assert (output.next, output.missing, output.dropped) == (100, 0, 0)
    assert output.written == output.size == on_disk(place) == sum(map(len, parts)) + HEADER * 100
    output.close()
    assert parts_in(place) == 100
    for from_ in (0, 1, 57, 99):
        assert Reader(place).read(from_, 100, ALL) == Piece(from_, parts[from_:], 100)
    for most in (1, 8, 50):
        found = list(numbered(Reader(place), 0, 100, most))
        assert found == list(enumerate(parts))
    assert Reader(place).read(5, 8, ALL) == Piece(5, parts[5:8], 8)
    assert Reader(place).read(100, 100, ALL) == Piece(100, [], 100)


def test_a_piece_has_no_more_than_was_asked_for_and_one_part_at_least(place: Path) -> None:
    """However long that is."""
    output = Output(place, 1 << 20, Room(1 << 20))
    parts = [part(0, 10), part(1, 100_000), part(2, 10), part(3, 10), part(4, 10)]
    for each in parts:
        output.append(each)
    reader = Reader(place)
    assert [reader.read(from_, 5, 20).next for from_ in (0, 1, 2, 4)] == [1, 2, 4, 5]


def test_nothing_is_made_before_something_is_said(place: Path) -> None:
    """A job without output leaves nothing behind."""
    output = Output(place, MOST, Room(MOST))
    output.close()
    assert not place.parent.exists()
    assert Reader(place).read(0, 3, ALL) == Piece(3, [], 3)
    assert (parts_in(place), clear(place), sizes_in(place.parent)) == (0, 0, {})


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
def test_nobody_else_may_read_it(place: Path) -> None:
    """Neither files nor directories."""
    Output(place, MOST, Room(MOST)).append(b"secret")
    for path in (place.parent, place):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "0").stat().st_mode) == 0o600


def test_the_middle_goes(place: Path) -> None:
    """The first half stays, of the rest the newest does; what is on disk is never more than may be."""
    room = Room(ALL)
    output = Output(place, MOST, room)
    for number in range(10_000):
        output.append(part(number))
        if number % 97 == 0:
            assert on_disk(place) == output.size == room.taken <= MOST
    numbers = told(place)
    size = HEADER + 8
    head = MOST // 2 // size
    assert numbers[:head] == list(range(head))
    assert numbers[-1] == 9_999
    rest = numbers[head:]
    assert rest == list(range(rest[0], 10_000))
    assert rest[0] > head
    assert len(rest) * size > MOST // 2 - 2 * MOST // SEGMENTS
    assert output.dropped == 10_000 - len(numbers)
    assert output.missing == 0


def test_what_is_longer_than_all_is_missing(place: Path) -> None:
    """And what is longer than a segment is not; the head ends at what does not fit."""
    output = Output(place, MOST, Room(ALL))
    for number, size in enumerate([8, MOST - HEADER + 1, MOST // 2 + 100, 8, 8]):
        output.append(part(number, size))
    assert told(place) == [0, 2, 3, 4]
    assert (output.missing, output.dropped) == (1, 0)
    output.append(part(5, MOST - HEADER - (HEADER + 8)))
    assert told(place) == [0, 5]
    assert output.dropped == 3


def test_gaps_make_no_more_files_than_may_be(place: Path) -> None:
    """Each begins another one; beyond so many, the middle goes as if the bytes were too many."""
    output = Output(place, MOST, Room(ALL))
    for _ in range(200):
        output.append(part(output.next))
        output.append(b"x" * MOST)
    half = FRAGMENTS * SEGMENTS // 2
    assert segments_in(place) == [*range(0, 2 * half, 2), *range(400 - 2 * half, 400, 2)]
    assert output.missing == 200
    assert output.dropped == 200 - 2 * half


def test_room_has_another_bound_after_a_reload() -> None:
    """What is taken beyond it stays, and it is told anew that there is none left."""
    short: list[None] = []
    room = Room(100, on_short=lambda: short.append(None))
    assert room.take(80)
    room.resize(50)
    assert not room.take(1)
    room.resize(200)
    assert room.take(100)
    assert not room.take(100)
    assert room.taken == 180
    assert len(short) == 2


def test_a_gap_is_passed_over_and_told(place: Path) -> None:
    """A piece ends where parts are missing; the next one begins behind them."""
    room = Room(100)
    output = Output(place, MOST, room)
    for number in range(3):
        output.append(part(number))
    assert room.take(64)
    for number in range(3, 5):
        output.append(part(number))
    room.give(64)
    for number in range(5, 8):
        output.append(part(number))
    assert output.missing == 2
    reader = Reader(place)
    assert reader.read(0, 8, ALL) == Piece(0, [part(0), part(1), part(2)], 3)
    assert reader.read(3, 8, ALL) == Piece(5, [part(5), part(6), part(7)], 8)
    for from_ in (3, 4, 5):
        assert Reader(place).read(from_, 8, ALL).first == 5
        assert Reader(place).read(from_, 5, ALL) == Piece(5, [], 5)
    assert reader.read(3, 4, ALL) == Piece(4, [], 4)
    assert reader.read(4, 6, ALL) == Piece(5, [part(5)], 6)


def test_who_waits_behind_a_gap_goes_on(place: Path) -> None:
    """What is missing at the end is passed over as well, and what comes then is found without looking all over."""
    room = Room(ALL)
    output = Output(place, MOST, room)
    reader = Reader(place)
    output.append(part(0))
    assert reader.read(0, 1, ALL).next == 1
    room.take(ALL - room.taken)
    for number in range(1, 4):
        output.append(part(number))
        assert reader.read(number, number + 1, ALL) == Piece(number + 1, [], number + 1)
    room.give(ALL // 2)
    output.append(part(4))
    assert reader.read(4, 5, ALL) == Piece(4, [part(4)], 5)


@settings(deadline=None)
@given(
    most=st.integers(1, 400),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 60)),
            st.tuples(st.just("room"), st.integers(0, 300)),
            st.tuples(st.just("read"), st.integers(0, 2), st.integers(1, 100)),
            st.tuples(st.just("jump"), st.integers(0, 2), st.integers(0, 80)),
            st.tuples(st.just("end")),
        ),
        max_size=120,
    ),
)
def test_no_part_is_lost_or_repeated(most: int, steps: list[tuple[str, *tuple[int, ...]]]) -> None:
    """Whatever is written, whatever room there is, whoever reads from where at the same time."""
    with TemporaryDirectory() as temporary:
        place = Path(temporary) / "jobs" / "1"
        room = Room(ALL)
        others = 0
        output = Output(place, most, room)
        written: list[bytes] = []
        could: list[bool] = []
        readers = [(Reader(place), 0) for _ in range(3)]
        for step, *values in steps:
            if step == "append":
                missing = output.missing
                data = part(len(written), values[0])
                assert output.append(data) == len(written)
                written.append(data)
                could.append(output.missing == missing)
            elif step == "room":
                room.give(others)
                others = ALL - room.taken - values[0] if values[0] < 200 else 0
                assert room.take(others)
            elif step == "end":
                output.close()
            else:
                reader, at = readers[values[0]]
                if step == "jump":
                    readers[values[0]] = (reader, values[1])
                    continue
                piece = reader.read(at, output.next, values[1])
                assert piece.next == piece.first + len(piece.parts)
                assert piece.first >= at
                assert piece.parts == written[piece.first : piece.next]
                assert piece.next > at or at >= output.next
                assert len(piece.parts) == 1 or sum(map(len, piece.parts)) <= values[1]
                readers[values[0]] = (reader, piece.next)
            assert on_disk(place) == output.size == room.taken - others <= most
        segments = segments_in(place)
        assert len(segments) <= 2 * max(1, FRAGMENTS * most // max(1, most // SEGMENTS) // 2)
        found = list(numbered(Reader(place), 0, output.next))
        assert all(data == written[number] for number, data in found)
        numbers = [number for number, _ in found]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == output.next - output.missing - output.dropped
        assert all(could[number] for number in numbers)
        head, size = [], 0
        for number, data in enumerate(written):
            if could[number]:
                size += HEADER + len(data)
                if size > most // 2:
                    break
                head.append(number)
        assert numbers[: len(head)] == head
        if could and could[-1]:
            assert numbers[-1] == len(written) - 1
        for from_ in range(output.next):
            assert told(place, from_, output.next) == [number for number in numbers if number >= from_]


def failing(place: Path, output: Output, call: str, error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system refuse a call once, for the part that is said then."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, refuse)
        output.append(part(output.next))


@pytest.mark.parametrize("call", ["write", "open"])
def test_a_full_disk_stops_nothing(place: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is missing; from then on all goes on, and no empty files are left."""
    room = Room(ALL)
    output = Output(place, MOST, room)
    failing(place, output, call, errno.ENOSPC, monkeypatch)
    for _ in range(3):
        output.append(part(output.next))
    output.close()
    for _ in range(3):
        failing(place, output, call, errno.ENOSPC, monkeypatch)
    output.append(part(output.next))
    assert told(place) == [1, 2, 3, 7]
    assert output.missing == 4
    assert segments_in(place) == [1, 7]
    assert room.taken == output.size == on_disk(place)


def test_what_was_written_by_half_is_taken_back(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes a part of it, then says that the disk is full."""
    output = Output(place, MOST, Room(ALL))
    output.append(part(0))
    whole = os.write
    calls = 0

    def half(descriptor: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.ENOSPC, "full")
        return whole(descriptor, data[:6])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", half)
        output.append(part(1))
    output.append(part(2))
    assert told(place) == [0, 2]
    assert output.size == on_disk(place)


def test_what_the_system_takes_in_parts_is_written_whole(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it may."""
    output = Output(place, MOST, Room(ALL))
    whole = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:5]))
        output.append(part(0, 100))
        output.append(part(1, 100))
    assert Reader(place).read(0, 2, ALL).parts == [part(0, 100), part(1, 100)]


@pytest.mark.parametrize("tail", [b"\x00", b"\x00\x00\x00\x08", b"\x00\x00\x00\x08abc", b"\x00" * 4096, b"\xff" * 9])
def test_a_torn_part_is_not_there(place: Path, tail: bytes) -> None:
    """What a server that was killed, or a power failure, left at the end of a file."""
    output = Output(place, MOST, Room(ALL))
    for number in range(3):
        output.append(part(number))
    output.close()
    with (place / "0").open("ab") as file:
        file.write(tail)
    assert parts_in(place) == 3
    for upto in (3, 4):
        assert told(place, 0, upto) == [0, 1, 2]
    assert Reader(place).read(2, 4, ALL) == Piece(2, [part(2)], 3)
    assert Reader(place).read(3, 4, ALL) == Piece(4, [], 4)


WRITER = """
import pathlib, sys
from secure_server.jobs.keeping.output import Output, Room
output = Output(pathlib.Path(sys.argv[1]), int(sys.argv[2]), Room(10**9))
print("begins", flush=True)
while True:
    output.append(b"%08d" % output.next + b"x" * (output.next * 7919 % 3000))
"""
"""Writes parts without end."""


def content(number: int) -> bytes:
    """What it writes."""
    return b"%08d" % number + b"x" * (number * 7919 % 3000)


def killed(place: Path, most: int, until: Callable[[], bool]) -> None:
    """Kill a writer in the middle of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place), str(most)],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        writer.stdout.readline()
        while not until():
            pass
        writer.kill()


def test_who_is_killed_leaves_a_prefix(place: Path) -> None:
    """All parts from the first to some last one, each whole."""
    killed(place, 1 << 30, lambda: on_disk(place) > 2_000_000)
    count = parts_in(place)
    assert count > 0
    found = list(numbered(Reader(place), 0, count, 64 * 1024))
    assert found == [(number, content(number)) for number in range(count)]
    assert sizes_in(place.parent) == {7: on_disk(place)}


@pytest.mark.long
def test_who_is_killed_leaves_head_and_tail(place: Path) -> None:
    """Again and again, while the middle is dropped: what there is is whole, and no more than may be."""
    most = 50_000
    for round_ in range(40):
        killed(place, most, lambda least=round_ * 5: parts_in_or_none(place) > 100 + least)  # type: ignore[misc] # mypy cannot infer the default
        assert on_disk(place) <= most + 3000 + HEADER + 8
        found = list(numbered(Reader(place), 0, parts_in(place)))
        assert all(data == content(number) for number, data in found)
        assert found[0][0] == 0
        assert found[-1][0] == parts_in(place) - 1
        clear(place)


def parts_in_or_none(place: Path) -> int:
    """As `parts_in`, where a writer may remove what is looked at."""
    try:
        return parts_in(place)
    except FileNotFoundError:
        return 0


def test_who_reads_while_it_is_written_finds_whole_parts(place: Path) -> None:
    """A thread writes, dropping the middle; another follows, and is told numbers and bytes that fit, in order."""
    output = Output(place, 64 * 1024, Room(ALL))
    total = 20_000
    problems: list[str] = []

    def follow() -> None:
        reader, at, found = Reader(place), 0, 0
        while at < total:
            piece = reader.read(at, output.next, 4096)
            if piece.first < at or piece.next != piece.first + len(piece.parts):
                problems.append(f"{at}: {piece}")
            problems.extend(
                f"{number} is {data!r}" for number, data in enumerate(piece.parts, piece.first) if data != part(number)
            )
            at = piece.next
            found += len(piece.parts)
        if not found:
            problems.append("nothing")

    thread = threading.Thread(target=follow)
    thread.start()
    for number in range(total):
        output.append(part(number))
    thread.join(60)
    assert not thread.is_alive()
    assert problems == []


def test_reading_on_looks_nothing_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follow is linear: the directory is listed at the ends of segments alone, and no byte is read twice."""
    most = 1 << 20
    output = Output(place, most, Room(ALL))
    count = 10_000
    for number in range(count):
        output.append(part(number, 40))
    listed, read = 0, 0
    names, whole = os.listdir, os.read

    def listing(path: Path) -> list[str]:
        nonlocal listed
        listed += 1
        return names(path)

    def reading(descriptor: int, size: int) -> bytes:
        nonlocal read
        data = whole(descriptor, size)
        read += len(data)
        return data

    monkeypatch.setattr(os, "listdir", listing)
    monkeypatch.setattr(os, "read", reading)
    assert len(list(numbered(Reader(place), 0, count, 16 * 1024))) == count
    segments = len(segments_in(place))
    assert listed <= segments + 2
    assert read < 1.6 * output.size


def test_who_begins_in_the_middle_reads_one_segment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not what was said before it."""
    output = Output(place, MOST, Room(ALL))
    for number in range(200):
        output.append(part(number))
    assert len(segments_in(place)) > 5
    opened: list[str] = []
    whole = os.open

    def opening(path: str | Path, *rest: int, **more: int) -> int:
        opened.append(Path(path).name)
        return whole(path, *rest, **more)

    monkeypatch.setattr(os, "open", opening)
    assert Reader(place).read(180, 181, ALL) == Piece(180, [part(180)], 181)
    assert len(opened) == 2
    assert len(set(opened)) == 1


def test_what_is_dropped_before_a_reader_came_to_it_is_a_gap(place: Path) -> None:
    """Though that reader stood in the middle of it."""
    output = Output(place, MOST, Room(ALL))
    count = MOST // (HEADER + 8)
    for number in range(count):
        output.append(part(number))
    reader = Reader(place)
    at = segments_in(place)[-4] + 2
    assert reader.read(at, count, 1) == Piece(at, [part(at)], at + 1)
    for number in range(count, 2 * count):
        output.append(part(number))
    piece = reader.read(at + 1, output.next, 1)
    assert piece.first == min(segment for segment in segments_in(place) if segment > at)
    assert piece.parts == [part(piece.first)]


def test_what_is_dropped_while_a_reader_looks_for_it_is_a_gap(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was listed, and is gone when it is opened."""
    output = Output(place, MOST, Room(ALL))
    for number in range(100):
        output.append(part(number))
    segments = segments_in(place)

    def list_and_drop(directory: Path) -> list[int]:
        found = segments_in(directory)
        (place / str(segments[2])).unlink(missing_ok=True)
        return found

    monkeypatch.setattr("secure_server.jobs.keeping.reader.segments_in", list_and_drop)
    assert Reader(place).read(segments[2] + 1, 100, 1).first == segments[3]


def test_an_error_while_reading_loses_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no descriptors for a moment, who tries again gets all."""
    output = Output(place, 400, Room(ALL))
    for number in range(10):
        output.append(part(number))
    reader = Reader(place)
    assert len(segments_in(place)) > 3
    assert reader.read(0, 10, 1) == Piece(0, [part(0)], 1)
    names = os.listdir
    calls = 0

    def listing(path: Path) -> list[str]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(errno.EMFILE, "too many")
        return names(path)

    monkeypatch.setattr(os, "listdir", listing)
    with pytest.raises(OSError, match="too many"):
        reader.read(1, 10, ALL)
    assert reader.read(1, 10, ALL) == Piece(1, [part(number) for number in range(1, 10)], 10)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_no_link_is_followed(place: Path, tmp_path: Path) -> None:
    """Neither to write nor to read."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"\x00\x00\x00\x06secret")
    output = Output(place, 400, Room(ALL))
    output.append(part(0))
    output.close()
    (place / "1").symlink_to(victim)
    output.append(part(1))
    assert output.missing == 1
    assert victim.read_bytes() == b"\x00\x00\x00\x06secret"
    with pytest.raises(OSError, match="is a link"):
        Reader(place).read(1, 2, ALL)
    clear(place)
    assert victim.exists()


def test_room_is_shared(tmp_path: Path) -> None:
    """What one job takes is missing for another, until it is cleared."""
    room = Room(100)
    one, other = (Output(tmp_path / "jobs" / name, 80, room) for name in "12")
    for number in range(3):
        one.append(part(number))
    for number in range(10):
        other.append(part(number))
    assert other.missing > 0
    assert room.taken == one.size + other.size <= 100
    assert sizes_in(tmp_path / "jobs") == {1: one.size, 2: other.size}
    one.close()
    freed = clear(tmp_path / "jobs" / "1")
    assert freed == one.size
    room.give(freed)
    assert room.taken == other.size
    assert sizes_in(tmp_path / "jobs") == {2: other.size}
    missing = other.missing
    other.append(part(10))
    assert other.missing == missing


def test_who_clears_is_told_once_that_room_is_short() -> None:
    """Not for each part that is missing; again when something was given back, and was not enough."""
    told: list[int] = []
    room = Room(10, 8, lambda: told.append(room.taken))
    assert [room.take(size) for size in (3, 3, 2, 1)] == [False, False, True, False]
    assert told == [8]
    room.give(1)
    assert not room.take(5)
    assert told == [8, 9]


def test_what_another_job_left_is_not_read_as_ones_own(place: Path) -> None:
    """A number comes again where somebody put an older database in place."""
    old = Output(place, 400, Room(ALL))
    for number in range(30):
        old.append(part(number))
    old.close()
    output = Output(place, 400, Room(ALL))
    output.append(b"new")
    assert Reader(place).read(0, 1, ALL) == Piece(0, [b"new"], 1)
    assert parts_in(place) == 1


def test_a_directory_that_was_removed_is_made_again(place: Path) -> None:
    """What was there is missing, what comes is not."""
    output = Output(place, 400, Room(ALL))
    output.append(part(0))
    clear(place)
    for number in range(1, 20):
        output.append(part(number))
    assert told(place)[-1] == 19


def test_sizes_are_of_jobs_alone(tmp_path: Path) -> None:
    """Whatever else somebody put there."""
    root = tmp_path / "jobs"
    Output(root / "12", 400, Room(ALL)).append(b"12345678")
    (root / "notes.txt").write_text("x")
    (root / "007").mkdir()
    (root / "13").write_text("x")
    assert sizes_in(root) == {12: 12}


@pytest.mark.long
def test_a_gigabyte_takes_no_more_than_may_be(place: Path) -> None:
    """Neither on disk nor in memory."""
    resource = pytest.importorskip("resource")
    most = 10 << 20
    output = Output(place, most, Room(ALL))
    line = b"$64\r\n" + b"x" * 64 + b"\r\n"
    block = b"$65536\r\n" + b"x" * 65536 + b"\r\n"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    highest = 0
    while output.written < 1 << 30:
        for _ in range(16):
            output.append(block)
            output.append(line)
        highest = max(highest, output.size)
    assert highest <= most
    assert on_disk(place) <= most
    assert len(segments_in(place)) <= FRAGMENTS * SEGMENTS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < SEGMENT_MOST * 16 // 1024

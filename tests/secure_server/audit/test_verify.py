"""Every way of tampering is found and named."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from secure_server.audit.chain import HEAD, START, Link, write_head
from secure_server.audit.journal import snapshot
from secure_server.audit.verify import verify
from tests.secure_server.audit.conftest import MONTH, Books

Lines = list[bytes]
NAME = "audit-2026-11.jsonl"


def problems(books: Books, *expected: Link) -> list[str]:
    """What verify says."""
    return [str(problem) for problem in verify(snapshot(books.directory), expected).problems]


def changed(line: bytes, **fields: object) -> bytes:
    """A record with other fields."""
    return json.dumps(json.loads(line) | fields, separators=(",", ":")).encode()


def swap(lines: Lines, one: int, other: int) -> Lines:
    """Two records in each other's place."""
    result = list(lines)
    result[one], result[other] = result[other], result[one]
    return result


TAMPERING: dict[str, tuple[Callable[[Lines], Lines], list[str]]] = {
    "nothing": (lambda lines: lines, []),
    "one changed": (
        lambda lines: [*lines[:2], changed(lines[2], who="eve"), *lines[3:]],
        [f"Record 3 ({NAME}:3) was changed."],
    ),
    "the first changed": (
        lambda lines: [changed(lines[0], who="eve"), *lines[1:]],
        [f"Record 1 ({NAME}:1) was changed."],
    ),
    "the last changed": (
        lambda lines: [*lines[:-1], changed(lines[-1], who="eve")],
        [f"Record 6 ({NAME}:6) was changed."],
    ),
    "its link changed": (
        lambda lines: [*lines[:2], changed(lines[2], previous="f" * 64), *lines[3:]],
        [f"Record 3 ({NAME}:3) was changed."],
    ),
    "two neighbours changed": (
        lambda lines: [*lines[:2], changed(lines[2], who="eve"), changed(lines[3], who="eve"), *lines[4:]],
        [f"Record 4 ({NAME}:4) was changed."],
    ),
    "one removed": (lambda lines: lines[:2] + lines[3:], [f"Record 3 is missing before {NAME}:3."]),
    "several removed": (lambda lines: lines[:1] + lines[4:], [f"Records 2 to 4 are missing before {NAME}:2."]),
    "the first removed": (lambda lines: lines[1:], [f"Record 1 is missing before {NAME}:1."]),
    "the last removed": (lambda lines: lines[:-1], ["Record 6 is missing at the end."]),
    "the end cut off": (lambda lines: lines[:2], ["Records 3 to 6 are missing at the end."]),
    "all removed": (lambda _: [], ["Records 1 to 6 are missing at the end."]),
    "neighbours swapped": (lambda lines: swap(lines, 2, 3), [f"Record 4 ({NAME}:3) stands in the wrong place."]),
    "the last two swapped": (lambda lines: swap(lines, 4, 5), [f"Record 6 ({NAME}:5) stands in the wrong place."]),
    "one moved back": (
        lambda lines: [lines[0], lines[2], lines[3], lines[4], lines[1], lines[5]],
        [f"Record 2 ({NAME}:5) stands in the wrong place."],
    ),
    "one moved forward": (
        lambda lines: [lines[0], lines[4], lines[1], lines[2], lines[3], lines[5]],
        [f"Record 5 ({NAME}:2) stands in the wrong place."],
    ),
    "a copy inserted": (
        lambda lines: [*lines[:4], lines[1], *lines[4:]],
        [f"Record 2 ({NAME}:5) was inserted: it is not part of the chain."],
    ),
    "a forgery inserted before its number's own": (
        lambda lines: [*lines[:2], changed(lines[2], who="eve"), *lines[2:]],
        [f"Record 3 ({NAME}:3) was inserted: it is not part of the chain."],
    ),
    "a forgery inserted after its number's own": (
        lambda lines: [*lines[:3], changed(lines[2], who="eve"), *lines[3:]],
        [f"Record 3 ({NAME}:4) was inserted: it is not part of the chain."],
    ),
    "a forgery without a link": (
        lambda lines: [*lines[:2], changed(lines[2], who="eve", previous="0" * 64), *lines[2:]],
        [f"Record 3 ({NAME}:3) was inserted: it is not part of the chain."],
    ),
    "one with a number of its own inserted": (
        lambda lines: [*lines[:2], changed(lines[2], seq=99), *lines[2:]],
        [f"Record 99 ({NAME}:3) was inserted: it is not part of the chain."],
    ),
    "nonsense inserted": (
        lambda lines: [*lines[:2], b"nonsense", *lines[2:]],
        [f"{NAME}:3 is no record: it was damaged or put there."],
    ),
    "one made nonsense": (
        lambda lines: [*lines[:2], b"nonsense", *lines[3:]],
        [
            f"{NAME}:3 is no record: it was damaged or put there.",
            f"Record 3 is missing before {NAME}:4.",
        ],
    ),
}


@pytest.mark.parametrize("kind", TAMPERING)
def test_each_kind_of_tampering_is_named(books: Books, kind: str) -> None:
    """With its number, its file and its line, and nothing else is accused."""
    books.write("A", "B", "C", "D", "E", "F")
    tamper, said = TAMPERING[kind]
    books.edit(*tamper(books.lines()))
    assert problems(books) == said


def test_a_cut_within_the_last_record_is_found(books: Books) -> None:
    """Half a line, and its number missing."""
    books.write("A", "B")
    books.file.write_bytes(books.file.read_bytes()[:-5])
    torn, missing = problems(books)
    assert torn.startswith(f"{NAME}:2 ends in the middle of a record (")
    assert missing == "Record 2 is missing at the end."


def test_a_removed_month_is_found(books: Books) -> None:
    """Between two others."""
    books.write("A")
    books.clock.now += MONTH
    books.write("B")
    december = books.file
    books.clock.now += MONTH
    books.write("C")
    assert problems(books) == []
    december.unlink()
    assert problems(books) == ["Record 2 is missing before audit-2027-01.jsonl:1."]


def test_no_head_cannot_vouch_for_the_end(books: Books) -> None:
    """That is a problem of its own: it may hide a cut."""
    books.write("A")
    (books.directory / HEAD).unlink()
    assert problems(books) == [
        "audit.head is missing or damaged: whether records at the end were removed cannot be told."
    ]


def test_a_head_set_back_with_the_end_is_found_by_what_was_noted_elsewhere(books: Books) -> None:
    """Who can write both files deceives verify alone, and not verify with a noted head."""
    books.write("A", "B", "C")
    noted = verify(snapshot(books.directory)).end
    assert noted == Link.of(3, books.lines()[2])
    assert problems(books, noted) == []
    books.edit(*books.lines()[:2])
    write_head(books.directory, Link.of(2, books.lines()[1]))
    assert problems(books) == []
    assert problems(books, noted) == ["Record 3 is missing at the end."]


def test_a_trail_made_anew_is_found_by_what_was_noted_elsewhere(books: Books) -> None:
    """Consistent in itself, and not the same."""
    books.write("A", "B")
    noted = verify(snapshot(books.directory)).end
    for path in books.directory.iterdir():
        path.unlink()
    books.write("A", "X", "C", journal=books.another())
    assert problems(books) == []
    assert problems(books, noted) == [f"Record 2 ({NAME}:2) was changed."]


def test_records_behind_the_head_are_fine(books: Books) -> None:
    """A kill between a write and its sync leaves them."""
    books.write("A")
    books.write("B", sync=False)
    assert problems(books) == []
    assert verify(snapshot(books.directory)).end.seq == 2


def test_an_empty_directory_is_intact(books: Books) -> None:
    """Nothing was recorded yet."""
    report = verify(snapshot(books.directory))
    assert (report.problems, report.records, report.end) == ([], 0, START)


def test_whatever_is_done_to_the_lines_is_found(books: Books) -> None:
    """Random changes, removals, copies and shuffles never pass for intact."""
    books.write(*map(str, range(12)))
    whole = books.lines()
    chance = random.Random(1)  # noqa: S311 - reproducible
    for _ in range(300):
        lines = list(whole)
        for _ in range(chance.randint(1, 3)):
            index = chance.randrange(len(lines))
            match chance.randrange(4):
                case 0:
                    lines[index] = lines[index].replace(b'"ada"', b'"eve"')
                case 1:
                    del lines[index]
                case 2:
                    lines.insert(chance.randrange(len(lines)), lines[index])
                case _:
                    lines.insert(chance.randrange(len(lines)), lines.pop(index))
        books.edit(*lines)
        assert bool(problems(books)) == (lines != whole)


def test_the_order_of_the_files_is_that_of_the_months(books: Books) -> None:
    """Over years, the chain is followed as it was written."""
    for _ in range(14):
        books.write("A")
        books.clock.now += MONTH
    numbers = [record.seq for record in books.records()]
    assert all(one < other for one, other in pairwise(numbers))
    assert problems(books) == []

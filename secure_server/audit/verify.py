"""Verifying the trail: what was changed, removed, reordered, inserted or cut off, and where.

Record n+1 carries the hash of record n, so a record that was changed does not match what the next one says of it; the
numbers show what is missing and what stands in the wrong place; the head shows what the end lacks. A record that tells
of a break is a problem for ever, and begins a part of its own, which links to what was known before. The trail is read
once and never held: it may be long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import START, Link
from secure_server.audit.journal import Snapshot
from secure_server.audit.reading import Line, lines
from secure_server.audit.record import Record
from secure_server.audit.tail import BREAKS

ASIDE = 1_000
"""Records held that came too early; who shuffles more finds the rest called missing, and inserted where they are."""


@dataclass
class Report:
    """What was found.

    Attributes:
        problems: each names the record by its number, its file and its line.
        records, files: how many there are.
        end: the last record, to be noted down elsewhere.
        lost: records that could not be written, as the others tell.
    """

    problems: list[Sentence] = field(default_factory=list)
    records: int = 0
    files: int = 0
    end: Link = START
    lost: int = 0


def verify(snapshot: Snapshot, expected: Sequence[Link] = ()) -> Report:
    """Read the whole trail and find what is wrong with it.

    Args:
        snapshot: the trail.
        expected: places that were noted down elsewhere: each must still be there.

    Raises:
        OSError: a file cannot be read.
    """
    report = Report(files=len(snapshot.files))
    vouched = [*filter(None, [snapshot.head]), *expected]
    walk = _Walk(report, vouched)
    before: _Place | None = None
    for place in _places(snapshot, report):
        if before is not None:
            walk.take(before, None if place.tells else place)
        if place.tells:
            known = Link(place.link.seq - 1, place.previous)
            walk.break_off(known, place.where)
            report.problems.append(place.tells)
            vouched = [link for link in vouched if link.seq > known.seq]
            walk = _Walk(report, vouched, known)
        before = place
    if before is not None:
        walk.take(before, None)
    walk.end()
    if snapshot.head is None and snapshot.files:
        report.problems.append(
            Sentence("audit.head is missing or damaged: whether records at the end were removed cannot be told.")
        )
    return report


class _Place(NamedTuple):
    """A record and where it stands."""

    where: str
    """File and line, as one opens it in an editor."""
    link: Link
    previous: str
    tells: Sentence | None = None
    """Of a break."""


def _places(snapshot: Snapshot, report: Report) -> Iterator[_Place]:
    for line in lines(snapshot):
        where = f"{line.path.name}:{line.number}"
        if not line.whole:
            report.problems.append(_torn(line, where))
        elif line.record is None:
            report.problems.append(Sentence("{where} is no record: it was damaged or put there.", where=where))
        else:
            report.records += 1
            report.lost += _lost(line.record)
            yield _Place(where, Link.of(line.record.seq, line.text), line.record.previous, _told(line.record, where))


def _lost(record: Record) -> int:
    """Return how many others a record tells that could not be written."""
    told = {"resumed": "lost", "lost": "count"}.get(record.outcome, "") if record.event == "trail" else ""
    count = record.detail.get(told)
    return count if isinstance(count, int) else 0


def _told(record: Record, where: str) -> Sentence | None:
    """Return what a record tells of a break."""
    why = BREAKS.get(record.outcome) if record.event == "trail" else None
    if why is None:
        return None
    return Sentence(
        "{where}: the trail was found broken at {time}: {why}. Nothing vouches for what stands before.",
        where=where,
        time=record.time,
        why=why,
    )


def _torn(line: Line, where: str) -> Sentence:
    return Sentence(
        "{where} ends in the middle of a record ({count} bytes): it was cut off, or a crash left it so; whatever "
        "appends next mends it and says so.",
        where=where,
        count=len(line.text),
    )


class _Walk:
    """Follows the chain.

    Args:
        report: takes the problems.
        vouched: links known from elsewhere than the lines.
        start: what the first record links to.
    """

    def __init__(self, report: Report, vouched: Sequence[Link], start: Link = START) -> None:
        self._report = report
        self._vouched = vouched
        self._known = {link.seq: link.hash for link in vouched}
        self._met: dict[int, _Place] = {}  # of those vouched for
        self._top = start.seq
        self._last: list[_Place] = []  # those with that number: more than one where one was inserted
        if start != START:
            self._last.append(_Place("", start, ""))
        self._aside: dict[int, _Place] = {}
        self._gaps: list[tuple[int, int, str]] = []  # first, last, and where they should have been
        self._accused: set[str] = set()

    def take(self, place: _Place, following: _Place | None) -> None:
        """Look at the next record, knowing the one after it."""
        seq, wanted = place.link.seq, self._top + 1
        if seq == wanted:
            if self._is_double(place, following):
                self._insert(place)
            else:
                self._advance(place, following)
        elif seq > wanted:
            early = following is not None and wanted <= following.link.seq < seq
            if early and len(self._aside) < ASIDE:
                self._aside.setdefault(seq, place)
            else:
                self._jump(place)
        elif seq == self._top:
            self._last.append(place)
        elif not self._fill(place):
            self._insert(place)
        while (held := self._aside.pop(self._top + 1, None)) is not None:
            self._misplace(held)
            self._advance(held, None)

    def break_off(self, known: Link, where: str) -> None:
        """Say what is still open of the part before a break.

        Args:
            known: what that part should have ended with.
            where: the break is told of.
        """
        self._vouched = [link for link in self._vouched if link.seq <= min(known.seq, self._top)]
        if self._top == known.seq and self._last and all(item.link != known for item in self._last):
            self._accuse(self._last[0])
        self.end()
        if self._top < known.seq:
            self._report.problems.append(_missing(self._top + 1, known.seq, where))
        elif self._top > known.seq:
            self._report.problems.append(_surplus(known.seq + 1, self._top, where))

    def end(self) -> None:
        """There is no more: say what is still open."""
        for place in self._aside.values():
            if not self._fill(place):
                self._insert(place)
        self._report.problems += [_missing(first, last, where) for first, last, where in self._gaps]
        for link in dict.fromkeys(self._vouched):
            met = self._met.get(link.seq)
            if link.seq > self._top:
                self._report.problems.append(_missing(self._top + 1, link.seq, ""))
            elif met is not None and all(item.link != link for item in [met, *self._last]):
                self._accuse(met)
        if self._last:
            self._keep_one(self._known.get(self._top))
            self._report.end = self._last[0].link

    def _advance(self, place: _Place, following: _Place | None) -> None:
        if any(item.link.hash == place.previous for item in self._last):
            self._keep_one(place.previous)
        elif not self._last:
            if self._top == START.seq and place.previous != START.hash:
                self._accuse(place)
        elif self._believable(place, following):
            for item in self._last:
                self._accuse(item)
        else:
            self._accuse(place)
        self._set(place)

    def _keep_one(self, hash_: str | None) -> None:
        """Of several records with the last number, keep the first with that hash; the others were inserted."""
        kept = next((item for item in self._last if item.link.hash == hash_), self._last[0])
        for item in self._last:
            if item is not kept:
                self._insert(item)
        self._last = [kept]

    def _jump(self, place: _Place) -> None:
        if self._last:
            self._keep_one(self._known.get(self._top))
        self._gaps.append((self._top + 1, place.link.seq - 1, place.where))
        self._set(place)

    def _set(self, place: _Place) -> None:
        self._top, self._last = place.link.seq, [place]
        if self._top in self._known:
            self._met[self._top] = place

    def _is_double(self, place: _Place, following: _Place | None) -> bool:
        """Whether the next record has the same number and, unlike this one, fits what came before."""
        fitting = {item.link.hash for item in self._last} or {START.hash}
        return (
            following is not None
            and following.link.seq == place.link.seq
            and place.previous not in fitting
            and following.previous in fitting
        )

    def _believable(self, place: _Place, following: _Place | None) -> bool:
        """Whether it is the record before this one that was changed, rather than what this one says of it."""
        if any(self._known.get(self._top) == item.link.hash or item.where in self._accused for item in self._last):
            return any(item.where in self._accused for item in self._last)
        if following is not None and following.link.seq == place.link.seq + 1:
            return following.previous == place.link.hash
        return self._known.get(place.link.seq, place.link.hash) == place.link.hash

    def _fill(self, place: _Place) -> bool:
        """Whether the record is one of those missing; then it stands in the wrong place."""
        seq = place.link.seq
        for index, (first, last, where) in enumerate(self._gaps):
            if first <= seq <= last:
                rest = [(first, seq - 1, where), (seq + 1, last, where)]
                self._gaps[index : index + 1] = [gap for gap in rest if gap[0] <= gap[1]]
                self._misplace(place)
                return True
        return False

    def _accuse(self, place: _Place) -> None:
        if place.where not in self._accused:
            self._accused.add(place.where)
            self._report.problems.append(
                Sentence("Record {seq} ({where}) was changed.", seq=place.link.seq, where=place.where)
            )

    def _insert(self, place: _Place) -> None:
        self._report.problems.append(
            Sentence(
                "Record {seq} ({where}) was inserted: it is not part of the chain.",
                seq=place.link.seq,
                where=place.where,
            )
        )

    def _misplace(self, place: _Place) -> None:
        self._report.problems.append(
            Sentence("Record {seq} ({where}) stands in the wrong place.", seq=place.link.seq, where=place.where)
        )


def _missing(first: int, last: int, where: str) -> Sentence:
    if first == last:
        if not where:
            return Sentence("Record {seq} is missing at the end.", seq=first)
        return Sentence("Record {seq} is missing before {where}.", seq=first, where=where)
    if not where:
        return Sentence("Records {first} to {last} are missing at the end.", first=first, last=last)
    return Sentence("Records {first} to {last} are missing before {where}.", first=first, last=last, where=where)


def _surplus(first: int, last: int, where: str) -> Sentence:
    if first == last:
        return Sentence("Record {seq} before {where} is not part of the chain.", seq=first, where=where)
    return Sentence(
        "Records {first} to {last} before {where} are not part of the chain.", first=first, last=last, where=where
    )

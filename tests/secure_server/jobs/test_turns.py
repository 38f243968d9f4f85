"""What may run beside what, and whose turn it is: whatever comes, waits, ends and is lost, in whatever order."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from secure_server.jobs.turns import Busy, Go, NoRoomToWaitError, Turns, Wants
from secure_server.limits.share import may_take

THREADS, ROOM = 4, 12
SLOTS = {"BUILD": 1, "DEPLOY": 2, "TAIL": None}
LOCKS = ("", "a", "b")


class Model(RuleBasedStateMachine):
    """All that can happen, and what is always so."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns(THREADS, ROOM)
        self.next = 1
        self.running: dict[int, Wants] = {}
        self.waiting: dict[int, Wants] = {}
        self.lost: dict[int, Wants] = {}

    @rule(command=st.sampled_from(list(SLOTS)), line=st.sampled_from("ABC"), lock=st.sampled_from(LOCKS))
    def come(self, command: str, line: str, lock: str) -> None:
        """A job is started: it begins, waits or is refused."""
        wants = Wants(self.next, command, line, SLOTS[command], lock)
        self.next += 1
        answer = self.turns.ask(wants)
        if isinstance(answer, Go):
            with pytest.raises(ValueError, match="need not wait"):
                self.turns.wait(wants)
            begun = self.turns.begin(wants)
            self.began(wants)
            for number in begun:
                self.began(self.waiting.pop(number))
            return
        self.is_true(answer, wants)
        with pytest.raises(ValueError, match="cannot begin"):
            self.turns.begin(wants)
        mine = sum(other.line == line for other in self.waiting.values())
        if may_take(mine, ROOM - len(self.waiting)):
            self.turns.wait(wants)
            self.waiting[wants.number] = wants
        else:
            with pytest.raises(NoRoomToWaitError):
                self.turns.wait(wants)

    def is_true(self, busy: Busy, wants: Wants) -> None:
        """Who is said to have what one wants, has it or waits for it."""
        there = {**self.running, **self.waiting, **self.lost}
        if busy.why == "lock":
            assert busy.by
            assert all(there[number].lock == wants.lock for number in busy.by)
        elif busy.why == "command":
            assert len(busy.by) >= (wants.max_running or 0) > 0
            assert all(there[number].command == wants.command for number in busy.by)
        else:
            free, own = THREADS - len(self.running), [n for n, job in self.running.items() if job.line == wants.line]
            assert list(busy.by) == (own if free else list(self.running))
            assert len(own) > free or not free
        if busy.why != "threads":  # those that have it first, and each in the order in which they came
            held = [number for number in busy.by if number not in self.waiting]
            assert list(busy.by[: len(held)]) == held

    def began(self, wants: Wants) -> None:
        """It was its turn: what it needs is free, and nobody has waited longer for it who could have a thread."""
        free = THREADS - len(self.running)
        mine = Counter(job.line for job in self.running.values())
        assert may_take(mine[wants.line], free)
        for earlier in self.waiting.values():
            if earlier.number < wants.number and mine[earlier.line] <= free:
                assert not wants.lock or earlier.lock != wants.lock
        if wants.max_running is not None:
            before = [job for job in self.waiting.values() if job.number < wants.number and mine[job.line] <= free]
            having = (*self.running.values(), *self.lost.values(), *before)
            taken = sum(job.command == wants.command for job in having)
            assert taken < wants.max_running
        self.running[wants.number] = wants

    def left(self, number: int) -> None:
        """One has left, and others begin."""
        for found in (self.running, self.waiting, self.lost):
            found.pop(number, None)
        for begun in self.turns.leave(number):
            self.began(self.waiting.pop(begun))

    @precondition(lambda self: self.running or self.waiting or self.lost)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """One ends, is cancelled, or is accounted for."""
        self.left(data.draw(st.sampled_from([*self.running, *self.waiting, *self.lost])))

    @rule(number=st.integers(-5, 0))
    def leave_unknown(self, number: int) -> None:
        """One leaves that is not there."""
        assert self.turns.leave(number) == []

    @precondition(lambda self: len(self.lost) < 2)
    @rule(lock=st.sampled_from(LOCKS), command=st.sampled_from(list(SLOTS)))
    def lose(self, lock: str, command: str) -> None:
        """One is found at the start that was lost; the lock may be another's, too."""
        if lock not in {job.lock for job in self.running.values() if job.lock}:
            lost = self.lost[self.next] = Wants(self.next, command, "A", SLOTS[command], lock)
            self.turns.hold(lost)
            self.next += 1

    @invariant()
    def nothing_is_held_twice(self) -> None:
        """No lock, no slot, no thread; and no line has more than its share, which `began` asked."""
        locks = Counter(job.lock for job in self.running.values() if job.lock)
        assert not {lock for lock, count in locks.items() if count > 1}
        assert not set(locks) & {job.lock for job in self.lost.values()}
        for command, count in Counter(job.command for job in self.running.values()).items():
            most = SLOTS[command]
            assert most is None or count <= most
        assert len(self.running) <= THREADS

    @invariant()
    def places_are_those_of_the_line(self) -> None:
        """From 1, in the order in which they came."""
        assert list(self.turns.places().items()) == [(number, place) for place, number in enumerate(self.waiting, 1)]

    @invariant()
    def nobody_waits_who_could_begin(self) -> None:
        """First of all who want what it wants, and all of that is free."""
        having = [*self.running.values(), *self.lost.values()]
        locks, commands = {job.lock for job in having}, Counter(job.command for job in having)
        mine, free = Counter(job.line for job in self.running.values()), THREADS - len(self.running)
        for wants in self.waiting.values():
            alone = not wants.lock or wants.lock not in locks
            slot = wants.max_running is None or commands[wants.command] < wants.max_running
            assert not (alone and slot and may_take(mine[wants.line], free)), wants
            locks.add(wants.lock)
            commands[wants.command] += 1

    def teardown(self) -> None:
        """Whatever there is ends: nobody waits for ever, nor for one another."""
        for number in list(self.lost):
            self.left(number)
        while self.waiting:
            assert self.running, "nothing runs, no lock is held, and yet one waits"
            first = next(iter(self.waiting.values()))
            while own := [job.number for job in self.running.values() if job.line == first.line]:
                self.left(own[0])  # until then it may be overtaken
            having = [
                job.number
                for job in self.running.values()
                if job.command == first.command or (first.lock and job.lock == first.lock)
            ]
            for number in having or list(self.running)[:1]:
                self.left(number)
            assert first.number not in self.waiting, "the first waits for no more than what it wants"


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTurns = Model.TestCase


def test_what_is_wanted_is_taken_together_or_not_at_all() -> None:
    """Who waits for a slot holds no lock, yet keeps it from those who come later."""
    turns = Turns(8, 8)
    turns.begin(Wants(1, "BUILD", "A", 1))
    turns.wait(Wants(2, "BUILD", "B", 1, "prod"))
    assert turns.ask(Wants(3, "DEPLOY", "C", None, "prod")) == Busy("lock", (2,))
    assert turns.leave(2) == []
    assert turns.ask(Wants(3, "DEPLOY", "C", None, "prod")) == Go()


def test_who_waits_is_not_overtaken_for_what_it_wants() -> None:
    """Neither by its lock nor by its command, however many come; the first of each is first."""
    turns = Turns(8, 8)
    turns.begin(Wants(1, "DEPLOY", "A", None, "prod"))
    turns.begin(Wants(2, "BUILD", "A", 1))
    turns.wait(Wants(3, "BUILD", "B", 1, "prod"))
    assert turns.ask(Wants(4, "BUILD", "C", 1)) == Busy("command", (2, 3))
    turns.wait(Wants(4, "BUILD", "C", 1))
    assert turns.ask(Wants(5, "DEPLOY", "C", None, "prod")) == Busy("lock", (1, 3))
    turns.wait(Wants(5, "DEPLOY", "C", None, "prod"))
    assert turns.leave(2) == []  # the slot is free, and waits for 3, as 4 does
    assert turns.leave(1) == [3]
    assert turns.leave(3) == [4, 5]


def test_who_waits_for_a_lock_keeps_no_thread() -> None:
    """Whoever needs no more than a thread has it."""
    turns = Turns(2, 8)
    turns.begin(Wants(1, "DEPLOY", "A", None, "prod"))
    turns.wait(Wants(2, "DEPLOY", "B", None, "prod"))
    assert turns.ask(Wants(3, "DEPLOY", "C", None, "dev")) == Go()
    turns.begin(Wants(3, "DEPLOY", "C", None, "dev"))
    assert turns.leave(1) == [2]


def test_a_line_takes_its_share_of_the_threads_and_of_the_room() -> None:
    """So that there is something for who has nothing."""
    turns = Turns(4, 4)
    for number in (1, 2, 3):
        turns.begin(Wants(number, "TAIL", "A"))
    assert turns.ask(Wants(4, "TAIL", "A")) == Busy("threads", (1, 2, 3))
    for number in (4, 5, 6):
        turns.wait(Wants(number, "TAIL", "A"))
    with pytest.raises(NoRoomToWaitError):
        turns.wait(Wants(7, "TAIL", "A"))
    turns.begin(Wants(8, "TAIL", "B"))
    assert turns.ask(Wants(9, "TAIL", "C")) == Busy("threads", (1, 2, 3, 8))
    turns.wait(Wants(9, "TAIL", "C"))
    with pytest.raises(NoRoomToWaitError):
        turns.wait(Wants(10, "TAIL", "D"))
    assert turns.places() == {4: 1, 5: 2, 6: 3, 9: 4}
    assert turns.leave(1) == [9]  # two of A's run, and one place is free
    assert turns.leave(2) == [4]


def test_who_has_its_share_keeps_nobody_from_a_lock() -> None:
    """It may wait for as long as its own jobs run, and others need not wait with it; then it is its turn again."""
    turns = Turns(4, 8)
    for number in (1, 2, 3):
        turns.begin(Wants(number, "TAIL", "A"))
    turns.wait(Wants(4, "DEPLOY", "A", None, "prod"))
    turns.begin(Wants(5, "DEPLOY", "B", None, "prod"))
    assert turns.leave(1) == []
    assert turns.ask(Wants(6, "DEPLOY", "C", None, "prod")) == Busy("lock", (5,))
    assert turns.leave(2) == []  # now a thread could be had
    assert turns.ask(Wants(6, "DEPLOY", "C", None, "prod")) == Busy("lock", (5, 4))
    turns.wait(Wants(6, "DEPLOY", "C", None, "prod"))
    assert turns.leave(5) == [4]
    assert turns.leave(4) == [6]


def test_a_lost_job_keeps_its_lock_and_its_slot() -> None:
    """No thread; until it is accounted for. Two may keep the same lock."""
    turns = Turns(1, 8)
    turns.hold(Wants(1, "BUILD", "A", 1, "prod"))
    turns.hold(Wants(2, "DEPLOY", "A", None, "prod"))
    assert turns.ask(Wants(3, "BUILD", "B", 1)) == Busy("command", (1,))
    assert turns.ask(Wants(3, "DEPLOY", "A", 1, "prod")) == Busy("lock", (1, 2))
    turns.wait(Wants(3, "DEPLOY", "A", 1, "prod"))
    assert turns.leave(1) == []
    assert turns.ask(Wants(4, "DEPLOY", "A", None, "dev")) == Go()
    assert turns.leave(2) == [3]


def test_nobody_is_there_twice() -> None:
    """A number is one job's, whether it runs, waits or is lost."""
    turns = Turns(2, 8)
    turns.begin(Wants(1, "DEPLOY", "A", None, "prod"))
    turns.wait(Wants(2, "DEPLOY", "A", None, "prod"))
    turns.hold(Wants(3, "DEPLOY", "A", None, "dev"))
    for number in (1, 2, 3):
        with pytest.raises(ValueError, match=f"job {number} cannot begin"):
            turns.begin(Wants(number, "TAIL", "B"))
        with pytest.raises(ValueError, match=f"job {number} need not wait"):
            turns.wait(Wants(number, "TAIL", "B", None, "prod"))


def test_a_policy_that_changed_holds_for_who_comes_then() -> None:
    """A reload may bound a command that was free: those that run and wait count."""
    turns = Turns(8, 8)
    for number in (1, 2):
        turns.begin(Wants(number, "BUILD", f"{number}"))
    assert turns.ask(Wants(3, "BUILD", "C", 2)) == Busy("command", (1, 2))
    assert turns.ask(Wants(3, "BUILD", "C", 3)) == Go()


def test_another_bound_holds_for_who_comes_then() -> None:
    """Who waits goes on waiting, and begins in turn."""
    turns = Turns(1, 8)
    turns.begin(Wants(1, "TAIL", "A"))
    for number, line in ((2, "B"), (3, "C")):
        turns.wait(Wants(number, "TAIL", line))
    turns.take_up(2)
    with pytest.raises(NoRoomToWaitError):
        turns.wait(Wants(4, "TAIL", "D"))
    turns.take_up(3)
    turns.wait(Wants(4, "TAIL", "D"))
    assert turns.leave(1) == [2]


def test_a_reservation_ends_with_the_share_that_is_left() -> None:
    """Who begins may take the last that its line may have: who waited behind what that line reserved begins, too."""
    turns = Turns(4, 16)
    assert turns.begin(Wants(1, "BUILD", "B", 1)) == []
    turns.wait(Wants(2, "BUILD", "B", 1, "a"))
    turns.wait(Wants(3, "TAIL", "A", None, "a"))
    assert turns.begin(Wants(4, "DEPLOY", "C")) == []
    assert turns.begin(Wants(5, "DEPLOY", "B")) == [3]


def calls(waiting: int) -> int:
    """How many functions are called when one leaves on whom so many wait, none of which can begin then."""
    turns = Turns(2 * waiting, 4 * waiting)
    turns.begin(Wants(0, "BUILD", "A", 1, "prod"))
    turns.begin(Wants(1, "TAIL", "A", None, ""))
    for number in range(2, 2 + waiting):
        turns.wait(Wants(number, "BUILD", f"{number}", 1, "prod"))
    count = 0

    def counting(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        turns.leave(1)
    finally:
        sys.setprofile(before)
    return count


def test_a_step_takes_time_by_those_that_wait_and_no_more() -> None:
    """Ten times as many take ten times as long, not a hundred times."""
    assert calls(1000) < 11 * calls(100)

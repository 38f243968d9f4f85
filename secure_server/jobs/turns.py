"""What may run beside what, and whose turn it is: locks, slots of a command and threads, taken together or not at all.

Pure, for one thread: no clock, no I/O. Among those that want the same lock, or a slot of the same command, who came
first is first: what one waits for is reserved against all who come later, so that nobody is overtaken for ever.
Threads are reserved for nobody, so that who waits for a lock keeps nobody from running who could. And who waits because
its line has its share of the threads reserves nothing, so that nobody keeps others from a lock without running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secure_server.limits.share import may_take

Why = Literal["lock", "command", "threads"]


class NoRoomToWaitError(Exception):
    """So many wait that this one cannot: in all, or of its line."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What a job needs to begin.

    Attributes:
        number: of the job.
        command: whose slots count.
        line: the principal's name; a line takes no more threads, and no more room to wait, than is left.
        max_running: so many of the command at once, itself included; None any number.
        lock: that it holds alone; empty for none.
    """

    number: int
    command: str
    line: str
    max_running: int | None = None
    lock: str = ""


@dataclass(frozen=True, slots=True)
class Go:
    """It can begin now."""


@dataclass(frozen=True, slots=True)
class Busy:
    """It cannot begin now.

    Attributes:
        why: its lock is taken, or each slot of its command is, or there is no thread, or none for its line.
        by: the numbers of the jobs that have it, and then of those that wait for it; for threads of those that run, of
            the line alone where others would get one.
    """

    why: Why
    by: tuple[int, ...]


class _Tally:
    """Who has, or waits for, what; in the order in which they came."""

    __slots__ = ("commands", "locks")

    def __init__(self) -> None:
        self.locks: dict[str, dict[int, None]] = {}
        self.commands: dict[str, dict[int, None]] = {}

    def add(self, wants: Wants) -> None:
        if wants.lock:
            self.locks.setdefault(wants.lock, {})[wants.number] = None
        self.commands.setdefault(wants.command, {})[wants.number] = None

    def remove(self, wants: Wants) -> None:
        _drop(self.locks, wants.lock, wants.number)
        _drop(self.commands, wants.command, wants.number)


def _drop(kind: dict[str, dict[int, None]], name: str, number: int) -> None:
    if (jobs := kind.get(name)) is not None:
        jobs.pop(number, None)
        if not jobs:
            del kind[name]


_NONE: dict[int, None] = {}


class Turns:
    """Says who may begin, and who begins when another has left. For one thread.

    After each call nobody waits who could begin, so that whoever asks is behind all who wait.

    Args:
        threads: so many run at once.
        waiting: so many may wait, in all lines together.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = threads
        self._most_waiting = waiting
        self._running: dict[int, Wants] = {}
        self._lines: dict[str, dict[int, None]] = {}
        """Whose those are that run."""
        self._waiting: dict[int, Wants] = {}
        """In the order in which they came."""
        self._lost: dict[int, Wants] = {}
        """Those that may run still, though on no thread of ours."""
        self._taken = _Tally()
        """What those that run have, and those that are lost."""
        self._reserved = _Tally()
        """What is kept for those that wait, as it was when last somebody left: until then it only grows."""

    def ask(self, wants: Wants) -> Go | Busy:
        """Return whether a job could begin now, before anything is done about it."""
        taken, reserved = self._taken, self._reserved
        why = self._why(wants)
        if why is None:
            return Go()
        if why == "lock":
            return Busy(why, (*taken.locks.get(wants.lock, _NONE), *reserved.locks.get(wants.lock, _NONE)))
        if why == "command":
            return Busy(why, (*taken.commands.get(wants.command, _NONE), *reserved.commands.get(wants.command, _NONE)))
        return Busy(why, tuple(self._lines.get(wants.line, _NONE) if self._free else self._running))

    def begin(self, wants: Wants) -> list[int]:
        """Take what a job needs, and return those that begin by that, as `leave` does.

        Where it takes the last that its line may have, what others of that line reserved is free for who waits behind.

        Raises:
            ValueError: it cannot have it now, see `ask`; or it is there already.
        """
        if self._is_there(wants.number) or isinstance(self.ask(wants), Busy):
            raise ValueError(f"job {wants.number} cannot begin")
        self._take(wants)
        return self._begin_those_that_can()

    def wait(self, wants: Wants) -> None:
        """Have a job wait its turn; `leave` says when it has come.

        Raises:
            NoRoomToWaitError: as many wait as may, or its line has more than is left of the room.
            ValueError: it need not wait, see `ask`; or it is there already.
        """
        if self._is_there(wants.number) or isinstance(self.ask(wants), Go):
            raise ValueError(f"job {wants.number} need not wait")
        held = sum(other.line == wants.line for other in self._waiting.values())
        if not may_take(held, self._most_waiting - len(self._waiting)):
            raise NoRoomToWaitError
        self._waiting[wants.number] = wants
        self._reserve(wants)

    def take_up(self, waiting: int) -> None:
        """Have another bound on those that wait; who waits goes on."""
        self._most_waiting = waiting

    def hold(self, wants: Wants) -> None:
        """Have a job that is lost keep its lock and its slot until it leaves: what it began may run still.

        It takes no thread. Another lost one may have the same lock.
        """
        self._lost[wants.number] = wants
        self._taken.add(wants)

    def leave(self, number: int) -> list[int]:
        """Take a job away, and return those that begin by that, in order: they have what they need from now on.

        Args:
            number: of one that has ended, waits no more, or was lost and is accounted for. One that is not there
                changes nothing.
        """
        self._waiting.pop(number, None)
        if (ended := self._running.pop(number, None)) is not None:
            self._taken.remove(ended)
            _drop(self._lines, ended.line, number)
        if (lost := self._lost.pop(number, None)) is not None:
            self._taken.remove(lost)
        return self._begin_those_that_can()

    def places(self) -> dict[int, int]:
        """Return the places of those that wait, from 1, by their numbers."""
        return {number: place for place, number in enumerate(self._waiting, 1)}

    @property
    def _free(self) -> int:
        return self._threads - len(self._running)

    def _is_there(self, number: int) -> bool:
        return number in self._running or number in self._waiting or number in self._lost

    def _take(self, wants: Wants) -> None:
        self._running[wants.number] = wants
        self._taken.add(wants)
        self._lines.setdefault(wants.line, {})[wants.number] = None

    def _begin_those_that_can(self) -> list[int]:
        """One pass in the order in which they came; what is reserved is found anew in it."""
        begun, self._reserved = [], _Tally()
        for wants in list(self._waiting.values()):
            if self._why(wants) is None:
                del self._waiting[wants.number]
                self._take(wants)
                begun.append(wants.number)
            else:
                self._reserve(wants)
        return begun

    def _reserve(self, wants: Wants) -> None:
        """Keep what one waits for from those behind it, unless its line has its share of the threads."""
        if not self._free or self._has_share_left(wants):
            self._reserved.add(wants)

    def _has_share_left(self, wants: Wants) -> bool:
        return may_take(len(self._lines.get(wants.line, _NONE)), self._free)

    def _why(self, wants: Wants) -> Why | None:
        """Return what keeps it from beginning beside those that run, and behind those that have reserved."""
        taken, reserved = self._taken, self._reserved
        if wants.lock and (wants.lock in taken.locks or wants.lock in reserved.locks):
            return "lock"
        if wants.max_running is not None:
            before = len(taken.commands.get(wants.command, _NONE)) + len(reserved.commands.get(wants.command, _NONE))
            if before >= wants.max_running:
                return "command"
        return None if self._has_share_left(wants) else "threads"

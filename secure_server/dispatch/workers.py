"""The workers: threads that run what may block, and who is next.

Each line (a principal has one) is served in turn, and whoever holds more than is left takes no more: of the places, of
the room to wait, and of the threads that stand in. So one alone gets about half of what there is, two get a third each,
and there is always something for who comes with nothing.

A place is for what ends soon. What runs longer, or was left by whoever asked for it, gives its place to a new thread as
soon as somebody waits for one, and its own ends with it. There are so many of these and no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from secure_server.limits.share import may_take

_log = logging.getLogger("secure_server.workers")

Work = Callable[[], None]

LONG_SECONDS = 5.0
"""After that, a run gives its place up: commands that people wait for have ended by then, and those that follow a log
have not."""
RETRY_SECONDS = 1.0
"""Where no thread can stand in: how soon that is tried again, unless one is known to be free before."""


class WorkersBusyError(Exception):
    """There is no room to wait, or none for this line."""


class Submit(Protocol):
    """Hands work to another thread: `Workers.submit`."""

    def __call__(self, work: Work, line: str = "", /) -> Task:
        """Take it, to wait in that line; raises WorkersBusyError where there is no room."""
        ...


class Task:
    """What was submitted: it waits in its line, runs, and is over. Its methods are for any thread.

    Attributes:
        work: is called.
        line: where it waits.
        began: when, on the clock; None until then.
        beside: it has given its place up.
        over: it has ended.
        stuck: nobody waits for it any more, and it still runs.
    """

    began: float | None = None
    beside = over = stuck = False

    def __init__(self, workers: Workers, work: Work, line: Line) -> None:
        self._workers = workers
        self.work = work
        self.line = line

    def withdraw(self) -> bool:
        """Take it out of its line; whether it was there still, and never begins."""
        return self._workers.withdraw(self)

    def leave(self) -> int:
        """Nobody waits for its end any more; how many such there are with it, 0 where it is over already."""
        return self._workers.leave(self)


class Line:
    """Those who wait together, and what they hold; there as long as there is any of it.

    Attributes:
        name: whose it is.
        tasks: that wait.
        held: places.
        beside: threads that stand in for its tasks.
    """

    __slots__ = ("beside", "held", "name", "tasks")

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: deque[Task] = deque()
        self.held = self.beside = 0


class Idle:
    """A thread that waits to be given something."""

    __slots__ = ("_called", "_task")

    def __init__(self) -> None:
        self._task: Task | None = None
        self._called = threading.Lock()
        self._called.acquire()

    def call(self, task: Task | None) -> None:
        """Give it a task; None: it is needed no more."""
        self._task = task
        self._called.release()

    def wait(self) -> Task | None:
        """Return what it is given, and keep nothing of it."""
        self._called.acquire()
        task, self._task = self._task, None
        return task


class Workers:
    """So many places, a thread each, and lines to wait in. Any thread may submit.

    Not `concurrent.futures.ThreadPoolExecutor`: its queue has no bound and no lines.

    Args:
        count: places.
        waiting: tasks that may wait, in all lines together.
        spare: threads, beyond the places, that stand in for those whose task takes long.
        long: seconds after which a task does.
        clock: monotonic seconds.

    Attributes:
        places: `count`.
        most_waiting: `waiting`, as it was given.
        spare: as it was given.
        stuck: tasks that nobody waits for any more, and that still run.
        beside: tasks that have given their place up, stuck ones or not.
        waiting: tasks that wait for a place.
    """

    def __init__(
        self,
        count: int,
        waiting: int,
        spare: int = 0,
        *,
        long: float = LONG_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.places = count
        self.stuck = self.beside = self.waiting = 0
        self.most_waiting = waiting
        self.spare = spare
        self._long = long
        self._clock = clock
        self._stopping = False
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}
        self._turns: OrderedDict[Line, None] = OrderedDict()
        """Lines in which tasks wait, the next one first."""
        self._holding: dict[Task, None] = {}
        """Those that have a place, in the order in which they began."""
        self._idle: list[Idle] = []
        self._started = 0
        self._crowded = threading.Condition(self._lock)  # the watch waits until somebody waits
        self._watching = False  # until a moment that it knows: it need not be told
        self._watch = threading.Thread(target=self._relieve, name="workers-watch", daemon=True)
        self._threads = [self._new_thread() for _ in range(count)]

    @property
    def running(self) -> int:
        """Tasks that have a place."""
        return len(self._holding)

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
        if self.spare:
            self._watch.start()

    def submit(self, work: Work, line: str = "") -> Task:
        """Have a worker run it, after what waits in the same line.

        Args:
            work: raises nothing that anybody is to hear of.
            line: whose it is.

        Raises:
            WorkersBusyError: there is no room, or the workers stop.
        """
        with self._lock:
            found = self._lines.get(line)
            held = 0 if found is None else len(found.tasks)
            if self._stopping or not may_take(held, self.most_waiting - self.waiting):
                raise WorkersBusyError
            if found is None:
                self._lines[line] = found = Line(line)
            task = Task(self, work, found)
            found.tasks.append(task)
            self._turns[found] = None
            self.waiting += 1
            self._call_for_them()
        return task

    def withdraw(self, task: Task) -> bool:
        """See `Task.withdraw`."""
        with self._lock:
            if task not in task.line.tasks:
                return False
            task.line.tasks.remove(task)
            self.waiting -= 1
            if not task.line.tasks:
                del self._turns[task.line]
                self._forget(task.line)
        return True

    def leave(self, task: Task) -> int:
        """See `Task.leave`."""
        with self._lock:
            if task.began is None or task.over:
                return 0
            task.stuck = True
            self.stuck += 1
            if self._turns:
                self._crowded.notify()
            return self.stuck

    def stop(self, seconds: float) -> None:
        """Begin no more, and wait for those running.

        Args:
            seconds: how long to wait, for all together; a handler that hangs is left behind (the threads are daemons).
        """
        with self._lock:
            self._stopping = True
            self._crowded.notify_all()
            while self._idle:
                self._idle.pop().call(None)
            threads = [self._watch, *self._threads]
        deadline = time.monotonic() + seconds
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join(max(0.0, deadline - time.monotonic()))

    # A worker

    def _run(self) -> None:
        idle, task = Idle(), None
        while (task := self._next(task, idle)) is not None:
            try:
                task.work()
            except BaseException:  # noqa: BLE001 - no task may cost the pool a thread, whatever it raises
                _log.exception("unexpected error on a worker")
            task.work = _nothing  # until the next one comes it would keep all that it refers to

    def _next(self, done: Task | None, idle: Idle) -> Task | None:
        """Give a place back, and wait for the next task; None where this thread is needed no more."""
        with self._lock:
            if (done is not None and not self._end(done)) or self._stopping:
                return None
            if (line := self._eligible()) is not None:
                task = self._begin(line)
                if self._turns:
                    self._call_for_them()
                return task
            self._idle.append(idle)
        return idle.wait()

    # Under the lock

    def _eligible(self) -> Line | None:
        """Return the line whose turn it is; None where no place is free, or only those wait that hold too many."""
        if self._turns and (free := self.places - len(self._holding)):
            for line in self._turns:
                if may_take(line.held, free):
                    return line
        return None

    def _begin(self, line: Line) -> Task:
        """Take the first of a line, and put the line behind the others."""
        task = line.tasks.popleft()
        if line.tasks:
            self._turns.move_to_end(line)
        else:
            del self._turns[line]
        self.waiting -= 1
        task.began = self._clock()
        self._holding[task] = None
        line.held += 1
        return task

    def _end(self, task: Task) -> bool:
        """A task is over; whether its thread has a place."""
        task.over = True
        if task.stuck:
            self.stuck -= 1
        if not task.beside:
            del self._holding[task]
            task.line.held -= 1
            self._forget(task.line)
            return True
        self.beside -= 1
        task.line.beside -= 1
        self._forget(task.line)
        self._threads.remove(threading.current_thread())
        if self._turns:
            self._crowded.notify()  # another may stand beside in its stead
        return False

    def _forget(self, line: Line) -> None:
        if not (line.held or line.tasks or line.beside):
            del self._lines[line.name]

    def _call_for_them(self) -> None:
        """Somebody waits: have workers come, as far as there are any, or the watch look whether one can be had."""
        while self._idle and (line := self._eligible()) is not None:
            self._idle.pop().call(self._begin(line))  # the one that has waited least: its memory is at hand
        if self._turns and self.spare and not self._watching and self._eligible() is None:
            self._crowded.notify()

    # The watch

    def _relieve(self) -> None:
        """Give tasks that wait the places of those that take long."""
        with self._crowded:
            while not self._stopping:
                due = self._relieve_now()
                self._watching = due is not None
                self._crowded.wait(due)

    def _relieve_now(self) -> float | None:
        """Take what takes long from its place; return the seconds until something does, None where nobody waits."""
        if not self._turns:
            return None
        now, due = self._clock(), None
        for task in list(self._holding):
            left = 0.0 if task.stuck or task.began is None else task.began + self._long - now
            if left <= 0:
                if may_take(task.line.beside, self.spare - self.beside) and self._stand_in(task):
                    continue
                left = RETRY_SECONDS
            due = left if due is None else min(due, left)
        return due

    def _stand_in(self, task: Task) -> bool:
        """Start a thread in the place of a task's; whether there is one to be had."""
        thread = self._new_thread()
        try:
            thread.start()
        except RuntimeError as error:
            _log.error("no further thread can be had for commands that wait: %s", error)
            return False
        self._threads.append(thread)
        del self._holding[task]
        task.line.held -= 1
        task.beside = True
        task.line.beside += 1
        self.beside += 1
        return True

    def _new_thread(self) -> threading.Thread:
        self._started += 1
        return threading.Thread(target=self._run, name=f"worker-{self._started}", daemon=True)


def _nothing() -> None:
    """Stand for work that is done."""

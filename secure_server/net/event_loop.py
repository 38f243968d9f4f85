"""One thread with a poller, timers, and a wakeup through which other threads hand it work.

Each step is guarded: an error in one is logged, and the loop goes on. Where it cannot, it says why and ends the
process: a dead loop in a living one would serve nobody, and whoever watches the process would not know.

Methods are grouped by who may call them: "any thread" and "loop thread only", and the latter assert it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from secure_server.files.forking import not_for_children
from secure_server.net.poller import READ, new_poller

_log = logging.getLogger("secure_server.net")

Handler = Callable[[int], None]
"""Called with what the descriptor is ready for."""

JOIN_SECONDS = 10.0
"""How long `stop` waits for the thread; it does nothing that blocks, so this only bounds a bug."""

FEW_TIMERS = 1024
"""Timers below which those cancelled may stay in the heap until their time."""

MOST_DEFERRED = 64
"""Steps that may wait for the end of a round: with a read of 16 KB each, a megabyte. What else is ready comes after."""

SUSPECTS = 4
"""Turns of suspects in a round. One of KeyUpdates alone takes up to 10 ms: however many send such, a round takes
40 ms; honest newcomers are suspects for their first turn, of some microseconds."""

LONGEST_POLL = 3600.0
"""Seconds; a timer further away is looked at again then. epoll refuses what does not fit its milliseconds."""

MOST_FAILURES = 20
"""Rounds in a row in which the loop itself fails, before it gives up: with the pauses between them a second, in which
memory, say, may be there again; and twenty tracebacks are enough to find out by."""

FAILURE_PAUSE = 0.05
"""Seconds between such a round and the next, which would else come at once, use up a core and fill the log."""

LAST_WORDS_SECONDS = 5.0
"""What a process that ends itself gives its log to say why: a disk or a reader that is stuck must not keep it alive."""

EX_SOFTWARE = 70
"""Exit code: an error inside the program. The number is that of sysexits.h; `os` has the name on Unix alone."""


class Timer:
    """A callback at a moment; `cancel` makes it do nothing."""

    __slots__ = ("_callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback. Loop thread only."""
        self._callback = None

    @property
    def cancelled(self) -> bool:
        """Whether it does nothing any more."""
        return self._callback is None

    def fire(self) -> None:
        """Call back, unless cancelled. Loop thread only."""
        if self._callback is not None:
            self._callback()


def end_process(why: str) -> None:
    """End the process with a code, once the log has said why.

    At once, without the ways of an orderly end: these wait for threads, and may be what failed.
    """
    with contextlib.suppress(BaseException):  # where no thread can be had, the log is trusted to return
        watch = threading.Timer(LAST_WORDS_SECONDS, os._exit, (EX_SOFTWARE,))
        watch.daemon = True
        watch.start()
    with contextlib.suppress(BaseException):  # a log that fails must not keep the process alive, either
        _log.critical("%s; ending the process with code %d", why, EX_SOFTWARE, exc_info=sys.exception())
    with contextlib.suppress(BaseException):  # likewise
        logging.shutdown()  # flushes all handlers
    os._exit(EX_SOFTWARE)


class EventLoop:
    """A thread that waits for descriptors, timers and other threads.

    Args:
        name: of the thread.
        clock: seconds, monotonic.
        niceness: added to that of the process, so that other threads go first; Linux alone has one for each thread.
        die: told why when the loop cannot go on, while that error is being handled; ends the process. Should it return,
            the loop's thread ends.

    Attributes:
        now: the clock as read when the present round began; loop thread only.
        defer: calls a step later in this round: after the handlers of all that is ready, and after what was deferred
            before it. So all that is ready is read, then answered, then sent, and each time the processor has at hand
            what the same work needed a moment ago; kernel and OpenSSL are not in turn with the interpreter for each
            request (docs/performance.md). Loop thread only, which nothing asserts: it is called twice a request.
        suspects: what waits in line for a turn that may be dear and come to nothing (`Wire.suspect`); a few are taken
            in a round, after the handlers of what is ready. Loop thread only.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        niceness: int = 0,
        die: Callable[[str], None] = end_process,
    ) -> None:
        self.now = clock()
        self._niceness = niceness
        self._die = die
        self._clock = clock
        self._poller = new_poller()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._most_timers = FEW_TIMERS
        self._order = itertools.count()
        self._calls: deque[Callable[[], None]] = deque()
        self._deferred: deque[Callable[[], None]] = deque()
        self.defer: Callable[[Callable[[], None]], None] = self._deferred.append
        self.suspects: deque[Callable[[], None]] = deque()
        self._awake = False
        self._stopping = False
        self._deaf = 0  # times in a row that the wakeup could not be read
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0)
        self._sender.settimeout(0)
        self._ident: int | None = None  # the thread's, once it runs; `Thread.ident` is a property, looked at often
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        not_for_children(self)

    # Any thread

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the calls already handed over, wait for it and free what it held.

        A loop that never started is freed, too, without its calls; stopping twice does no harm.
        """
        if self._thread.ident is None:
            self._stopping = True
            self._free()
            return
        self.call_soon(self._end)
        self._thread.join(JOIN_SECONDS)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Have the loop call `callback`, in the order handed over."""
        self._calls.append(callback)
        if not self._awake:
            self._awake = True
            try:
                self._sender.send(b"\0")
            except BlockingIOError:  # full: it is awake anyway
                return
            except OSError:
                if not self._stopping:  # which closes it
                    self._give_up("it cannot be woken")

    @property
    def owned(self) -> bool:
        """Whether the calling thread is the loop's."""
        return threading.get_ident() == self._ident

    # Loop thread only

    def register(self, fd: int, interest: int, handler: Handler) -> None:
        """Call `handler` whenever `fd` is ready for `interest`, or broken."""
        assert self.owned  # noqa: S101 - thread ownership, stated where it is relied on
        self._poller.register(fd, interest)
        self._handlers[fd] = handler

    def modify(self, fd: int, interest: int) -> None:
        """Watch for something else."""
        assert self.owned  # noqa: S101 - as above
        self._poller.modify(fd, interest)

    def unregister(self, fd: int) -> None:
        """Stop watching. Events of the present round that are still to come for `fd` are dropped."""
        assert self.owned  # noqa: S101 - as above
        del self._handlers[fd]
        self._poller.unregister(fd)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once the clock has reached `when`."""
        assert self.owned  # noqa: S101 - as above
        timer = Timer(when, callback)
        if len(self._timers) >= self._most_timers:
            # Those cancelled would wait half an hour for their time, one for each connection that came and went.
            self._timers = [item for item in self._timers if not item[2].cancelled]
            heapq.heapify(self._timers)
            self._most_timers = max(FEW_TIMERS, 2 * len(self._timers))
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def _run(self) -> None:
        try:
            self._begin()
            self._turn()
        except BaseException:  # noqa: BLE001 - no guard held it, and a thread must not end without a word
            self._give_up("an error that is the loop's own")
        self._guard(self._free)

    def _begin(self) -> None:
        self._ident = threading.get_ident()
        if self._niceness and sys.platform == "linux":
            with contextlib.suppress(AttributeError, OSError):  # not there, or forbidden: only speed depends on it
                thread = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + self._niceness)
        self._poller.register(self._receiver.fileno(), READ)
        self._handlers[self._receiver.fileno()] = self._wake

    def _turn(self) -> None:
        """Go round until told to stop."""
        poll, handlers, deferred = self._poller.poll, self._handlers, self._deferred
        failures = 0
        while not self._stopping:
            try:
                events = poll(self._timeout())
                self.now = self._clock()
                failures = 0
            except BaseException:  # noqa: BLE001 - counted; no single one may end the thread that all others live on
                events = []
                failures += 1
                self._stumble(failures, "waiting for what is ready")
                self._wake(READ)  # which is not heard now; what was handed over needs no poll, and may be the end
            for fd, ready in events:
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler(ready)
                    except BaseException:  # noqa: BLE001 - no error in one may end the thread that all others live on
                        _report()
                    if len(deferred) >= MOST_DEFERRED:
                        self._take_steps()
            handler = None  # it would keep what it belongs to until the next event
            for _ in range(min(SUSPECTS, len(self.suspects))):
                self._guard(self.suspects.popleft())
            if deferred:
                self._take_steps()
            if self._timers and self._timers[0][0] <= self.now:
                self._fire()
                if deferred:  # by a timer: they would wait for whatever comes next
                    self._take_steps()

    def _take_steps(self) -> None:
        deferred = self._deferred
        while deferred:
            try:
                while deferred:
                    deferred.popleft()()
            except BaseException:  # noqa: BLE001 - as above
                _report()

    def close(self) -> None:
        """Free what it holds without a word: in a child, where nothing turns it. Elsewhere `stop` does that."""
        self._stopping = True
        self._free()

    def _free(self) -> None:
        self._poller.close()
        self._receiver.close()
        self._sender.close()

    def _timeout(self) -> float:
        if self.suspects:  # what was received with a handshake has no event any more
            return 0
        if not self._timers:
            return -1
        return min(max(0.0, self._timers[0][0] - self._clock()), LONGEST_POLL)

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            self._guard(timer.fire)

    def _wake(self, _ready: int) -> None:
        try:
            if not self._receiver.recv(4096):
                raise ConnectionError("the wakeup is closed")  # noqa: TRY301 - as bad as an error of the system's
            self._deaf = 0
        except BlockingIOError:  # nothing came: it is looked at after a failed poll, too
            pass
        except BaseException:  # noqa: BLE001 - counted; what was handed over is taken all the same
            self._deaf += 1
            self._stumble(self._deaf, "reading the wakeup")
        self._awake = False  # before the calls are taken: whoever adds one from here on wakes the loop again
        for _ in range(len(self._calls)):
            callback = self._calls.popleft()
            self._guard(callback)

    def _end(self) -> None:
        self._stopping = True

    def _stumble(self, times: int, step: str) -> None:
        """Go on after an error in a step that every round takes, unless it came too many times in a row."""
        if times >= MOST_FAILURES:
            self._give_up(f"{step} failed {times} times in a row")
        else:
            _report()
            time.sleep(FAILURE_PAUSE)

    def _give_up(self, why: str) -> None:
        """End the process for the error that is being handled. Any thread."""
        self._stopping = True
        self._die(f"the loop {self._thread.name!r} cannot go on: {why}")

    @staticmethod
    def _guard(callback: Callable[[], None]) -> None:
        """No error in one callback may end the thread that all others live on."""
        try:
            callback()
        except BaseException:  # noqa: BLE001 - see the docstring; a callback may raise anything, SystemExit, too
            _report()


def _report() -> None:
    """Log the error that is being handled."""
    with contextlib.suppress(BaseException):  # a log that fails may not end the thread, either
        _log.exception("unexpected error on an I/O thread")

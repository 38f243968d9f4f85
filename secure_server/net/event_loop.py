"""One thread with a poller, timers, and a wakeup through which other threads hand it work.

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

LONGEST_POLL = 3600.0
"""Seconds; a timer further away is looked at again then. epoll refuses what does not fit its milliseconds."""


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


class EventLoop:
    """A thread that waits for descriptors, timers and other threads.

    Args:
        name: of the thread.
        clock: seconds, monotonic.
        niceness: added to that of the process, so that other threads go first; Linux alone has one for each thread.

    Attributes:
        now: the clock as read when the present round began; loop thread only.
        defer: calls a step later in this round: after the handlers of all that is ready, and after what was deferred
            before it. So all that is ready is read, then answered, then sent, and each time the processor has at hand
            what the same work needed a moment ago; kernel and OpenSSL are not in turn with the interpreter for each
            request (docs/performance.md). Loop thread only, which nothing asserts: it is called twice a request.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic, niceness: int = 0) -> None:
        self.now = clock()
        self._niceness = niceness
        self._clock = clock
        self._poller = new_poller()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._most_timers = FEW_TIMERS
        self._order = itertools.count()
        self._calls: deque[Callable[[], None]] = deque()
        self._deferred: deque[Callable[[], None]] = deque()
        self.defer: Callable[[Callable[[], None]], None] = self._deferred.append
        self._awake = False
        self._stopping = False
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0)
        self._sender.settimeout(0)
        self._ident: int | None = None  # the thread's, once it runs; `Thread.ident` is a property, looked at often
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    # Any thread

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the calls already handed over, wait for it and free what it held.

        A loop that never started is freed, too, without its calls; stopping twice does no harm.
        """
        if self._thread.ident is None:
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
            except (BlockingIOError, OSError):  # full: it is awake anyway; closed: it has stopped
                return

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
        self._ident = threading.get_ident()
        if self._niceness and sys.platform == "linux":
            with contextlib.suppress(OSError):  # a sandbox may forbid it; nothing but speed depends on it
                thread = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + self._niceness)
        self._poller.register(self._receiver.fileno(), READ)
        self._handlers[self._receiver.fileno()] = self._wake
        poll, handlers, deferred = self._poller.poll, self._handlers, self._deferred
        while not self._stopping:
            events = poll(self._timeout())
            self.now = self._clock()
            for fd, ready in events:
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler(ready)
                    except Exception:  # noqa: BLE001 - no error in one may end the thread that all others live on
                        _log.exception("unexpected error on an I/O thread")
                    if len(deferred) >= MOST_DEFERRED:
                        self._take_steps()
            if deferred:
                self._take_steps()
            if self._timers and self._timers[0][0] <= self.now:
                self._fire()
        self._free()

    def _take_steps(self) -> None:
        deferred = self._deferred
        while deferred:
            try:
                while deferred:
                    deferred.popleft()()
            except Exception:  # noqa: BLE001 - as above
                _log.exception("unexpected error on an I/O thread")

    def _free(self) -> None:
        self._poller.close()
        self._receiver.close()
        self._sender.close()

    def _timeout(self) -> float:
        if not self._timers:
            return -1
        return min(max(0.0, self._timers[0][0] - self._clock()), LONGEST_POLL)

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            self._guard(timer.fire)

    def _wake(self, _ready: int) -> None:
        self._receiver.recv(4096)
        self._awake = False  # before the calls are taken: whoever adds one from here on wakes the loop again
        for _ in range(len(self._calls)):
            callback = self._calls.popleft()
            self._guard(callback)

    def _end(self) -> None:
        self._stopping = True

    @staticmethod
    def _guard(callback: Callable[[], None]) -> None:
        """No error in one callback may end the thread that all others live on."""
        try:
            callback()
        except Exception:  # noqa: BLE001 - see the docstring
            _log.exception("unexpected error on an I/O thread")

"""The worker pool: threads that run handlers which may block."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("secure_server.workers")

Job = Callable[[], None]


class WorkersBusyError(Exception):
    """Every worker is busy and the queue is full."""


class Workers:
    """A fixed number of threads and a bounded queue. Any thread may submit.

    Not `concurrent.futures.ThreadPoolExecutor`: its queue has no bound.

    Args:
        count: threads.
        waiting: jobs that may wait.
    """

    def __init__(self, count: int, waiting: int) -> None:
        self._stopping = False
        self._jobs: queue.Queue[Job | None] = queue.Queue(waiting)
        self._threads = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True) for number in range(1, count + 1)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Have a worker run `job`.

        Raises:
            WorkersBusyError: there is no room, or the workers stop.
        """
        if self._stopping:
            raise WorkersBusyError
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise WorkersBusyError from None

    def stop(self, seconds: float) -> None:
        """Begin no more, and wait for those running.

        Args:
            seconds: how long to wait, for all together; a handler that hangs is left behind (the threads are daemons).
        """
        self._stopping = True
        self._wake()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None and not self._stopping:
            try:
                job()
            except BaseException:  # noqa: BLE001 - no job may cost the pool a thread, whatever it raises
                _log.exception("unexpected error on a worker")
            del job  # until the next one comes it would keep all that it refers to
        self._wake()  # each passes it on, since a short queue has no room for one a thread

    def _wake(self) -> None:
        with contextlib.suppress(queue.Full):  # what fills it wakes a worker as well
            self._jobs.put_nowait(None)

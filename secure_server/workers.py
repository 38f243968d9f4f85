"""The worker pool: threads that run handlers which may block."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from secure_server.dispatcher import WorkersBusyError

_log = logging.getLogger("secure_server.workers")

Job = Callable[[], None]


class Workers:
    """A fixed number of threads and a bounded queue. Any thread may submit.

    Not `concurrent.futures.ThreadPoolExecutor`: its queue has no bound.

    Args:
        count: threads.
        waiting: jobs that may wait.
    """

    def __init__(self, count: int, waiting: int) -> None:
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
            WorkersBusyError: there is no room.
        """
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise WorkersBusyError from None

    def stop(self, seconds: float) -> None:
        """Take no more, and wait for those running.

        Args:
            seconds: how long to wait for each; a handler that hangs is left behind (the threads are daemons).
        """
        for _ in self._threads:
            try:
                self._jobs.put(None, timeout=seconds)
            except queue.Full:
                break
        for thread in self._threads:
            thread.join(seconds)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # noqa: BLE001 - a bug in one job must not cost the pool a thread
                _log.exception("unexpected error on a worker")

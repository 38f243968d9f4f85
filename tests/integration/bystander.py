"""A connected client that goes on pinging while others misbehave, and must notice nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from tests.integration.running import Running

INTERVAL_SECONDS = 0.005
SLOWEST_SECONDS = 4.0
"""A ping in a loaded test process takes a millisecond, on a bad day a hundred, now and then more than a second where
other programs take both cores; one that waited for the five seconds of somebody's deadline takes longer than this."""


@contextlib.contextmanager
def bystander(running: Running) -> Iterator[None]:
    """Ping throughout the `with`; on leaving it, hold that every ping was answered, in time.

    Raises:
        AssertionError: one was not.
    """
    peer = running.resp()
    over = threading.Event()
    times: list[float] = []
    troubles: list[str] = []

    def ping() -> None:
        while not over.wait(INTERVAL_SECONDS) or not times:
            began = time.monotonic()
            try:
                if (reply := peer.ask("PING")) != "PONG":
                    troubles.append(f"answered {reply!r}")
            except (OSError, EOFError) as error:
                troubles.append(f"{type(error).__name__}: {error}")
                return
            times.append(time.monotonic() - began)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        peer.close()
    assert not troubles
    assert max(times) < SLOWEST_SECONDS

"""The time by which certificates are judged and renewed: a clock that leaps is not believed at once.

A certificate made by a clock that is months ahead shuts out every client until that time has come, however soon the
clock is right again. So the wall clock is compared with one that nobody sets. One that leapt is believed when it has
gone on from there for an hour, or when it has come back to where it was; until then the time goes on as before.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

LEAP = timedelta(days=1)
"""Less is believed at once: a machine that slept, or whose clock was corrected. Off by so much a certificate is good
again within a day, and renewed as soon as the clock is right."""
SETTLED_SECONDS = 3600.0
"""For so long a clock must go on from where it leapt to. A mistake is noticed sooner, and no renewal is as urgent."""
REMEMBERED = 4
"""Times believed one after the other to which a clock may come back."""

_log = logging.getLogger("secure_server")


def utc_now() -> datetime:
    """Return what the wall clock says, in UTC."""
    return datetime.now(UTC)


def elapsed() -> float:
    """Return seconds that nobody sets, while the machine sleeps included where the system can tell."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    if sys.platform == "win32" or boot is None:
        return time.monotonic()
    return time.clock_gettime(boot)


class _Anchor(NamedTuple):
    """What the two clocks said in one moment."""

    wall: datetime
    ticks: float

    def at(self, ticks: float) -> datetime:
        """Return what the wall clock should say then."""
        return self.wall + timedelta(seconds=ticks - self.ticks)


class SteadyTime:
    """Tells the time, in UTC. Any thread.

    At its start it has nothing but the wall clock to go by. So in the first hour one that goes back is believed: it was
    ahead at the start, and has been set right.

    Args:
        wall: what the wall clock says, in UTC.
        ticks: monotonic seconds.
    """

    def __init__(self, wall: Callable[[], datetime] = utc_now, ticks: Callable[[], float] = elapsed) -> None:
        self._wall = wall
        self._ticks = ticks
        self._lock = threading.Lock()
        self._believed = [_Anchor(wall(), ticks())]  # the last one is the present one
        self._young_until = self._believed[0].ticks + SETTLED_SECONDS
        self._leapt: _Anchor | None = None

    def __call__(self) -> datetime:
        """Return the time."""
        with self._lock:
            now = _Anchor(self._wall(), self._ticks())
            for number in reversed(range(len(self._believed))):
                if abs(now.wall - self._believed[number].at(now.ticks)) <= LEAP:
                    del self._believed[number:]  # what was believed later was wrong
                    return self._believe(now)
            expected = self._believed[-1].at(now.ticks)
            if now.wall < expected and now.ticks < self._young_until:
                return self._believe(now)
            leapt = self._leapt
            if leapt is None or abs(now.wall - leapt.at(now.ticks)) > LEAP:
                self._leapt = now
                _log.error(
                    "the clock leapt from %s to %s; certificates go by the former for as long as it may be a mistake",
                    f"{expected:%Y-%m-%d %H:%M}",
                    f"{now.wall:%Y-%m-%d %H:%M}",
                )
            elif now.ticks - leapt.ticks >= SETTLED_SECONDS:
                return self._believe(now)
            return expected

    @property
    def leapt(self) -> bool:
        """Whether the clock leapt when it was last asked, and is not believed yet."""
        return self._leapt is not None

    def _believe(self, now: _Anchor) -> datetime:
        if self._leapt is not None:
            _log.warning("the time is taken for right: %s", f"{now.wall:%Y-%m-%d %H:%M}")
        self._leapt = None
        self._believed = [*self._believed, now][-REMEMBERED:]
        return now.wall

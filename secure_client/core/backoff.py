"""How long to wait between tries to connect: exponential, with full jitter.

Full jitter (a random wait from 0 to the bound) spreads a thousand clients that lost one server in the same moment over
the whole interval, instead of having them come back in waves.
"""

from __future__ import annotations

from collections.abc import Callable

BASE = 0.25
"""Seconds: the bound of the first wait; a restarted server is back about then."""
CAP = 30.0
"""Seconds: the longest bound; a person notices a server that is back within half a minute."""


def uniform(low: float, high: float) -> float:
    """Return a random number between the two; as `random.uniform`, which is imported when it is first wanted."""
    from random import uniform as drawn  # noqa: PLC0415 - most programs never lose a connection

    return drawn(low, high)  # noqa: S311 - nothing is kept secret by it


class Backoff:
    """Gives the next wait, longer each time.

    Args:
        uniform: see there; injected for tests.
        base: seconds, bound of the first wait.
        cap: seconds, the greatest bound.
    """

    def __init__(self, uniform: Callable[[float, float], float], base: float = BASE, cap: float = CAP) -> None:
        self._uniform = uniform
        self._base = base
        self._cap = cap
        self._bound = base

    def next(self) -> float:
        """Return the seconds to wait now, and double the bound."""
        wait = self._uniform(0.0, self._bound)
        self._bound = min(self._cap, self._bound * 2)
        return wait

    def reset(self) -> None:
        """Begin again, after a connection that lasted."""
        self._bound = self._base

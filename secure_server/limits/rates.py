"""How fast each token may run commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from secure_server.config.settings import Limits
from secure_server.limits.rate import Rate
from secure_server.limits.token_bucket import TokenBucket

SWEEP = 1024
"""Buckets kept before those are dropped that nobody uses and that have filled up again; a new one is the same."""


def default_rate(limits: Limits) -> Rate | None:
    """The rate of tokens that have none of their own, as configured; None where there is none."""
    return Rate(limits.commands_per_second, limits.commands_burst) if limits.commands_per_second else None


class Rates:
    """The buckets, one for each name: tokens that replace one another share it. Any thread.

    A bucket outlives its sessions until it has filled up again, or reconnecting would give a full one.

    Args:
        default: of tokens that have no rate of their own; None lets them run commands as fast as they can.
        clock: monotonic seconds.
    """

    def __init__(self, default: Rate | None, clock: Callable[[], float]) -> None:
        self._default = default
        self._clock = clock
        self._lock = threading.Lock()
        self._shared: WeakValueDictionary[tuple[str, Rate], TokenBucket] = WeakValueDictionary()
        """All that somebody holds: a session, or the table below."""
        self._kept: dict[tuple[str, Rate], TokenBucket] = {}
        self._sweep_at = SWEEP

    def take_up(self, default: Rate | None) -> None:
        """Have another rate for tokens that have none of their own, from their next login on."""
        with self._lock:
            self._default = default

    def bucket(self, name: str, rate: Rate | None) -> TokenBucket | None:
        """Return what all sessions of a name share; None where nothing limits it.

        Args:
            name: the token's.
            rate: the token's own, if it has one.
        """
        rate = rate or self._default
        if rate is None:
            return None
        key, now = (name, rate), self._clock()
        with self._lock:
            bucket = self._shared.get(key)
            if bucket is None:
                self._shared[key] = bucket = TokenBucket(rate.per_second, rate.burst, now)
            self._kept[key] = bucket
            if len(self._kept) >= self._sweep_at:
                self._kept = {key: kept for key, kept in self._kept.items() if not kept.full(now)}
                self._sweep_at = max(SWEEP, 2 * len(self._kept))  # so that sweeping costs little for each bucket
            return bucket

"""The memory that all sessions share for what waits beyond one request each.

A session may always have one request waiting, so that none depends on another to go on. Room for more it takes from
the reserve first, in portions; where nothing is left it reads no more, and those who wait for a portion get one each in
the order in which they came. So the whole is bounded whoever sends, and nobody starves.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

PORTION_BYTES = 64 * 1024
"""What a session takes at once: a few reads' worth, so that those who wait have their turns."""


class Reserve:
    """What there is to share. Any thread.

    Args:
        total: bytes, of all sessions.
        most: bytes, of one.

    Attributes:
        portion: bytes that a session takes at once.
        most: portions that one may have.
    """

    def __init__(self, total: int, most: int) -> None:
        self.portion = min(PORTION_BYTES, total, most)
        self.most = most // self.portion
        self._portions = self._free = total // self.portion
        self._waiting: OrderedDict[Share, None] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Bytes that all may have together."""
        return self._portions * self.portion

    @property
    def used(self) -> int:
        """Bytes of portions that somebody has; more than the total where that was lowered since."""
        return (self._portions - self._free) * self.portion

    @property
    def free(self) -> int:
        """Bytes that nobody has."""
        return max(0, self._free) * self.portion

    @property
    def waiting(self) -> int:
        """How many wait for a portion."""
        return len(self._waiting)

    def claim(self, share: Share) -> bool:
        """Take one more portion; False where there is none: the share is given one later, in its turn."""
        with self._lock:
            if share.portions >= self.most or share in self._waiting:
                return False
            if self._free > 0:  # so nobody waits: whatever is given back goes to those first
                self._free -= 1
                share.portions += 1
                return True
            self._waiting[share] = None
            return False

    def give_back(self, share: Share, keep: int = 0) -> None:
        """Take back what a share has beyond `keep` portions, with its place in line if that is none."""
        with self._lock:
            if not keep:
                self._waiting.pop(share, None)
            self._free += max(0, share.portions - keep)
            share.portions = min(share.portions, keep)
            woken = self._deal_out()
        for first in woken:
            first.wake()

    def take_up(self, total: int, most: int) -> None:
        """Have others bounds from here on; what is taken beyond them is not given out again once it comes back.

        A portion stays as large as it is, so bounds below one leave room for none.

        Args:
            total: see `Reserve`.
            most: likewise.
        """
        with self._lock:
            self.most = most // self.portion
            portions, before = total // self.portion, self._portions
            self._portions = portions
            self._free += portions - before
            woken = self._deal_out()
        for first in woken:
            first.wake()

    def _deal_out(self) -> list[Share]:
        """Give what is free to those who wait; return who is to be woken. Under the lock."""
        woken = []
        while self._free > 0 and self._waiting:
            first, _ = self._waiting.popitem(last=False)
            self._free -= 1
            first.portions += 1
            woken.append(first)
        return woken


class Share:
    """What one session has of the reserve.

    Args:
        reserve: what it is of.
        wake: called on any thread, and with no lock held, when it was given a portion that it had to wait for.

    Attributes:
        portions: that it has; changed by the reserve alone.
    """

    __slots__ = ("_reserve", "portions", "wake")

    def __init__(self, reserve: Reserve, wake: Callable[[], None]) -> None:
        self._reserve = reserve
        self.wake = wake
        self.portions = 0

    # The thread that owns the session

    @property
    def bytes(self) -> int:
        """What it may have waiting beyond one request."""
        return self.portions * self._reserve.portion

    def grow(self) -> bool:
        """Take one more portion; False where it has to wait, or has all that it may have."""
        return self._reserve.claim(self)

    def fit(self, need: int) -> None:
        """Give back what is not needed.

        Args:
            need: bytes beyond one request that wait; below 0 where that is not even full.
        """
        keep = 0 if need < 0 else need // self._reserve.portion + 1  # of which one has room
        if self.portions > keep or not keep:
            self._reserve.give_back(self, keep)

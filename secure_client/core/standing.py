"""How a followed job stands, by what came of it so far; for whoever follows it, on a thread or on a loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from secure_client.core.progress import Progress
from secure_client.core.watch import Gap, Part, Standing


class Followed:
    """A job as it is known to who follows it.

    Args:
        first: the number of the part that it is followed from.

    Attributes:
        number: by which it is known at the server.
        state: as far as was told: `queued`, `running`, or how it had ended before it was followed.
        place: in the line, from 1, while it is queued; else 0.
        progress: what was told last; None: nothing yet.
        next: the number of the part after the last that was taken; attaching from it comes back to it.
        dropped: how many parts were missing so far, for the server keeps a part of long outputs alone.
    """

    def __init__(self, first: int) -> None:
        self.number = 0
        self.state = ""
        self.place = 0
        self.progress: Progress | None = None
        self.next = first
        self.dropped = 0
        self._waiting: deque[object] = deque()
        self._over = False

    def _take(self, items: Sequence[object], progress: Progress | None, *, over: bool) -> None:
        """Take what has come since."""
        self._waiting += items
        self.progress = progress or self.progress
        self._over = over

    def _came(self) -> Iterator[Part | Gap | Standing]:
        """Yield what waits, counted."""
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, Part):
                self.next = item.number + 1
                yield item
            elif isinstance(item, Gap):
                self.next = item.next
                self.dropped += item.next - item.first
                yield item
            elif isinstance(item, Standing):
                self._stand(item)
                yield item

    def _stand(self, item: Standing) -> None:
        self.number, self.state, self.place = item.job, item.state, item.place

    def _introduce(self) -> bool:
        """Take the first word of it, which says how it stands; False where there is none yet."""
        if not self._waiting:
            return False
        first = self._waiting.popleft()
        if isinstance(first, Standing):
            self._stand(first)
        return True

"""Who watches: a session whose call others feed, so that watching holds no thread and nobody waits for a slow one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Generic, Protocol

from secure_protocol.errors import CommandError, Failure
from secure_protocol.replies import Push
from secure_server.session.call import Feed
from secure_server.session.session import Session
from secure_server.watching.choosing import Item
from secure_server.watching.telling import Telling

QUEUE = 1_000
"""Items that wait for one who watches; what comes when there are as many is dropped, and counted."""
QUIET_SECONDS = 15.0
"""After so long without a word, who can tell a push from a reply is told that nothing happens: clients give up after a
minute."""

Anything = object
"""What is handed to all who watch; each takes what its telling is `of`."""


class Feeding(Protocol):
    """Whoever feeds all who watch; see `secure_server.watching.watching`. Any thread."""

    clock: Callable[[], float]
    """Monotonic seconds."""

    def add(self, watcher: Watcher[Item]) -> None:
        """Feed it from now on."""

    def drop(self, watcher: Watcher[Item]) -> None:
        """Feed it no more."""

    def wake(self) -> None:
        """Somebody has room again."""


class Watcher(Generic[Item]):
    """One session that watches, and the `Errand` that it knows.

    Args:
        session: whose.
        telling: how it is told.
        chosen: says whether an item is to be told, at a monotonic second.
        check: raises a CommandError where the session may watch no more.
        most: items, after which it ends; None: it does not end by itself.
        follows: it waits for what is to come; else it ends when it was told what waits.
        kinds: of events, that are to be handed to it.

    Attributes:
        gone: nobody is told any more.
    """

    def __init__(
        self,
        session: Session,
        telling: Telling[Item],
        chosen: Callable[[Item, float], bool],
        check: Callable[[], None],
        *,
        most: int | None = None,
        follows: bool = True,
        kinds: frozenset[str] = frozenset(),
    ) -> None:
        self.session = session
        self.telling: Telling[Item] = telling
        self.chosen: Callable[[Item, float], bool] = chosen
        self.kinds = kinds
        self.gone = False
        self._check = check
        self._left = most
        self._follows = follows
        self._waiting: deque[Item | int] = deque()
        """Whoever feeds alone touches it; a number says how many were dropped there."""
        self._heard = 0.0
        self._feeding: Feeding | None = None
        self._call: Feed | None = None
        self._refused: Failure | None = None  # before it had begun

    def begin(self, feeding: Feeding) -> None:
        """Have the session wait for what it is told, and be fed. Its own thread."""
        session = self.session
        self._feeding = feeding
        self._heard = feeding.clock()
        call = Feed(partial(session.call_soon, session.process), self._on_room)
        session.begin(None, self, call)
        self._call = call
        feeding.add(self)
        if self._refused is not None:
            self.refuse(self._refused)

    def tell_first(self, items: Iterable[Item]) -> None:
        """Have it told these before all that is to come; before it is added, or begins."""
        self._waiting.extend(items)

    # Whoever feeds it

    def take(self, items: Sequence[Anything], now: float) -> None:
        """Let those wait that it wants to be told; one that does not fit is dropped, and counted.

        It need not have begun.

        Args:
            items: in their order.
            now: monotonic seconds.
        """
        of = self.telling.of
        for item in items:
            if isinstance(item, of) and self._follows and self.chosen(item, now):
                if len(self._waiting) < QUEUE:
                    self._waiting.append(item)
                else:
                    self.miss(1)

    def miss(self, count: int) -> None:
        """So many items were dropped here."""
        waiting = self._waiting
        if waiting and isinstance(waiting[-1], int):
            count += waiting.pop()  # type: ignore[operator] # a number, see above
        waiting.append(count)

    def feed(self, most: int, now: float) -> bool:
        """Tell what waits, as far as there is room; whether more is to be told at once.

        Args:
            most: items at once, so that the others have their turns.
            now: monotonic seconds.
        """
        call = self._call
        if call is None:
            return False
        try:
            self._check()
        except CommandError as failure:
            self.refuse(failure)
            return False
        said, room = bytearray(), call.room
        while self._waiting and most and len(said) < room and self._left != 0:
            said += self._written(self._waiting.popleft())
            most -= 1
        if not said and self.telling.codec.pushes and now - self._heard >= QUIET_SECONDS:
            said += self.telling.codec.push(Push("progress", (0.0, "")))
        if said:
            self._heard = now
            call.offer(bytes(said))
        if self._left == 0 or not (self._follows or self._waiting):
            self._finish(self.telling.codec.end(None))
            return False
        return bool(self._waiting) and call.room > 0

    def _written(self, item: Item | int) -> bytes:
        if isinstance(item, int):
            return self.telling.missed(item)
        if self._left is not None:
            self._left -= 1
        return self.telling.tell(item)

    # Any thread

    def refuse(self, failure: Failure) -> None:
        """Answer that, and watch no more."""
        call, session = self._call, self.session
        if call is None:
            self._refused = failure
            return
        # What it was offered is streamed before the answer, and decides how that is written.
        self._finish(session.codec.failure(session.failure(failure), streamed=call.streamed))

    def _finish(self, reply: bytes) -> None:
        self._leave()
        session, call, feeding = self.session, self._call, self._feeding
        assert call is not None  # noqa: S101 - it has begun
        assert feeding is not None  # noqa: S101 - likewise
        session.call_soon(lambda: session.finish(call, reply, feeding.clock()))

    def _leave(self) -> None:
        self.gone = True
        if self._feeding is not None:
            self._feeding.drop(self)

    # The session's thread: it is the session's errand

    def _on_room(self) -> None:
        if self._waiting and self._feeding is not None:
            self._feeding.wake()

    def withdraw(self) -> bool:
        """The peer cancelled, or has gone: it ends at once."""
        self._leave()
        return True

    def overtake(self) -> bool:
        """It is answered without any end."""
        return True

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._leave()

"""A session's command in progress: its deadline, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from secure_protocol.errors import ErrorCode
from secure_server.session.call import GRACE_SECONDS, Call
from secure_server.session.carrier import Carrier, Timer


class Errand(Protocol):
    """Whoever has a handler called elsewhere; see `secure_server.dispatch.elsewhere`. Owning thread only."""

    def withdraw(self) -> bool:
        """It is not to begin any more; whether it had not."""
        ...

    def overtake(self) -> bool:
        """The peer is about to be answered without it; False where it has ended, and its own answer is on its way."""
        ...

    def leave(self) -> None:
        """Its grace is over, and nobody waits for its end any more."""


class Running:
    """One call that a handler elsewhere answers. Owning thread only.

    Args:
        call: joins it to its worker.
        carrier: has the timers.
        timeout: seconds after which it is told to stop; None never.
        errand: has it called; None where it cannot be taken back.
        answer: called when the peer is to be answered without it.
        abandon: called when nothing waits for it any more, answered or not.

    Attributes:
        answered: the peer has its answer, though the handler may not have ended.
    """

    __slots__ = ("_abandon", "_answer", "_carrier", "_deadline", "_errand", "answered", "call")

    def __init__(
        self,
        call: Call,
        carrier: Carrier,
        timeout: float | None,
        errand: Errand | None,
        answer: Callable[[Call], None],
        abandon: Callable[[Call], None],
    ) -> None:
        self.call = call
        self.answered = False
        self._carrier = carrier
        self._errand = errand
        self._answer = answer
        self._abandon = abandon
        self._deadline: Timer | None = None
        if timeout is not None:
            self._deadline = carrier.call_later(timeout, partial(self.cancel, ErrorCode.TIMEOUT))

    def cancel(self, code: ErrorCode) -> None:
        """Tell it to stop, and leave it a moment to end by itself.

        Whoever set a time is answered when that is over; whoever cancels, when it has ended or the moment is over. What
        it still does then goes unheard. What has not begun never will, and is answered at once.
        """
        if self.call.ended_by is not None:
            return
        self.call.cancel(code)
        self.end()
        if self._errand is not None and self._errand.withdraw():
            self._carrier.call_soon(partial(self._abandon, self.call))
            return
        if code is ErrorCode.TIMEOUT:
            self._overtake()
        self._deadline = self._carrier.call_later(GRACE_SECONDS, self._leave)

    def end(self) -> None:
        """It has ended, or nobody waits for it: no deadline holds any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overtake(self) -> None:
        """Answer the peer without it, unless it is answered, or its own answer is on its way."""
        if not self.answered and (self._errand is None or self._errand.overtake()):
            self._answer(self.call)
            self.answered = True

    def _leave(self) -> None:
        self._overtake()
        if self._errand is not None:
            self._errand.leave()
        self._abandon(self.call)  # also where its answer waits for its record, and that for a disk that is stuck

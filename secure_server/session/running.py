"""A session's command in progress: its deadline, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from secure_protocol.errors import ErrorCode
from secure_server.session.call import GRACE_SECONDS, Call
from secure_server.session.carrier import Carrier, Timer


class Running:
    """One call that a handler elsewhere answers. Owning thread only.

    Args:
        call: joins it to its worker.
        carrier: has the timers.
        timeout: seconds after which it is told to stop; None never.
        abandon: called when it did not stop in time, so that its peer is answered without it.
    """

    __slots__ = ("_abandon", "_carrier", "_deadline", "call")

    def __init__(self, call: Call, carrier: Carrier, timeout: float | None, abandon: Callable[[Call], None]) -> None:
        self.call = call
        self._carrier = carrier
        self._abandon = abandon
        self._deadline: Timer | None = None
        if timeout is not None:
            self._deadline = carrier.call_later(timeout, partial(self.cancel, ErrorCode.TIMEOUT))

    def cancel(self, code: ErrorCode) -> None:
        """Tell it to stop. It has a moment to end by itself; then what it still does goes unheard."""
        if not self.call.cancelled.is_set():
            self.call.cancel(code)
            self.end()
            self._deadline = self._carrier.call_later(GRACE_SECONDS, partial(self._abandon, self.call))

    def end(self) -> None:
        """It has ended, or nobody waits for it: no deadline holds any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

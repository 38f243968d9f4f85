"""What happens, as it happens, for whoever watches; while nobody does, it costs one truth test.

Whoever reports makes a tuple and hands it on; nothing is formatted and nothing waited for, for most of it happens on
the I/O threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from secure_protocol.text_requests import Request
from secure_server.audit.record import Value, Withheld
from secure_server.audit.who import Who
from secure_server.recording.recorded import Recorded

CONNECT, AUTHENTICATION, COMMAND, JOB, CLOSE = "connect", "authentication", "command", "job", "close"
MOVE = "move"
PENALTY, TOKEN, CERTIFICATE, CONFIGURATION = "penalty", "token", "certificate", "configuration"
KINDS = (CONNECT, AUTHENTICATION, COMMAND, JOB, MOVE, CLOSE, PENALTY, TOKEN, CERTIFICATE, CONFIGURATION)
"""Of events, by the names that watchers know them by."""
ARGUMENTS = 8
"""Of a command, handed on: a line on a screen has no room for more. With the next: bounds what waits for watchers."""
ARGUMENT_BYTES = 256
"""Of one argument."""
NOBODY = Who(0, "", "")
NOTHING: Mapping[str, Value] = {}


class Event(NamedTuple):
    """What happened.

    Attributes:
        moment: Unix seconds.
        kind: one of `KINDS`.
        who: did it, or whom it befell.
        outcome: `ok`, `accepted`, a job's state, a reason, an error's code, ….
        command: its name, in upper case; of a job what it runs.
        arguments: the first of them, as the trail may have them, cut; None where all are withheld.
        more: arguments that were left out.
        seconds: how long it took; None where nobody measured that.
        times: so many alike.
        detail: whatever else, by name; what is empty is left out when it is told.
    """

    moment: float
    kind: str
    who: Who = NOBODY
    outcome: str = ""
    command: str = ""
    arguments: Sequence[bytes | Withheld] | None = ()
    more: int = 0
    seconds: float | None = None
    times: int = 1
    detail: Mapping[str, Value] = NOTHING


class Events:
    """Hands events on. Any thread.

    Args:
        clock: Unix seconds.

    Attributes:
        wanted: the kinds that somebody watches; empty while nobody does. Whoever reports asks before all else.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.wanted: frozenset[str] = frozenset()
        self._clock = clock
        self._take: Callable[[Event], None] = _drop

    def want(self, kinds: frozenset[str], take: Callable[[Event], None]) -> None:
        """Have events of these kinds handed to `take`, which must not wait, from here on; of no others."""
        self._take = take
        self.wanted = kinds

    def tell(self, kind: str, who: Who, outcome: str, /, **detail: Value) -> None:
        """Hand on what is neither a command nor a job."""
        if kind in self.wanted:
            self._take(Event(self._clock(), kind, who, outcome, detail=detail))

    def tell_command(
        self,
        who: Who,
        command: Recorded | None,
        name: str,
        given: Request,
        outcome: str,
        seconds: float | None,
        detail: Mapping[str, Value],
    ) -> None:
        """Hand on that a command was answered.

        Args:
            who: asked.
            command: which; None for one that there is not.
            name: what it is called in that case, too.
            given: its arguments as they came.
            outcome: of it.
            seconds: how long it took.
            detail: whatever else.
        """
        if COMMAND in self.wanted:
            arguments, more = _held(() if command is None else command.shown(given))
            self._take(Event(self._clock(), COMMAND, who, outcome, name, arguments, more, seconds, detail=detail))

    def tell_job(
        self,
        who: Who,
        command: str,
        given: Sequence[bytes | Withheld],
        outcome: str,
        seconds: float | None,
        detail: Mapping[str, Value],
    ) -> None:
        """Hand on that a job was added, has begun or has ended."""
        if JOB in self.wanted:
            arguments, more = _held(given)
            self._take(Event(self._clock(), JOB, who, outcome, command, arguments, more, seconds, detail=detail))

    def tell_again(self, who: Who, command: str, outcome: str, times: int) -> None:
        """Hand on that a command was answered so many times, each as the time before."""
        if COMMAND in self.wanted:
            self._take(Event(self._clock(), COMMAND, who, outcome, command, times=times))


def _held(arguments: Sequence[bytes | Withheld] | None) -> tuple[Sequence[bytes | Withheld] | None, int]:
    """Return what is handed on, and how many are left out: not the peer's megabyte, which it would keep in memory."""
    if not arguments:
        return arguments, 0
    kept = [item[:ARGUMENT_BYTES] if isinstance(item, bytes) else item for item in arguments[:ARGUMENTS]]
    return kept, len(arguments) - len(kept)


def _drop(_event: Event) -> None:
    """Stand for who watches, while nobody does."""

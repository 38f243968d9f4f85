"""One run of a job's command: a thread of its own, a call without a session, and output that is kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ErrorReply, Push
from secure_server.commands.answer import answer, end_child
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services
from secure_server.jobs.job import KEPT_BYTES, JobState
from secure_server.jobs.keeping.output import Output
from secure_server.jobs.unattended import Unattended
from secure_server.recording.recorded import OK
from secure_server.session.call import GRACE_SECONDS, Call, CallEndedError
from secure_server.session.codecs import KEPT, Codec

_STATES: dict[str, JobState] = {
    OK: JobState.DONE,
    ErrorCode.TIMEOUT: JobState.TIMED_OUT,
    ErrorCode.CANCELLED: JobState.CANCELLED,
}
"""By how a run ended; all else failed."""


class RunCall(Call):
    """A call whose output is kept. It waits for no reader: who reads slowly, or not at all, slows nothing.

    Args:
        output: where to.
        noticed: called when there is something new. Any thread; it must not wait.

    Attributes:
        progress: what was told last; None: nothing yet.
    """

    def __init__(self, output: Output, noticed: Callable[[], None]) -> None:
        super().__init__(noticed)
        self.progress: Push | None = None
        self._output = output
        self._noticed = noticed
        self._writing = threading.Lock()  # a handler's own threads may send as well

    def send(self, data: bytes) -> None:
        """Keep one part.

        Raises:
            CallEndedError: it should stop, or has ended.
        """
        with self._writing:
            if self._over:
                raise CallEndedError
            self._output.append(data)
            self.streamed = True
        self._noticed()

    def settle(self) -> bool:
        """Nobody hears it any more: what one of the handler's own threads is about to keep is kept before that."""
        with self._writing:
            return super().settle()

    def tell(self, push: Push, codec: Codec) -> None:
        """Keep the progress; who watches is told of it."""
        del codec
        if self._over:
            raise CallEndedError
        self.progress = push
        self._noticed()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        outcome: `ok`, an error's code, or `internal-error`.
        reply: what the handler's value, or failure, is, as RESP3; None where that is the last part of the output.
        parts: the number of the part that would follow the output.
        exit_code: of its program.
    """

    outcome: str
    reply: bytes | None
    parts: int
    exit_code: int | None = None

    @property
    def state(self) -> JobState:
        """What became of the job."""
        return _STATES.get(self.outcome, JobState.FAILED)

    @classmethod
    def failed(cls, failure: ErrorReply) -> Self:
        """Return the end of one that did not begin."""
        return cls(failure.code, KEPT.failure(failure), 0)


class Run:
    """One job that runs. Its methods are for any thread.

    Args:
        number: the job's.
        command: is run, by the policy that it had when it began.
        handler: the command's, which is given a context, with its arguments.
        by: who started it.
        services: for the context.
        output: is written, and closed in the end.
        noticed: called when there is something new to read.
        launch: told the program that is about to run, before it does; returns when that is on record.
        ended: called on the thread, when it has ended.

    Attributes:
        call: tells the handler to stop.
        output: as given.
        due: when its time is up, on the clock; None: never.
    """

    def __init__(
        self,
        number: int,
        command: Command,
        handler: Callable[[Context], object],
        by: Unattended,
        services: Services,
        *,
        output: Output,
        noticed: Callable[[], None],
        launch: Callable[[int], None],
        ended: Callable[[Ended], None],
    ) -> None:
        self.number = number
        self.command = command
        self.output = output
        self.call = RunCall(output, noticed)
        self.due = None if command.timeout is None else services.clock() + command.timeout
        self._leave_at: float | None = 0.0
        """When it is stuck; 0 where that is not reckoned yet, None when it was told."""
        self._context = Context(by.as_session, services, command, self.call)
        self._context.before_program = launch
        self._handler = handler
        self._ended = ended
        self._thread = threading.Thread(target=self._run, name=f"job-{number}", daemon=True)

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: there is none to be had.
        """
        self._thread.start()

    def cancel(self, code: ErrorCode) -> None:
        """Tell the handler to stop; the first reason stays."""
        self.call.cancel(code)

    def is_stuck(self, now: float) -> bool:
        """Whether it was told to stop, and has not in the time that any handler has; True once.

        Args:
            now: on the clock of its services; to be asked every second or so.
        """
        if self.call.ended_by is None or self._leave_at is None:
            return False
        if self._leave_at == 0.0:
            self._leave_at = now + GRACE_SECONDS
        if now < self._leave_at:
            return False
        self._leave_at = None
        return True

    def join(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        context, call, process = self._context, self.call, os.getpid()
        found = answer(context, partial(self._handler, context))
        end_child(process)
        assert isinstance(found, tuple)  # noqa: S101 - `Later` is for inline handlers
        outcome, reply = found
        call.settle()  # a thread that the handler left behind is heard no more
        if call.ended_by is not None:  # whatever it gave is not what is told
            outcome, reply = call.ended_by, context.session.ended_reply(call)
        parts, long = self.output.next, len(reply) > KEPT_BYTES and outcome == OK
        if long:
            self.output.append(reply)
        self.output.close()
        self._ended(Ended(str(outcome), None if long else reply, parts, context.exit_code))

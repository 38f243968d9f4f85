"""A request whose handler a worker calls: from its place in a line to its end, which its peer may not wait for.

Its answer is settled once, by whoever is first: the worker, when the handler has ended; or the session's thread, when
the time is up and the peer is answered without it. Either way it is on record when it is answered; a handler that ends
after that is on record again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from secure_protocol.errors import ErrorCode
from secure_protocol.text_requests import Request
from secure_server.commands.answer import answer, end_child
from secure_server.commands.context import Context
from secure_server.dispatch.refusals import too_busy
from secure_server.dispatch.workers import Submit, Task, WorkersBusyError
from secure_server.recording.recording import STOPPED, Recording

_log = logging.getLogger("secure_server.dispatcher")


class Elsewhere:
    """One request, and the `Errand` that its session knows. Owning thread only, but for what the worker does.

    Args:
        context: its call is made here.
        handler: with its arguments.
        given: these, as they came.
        recording: is told.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        context: Context,
        handler: Callable[[], object],
        given: Request,
        recording: Recording,
        clock: Callable[[], float],
    ) -> None:
        self._context = context
        self._handler = handler
        self._given = given
        self._recording = recording
        self._clock = clock
        self._process = os.getpid()
        self._task: Task | None = None
        self._began: float | None = None

    def begin(self, submit: Submit) -> None:
        """Have a worker run it, or refuse it where none can be had."""
        context, session = self._context, self._context.session
        call = context.call = session.begin(context.command.timeout, self)
        try:
            self._task = submit(self._run, _line(context))
        except WorkersBusyError:
            failure = too_busy()
            self._record(failure.code, ran=False)
            session.finish(call, session.codec.failure(session.failure(failure)), self._clock())

    def withdraw(self) -> bool:
        """It is not to begin any more; whether it had not."""
        if self._task is None or not self._task.withdraw():
            return False
        self._record(self._ended_by, ran=False)
        return True

    def overtake(self) -> bool:
        """The peer is about to be answered without it; False where its own answer is on its way."""
        if not self._settle():
            return False
        context = self._context
        who = context.session.who(context.principal)
        self._recording.left(who, context.command, self._given, self._ended_by, seconds=self._seconds or 0.0)
        context.session.note(context.command.name, self._ended_by, self._seconds)
        return True

    def leave(self) -> None:
        """Its grace is over, and nobody waits for its end any more: its thread is stuck."""
        if self._task is not None and (stuck := self._task.leave()):
            name, number = self._context.command.name, self._context.session.number
            _log.warning(
                "%s, session %d, was told to stop (%s), but its handler still runs, and keeps its thread; %d do",
                name, number, self._ended_by, stuck,
            )  # fmt: skip

    # The worker

    def _run(self) -> None:
        context, session = self._context, self._context.session
        call = context.call
        assert call is not None  # noqa: S101 - made before it was submitted
        ended, ran = self._forestalled(), False
        if ended is not None:
            outcome, reply = str(ended), session.ended_reply(call)
        else:
            outcome, reply = self._called()
            ran = True
        try:
            if not self._settle():
                who, code = session.who(context.principal), context.exit_code
                self._recording.late(who, context.command, self._given, outcome, seconds=self._seconds, exit_code=code)
            elif call.ended_by is None or not ran or (call.ended_by is ErrorCode.CLOSED and outcome != STOPPED):
                self._record(outcome, ran=ran)  # also what was done though nobody is there any more
            else:  # it was told to stop, and whatever it gave is not what its peer is told
                self._record(call.ended_by, ran=True)
                reply = session.ended_reply(call)
        finally:  # whatever fails, nobody waits for what does not come
            session.call_soon(lambda: session.finish(call, reply, self._clock()))

    def _called(self) -> tuple[str, bytes]:
        context = self._context
        self._began = self._clock()
        with self._recording.running(context.session.who(context.principal), context.command, self._given):
            found = answer(context, self._handler)
            end_child(self._process)
        assert isinstance(found, tuple)  # noqa: S101 - `Later` is for inline handlers
        return found

    def _forestalled(self) -> ErrorCode | None:
        """Return why a command that waited for a worker is not to begin any more; None where it is."""
        context, session = self._context, self._context.session
        if context.call is not None and context.call.ended_by is not None:  # cancelled, out of time, or nobody is there
            return context.call.ended_by
        if session.closing:  # kicked, revoked or left, and its last words are not sent yet
            return ErrorCode.CLOSED
        if session.principal is not context.principal:
            return ErrorCode.CANCELLED
        return None

    # Either

    def _settle(self) -> bool:
        return self._context.call is not None and self._context.call.settle()

    @property
    def _ended_by(self) -> ErrorCode:
        call = self._context.call
        return ErrorCode.CANCELLED if call is None or call.ended_by is None else call.ended_by

    @property
    def _seconds(self) -> float | None:
        """For how long the handler has run; None where it was not called."""
        return None if self._began is None else self._clock() - self._began

    def _record(self, outcome: str, *, ran: bool) -> None:
        context = self._context
        who, code = context.session.who(context.principal), context.exit_code
        self._recording.command(
            who, context.command, self._given, outcome, ran=ran, seconds=self._seconds, exit_code=code
        )
        context.session.note(context.command.name, outcome, self._seconds)


def _line(context: Context) -> str:
    """Return in whose line it waits: all sessions of a name have one."""
    return "" if context.principal is None else context.principal.name

"""An inline command whose answer takes something that may block: a worker does that, and the loop answers then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

from secure_protocol.errors import ErrorCode
from secure_protocol.text_requests import Request
from secure_server.commands.context import Context
from secure_server.dispatch.refusals import too_busy
from secure_server.dispatch.workers import Submit, WorkersBusyError
from secure_server.recording.recording import Recording
from secure_server.session.call import CallEndedError, Later

LATER_SECONDS = 10.0
"""How long what an answer takes may wait for a worker. Each of those before it waits for a locked database 5 s at most.
Beyond that the peer is told to come again: for as long as it is kept, the deadline for authenticating stands still."""


class Run(Protocol):
    """Calls a handler and returns its encoded reply; see `Dispatcher`."""

    def __call__(self, context: Context, handler: Callable[[], object], given: Request) -> bytes | None:
        """Call it, record it, and raise nothing."""
        ...


@dataclass(frozen=True, slots=True)
class WorkFirst:
    """Has the work done, and then answers. On the session's owning thread.

    Attributes:
        submit: to the workers.
        run: calls `then`.
        recording: told where nobody waits for the answer any more.
        clock: monotonic seconds.
    """

    submit: Submit
    run: Run
    recording: Recording
    clock: Callable[[], float]

    def begin(self, context: Context, later: Later[Any], given: Request) -> None:
        """Have a worker do what may block.

        It is not begun where nobody waits for it any more. A stranger's deadline stands still meanwhile: how long a
        disk takes is not its doing.
        """
        session = context.session
        call, began = session.begin(), self.clock()  # no deadline: nothing can be taken back while it works
        unheard: list[Callable[[], None]] = []  # nothing was done yet

        def work() -> None:
            try:
                keep_to_time()
                done = later.work()
            except BaseException as error:  # noqa: BLE001 - told on the owning thread, as if the handler had raised it
                session.call_soon(partial(conclude, partial(fail, [error])))
            else:
                unheard.append(partial(later.unheard, done))
                session.call_soon(partial(conclude, partial(later.then, done)))

        def keep_to_time() -> None:
            if not session.waits_for(call):
                raise CallEndedError
            if self.clock() - began > LATER_SECONDS:
                raise too_busy()

        def fail(errors: list[BaseException]) -> NoReturn:
            later.undo()
            raise errors.pop()  # held by no frame that its traceback holds

        def conclude(then: Callable[[], object]) -> None:
            session.established += self.clock() - began
            if session.waits_for(call):
                session.finish(call, self.run(context, then, given) or b"", self.clock())
                return
            for tell in unheard:
                tell()
            self.recording.command(session.who(context.principal), context.command, given, ErrorCode.CLOSED, ran=True)

        try:
            self.submit(work)
        except WorkersBusyError:
            conclude(partial(fail, [too_busy()]))

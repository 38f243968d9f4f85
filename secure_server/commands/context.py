"""What a handler is given: who asks, and what of the server it may use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from secure_protocol.replies import Push
from secure_server.auth.principal import Principal
from secure_server.commands.authorizer import may_run
from secure_server.commands.command import Command
from secure_server.commands.facade import ServerFacade
from secure_server.session.call import Call
from secure_server.session.population import Sessions
from secure_server.session.session import Session

PROGRESS_SECONDS = 0.1
"""Least time between two progress messages of a call; the last one, at 1, is always told."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the framework itself needs of the server, for every command's context.

    Those of the built-in commands are more, and not this room's business; see `commands/builtin/services.py`.

    Attributes:
        sessions: the population.
        clock: monotonic seconds.
    """

    sessions: Sessions
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Context:
    """One call of a command.

    Attributes:
        session: whose request it is. From a worker, only what is marked "any thread". A job has none: it knows
            `principal`, `language` and `address` alone, see `secure_server.jobs.unattended`.
        services: what of the server may be used.
        command: what is being run.
        call: of a handler on a worker; None inline.
        before: of a `complete=` callback: the arguments before the one that is typed.
        principal: who asks. The session may have forgotten it by the time that the answer is recorded: RESET.
        exit_code: of the program that it ran, negative for a signal; for the record.
        before_program: called with a program's number before it is executed; where it raises, the program is not. None
            where nobody asks for it: then programs start without a launcher, sooner.
    """

    session: Session
    services: Services
    command: Command
    call: Call | None = None
    before: Sequence[str] = ()
    principal: Principal | None = field(init=False)
    exit_code: int | None = field(default=None, init=False)
    before_program: Callable[[int], None] | None = field(default=None, init=False)
    _progress_told: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.principal = self.session.principal

    @property
    def language(self) -> str:
        """Of who asks: `en`, `pt_BR`."""
        return self.session.language

    @property
    def address(self) -> str:
        """Where who asks is, or was when it started a job: `127.0.0.1:40312`, or `unix`."""
        return self.session.peer.address

    @property
    def server(self) -> ServerFacade:
        """What of the server a handler of your own may use; it may be kept, and used from any thread."""
        who = self.principal
        return ServerFacade(self.services.sessions, who.name if who else "-", self.session)

    def translate(self, sentence: str) -> str:
        """Return an English sentence in the session's language."""
        return self.session.translate(sentence)

    @property
    def cancelled(self) -> threading.Event:
        """Set when the handler should stop: the peer cancelled or has gone, or the time is up.

        A handler that waits should wait on it: `context.cancelled.wait(1)` instead of `time.sleep(1)`.
        """
        if self.call is None:  # an inline command is over before anybody could cancel it
            return threading.Event()
        return self.call.cancelled

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell how far the command is; the client shows a bar. Nothing happens where the peer cannot show it.

        Args:
            fraction: from 0 to 1.
            text: what is being done.

        Raises:
            CallEndedError: nobody waits for it any more; let it pass.
        """
        if self.call is None:
            return
        now = self.services.clock()
        if fraction >= 1 or now - self._progress_told >= PROGRESS_SECONDS:
            self._progress_told = now
            push = Push("progress", (min(1.0, max(0.0, float(fraction))), text))
            self.call.tell(push, self.session.codec)

    def may_run(self, command: Command) -> bool:
        """Whether the caller may run `command`: the same question that the gate asks."""
        return may_run(self.principal, command)

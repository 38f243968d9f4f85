"""Who hears of a job: the log and the trail, who started it, and the commands that its own command names."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import Push
from secure_server.audit.who import Who
from secure_server.commands.answer import answer
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services
from secure_server.i18n import N_
from secure_server.jobs.job import Job
from secure_server.jobs.order import Order
from secure_server.jobs.unattended import Unattended
from secure_server.recording.recorded import INTERNAL_ERROR
from secure_server.recording.recording import Recording
from secure_server.session.call import Call
from secure_server.session.codecs import Codec
from secure_server.session.messages import MESSAGE
from secure_server.session.population import Sessions
from secure_server.session.session import Session

SENDER = "jobs"
"""Who tells those that are connected."""
TELLER = "server:jobs"
"""In whose name, and in whose line, commands are run that are told; no token's name has a colon."""

Watches = Callable[[Session, int], bool]
"""Whether a session is told of a job's end anyway, by its number."""

_log = logging.getLogger("secure_server.jobs")


def tell_that_it_joins(session: Session, job: Job) -> None:
    """Tell a session that what it asked for is a job that there is, and whose."""
    if session.takes_messages:
        _post(
            session, N_("Job {number} ({command}), which {who} started with the same arguments, is followed here."), job
        )


def _post(session: Session, sentence: str, job: Job) -> None:
    text = session.translate(sentence)
    text = text.format(number=job.number, command=job.command, who=job.principal, state=job.state)
    session.post(Push(MESSAGE, (SENDER, text)))


class _Unheard(Call):
    """A call whose output nobody wants."""

    def send(self, data: bytes) -> None:
        del data

    def tell(self, push: Push, codec: Codec) -> None:
        del push, codec


class News:
    """Tells of jobs. For the thread that decides about them.

    Args:
        sessions: the population.
        recording: the log and the trail.
        services: for handlers.
        command_named: what a command is now.
        internal: an internal command by its name.
        submit: to workers, in a line; raises where there is no room.
    """

    def __init__(
        self,
        sessions: Sessions,
        recording: Recording,
        services: Callable[[], Services],
        *,
        command_named: Callable[[str], Command | None],
        internal: Callable[[str], Command | None],
        submit: Callable[[Callable[[], None], str], object],
    ) -> None:
        self._sessions = sessions
        self._recording = recording
        self._services = services
        self._command_named = command_named
        self._internal = internal
        self._submit = submit
        self._named: dict[int, tuple[str, ...]] = {}
        """Who is told of the end of each job that waits or runs: whom its command named when that began."""

    def refused(self, order: Order, failure: CommandError) -> None:
        """A start led to no job."""
        who = Who(0, order.principal.name, order.address)
        self._recording.command(who, order.command, order.given, failure.code, ran=False)

    def changed(self, job: Job, watches: Watches) -> None:
        """A job was added, has begun, or has ended; who watches it is told by that."""
        self._recording.job(
            Who(0, job.principal, job.address),
            job.number,
            job.command,
            () if job.state.ended else job.arguments,
            str(job.state),
            seconds=job.took(job.ended) if job.ended is not None else None,
            exit_code=job.exit_code,
            code=job.code,
            by=job.cancelled_by,
        )
        command = self._command_named(job.command)
        named = () if command is None else command.notify
        if not job.state.ended:
            self._named[job.number] = named
            return
        self._tell(job, watches)
        for name in self._named.pop(job.number, named):
            self._notify(name, job)

    def _tell(self, job: Job, watches: Watches) -> None:
        """Tell who started it, in each session that does not follow it anyway."""
        for session in self._sessions:
            principal = session.principal  # read once: its own thread may change it meanwhile
            if principal is None or principal.name != job.principal or not session.takes_messages:
                continue
            if not watches(session, job.number):
                _post(session, N_("Job {number} ({command}) has ended: {state}."), job)

    def _notify(self, name: str, job: Job) -> None:
        command = self._internal(name)
        if command is None:
            _log.error(
                "job %d: there is no internal command %s any more, which was to be told of its end", job.number, name
            )
            return
        try:
            self._submit(partial(self._run, command, job), TELLER)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from running, the others are told
            _log.error("job %d: %s could not be told of its end: %s", job.number, name, error or "too much to do")

    def _run(self, command: Command, job: Job) -> None:
        """On a worker."""
        told = {
            "job": str(job.number),
            "command": job.command,
            "state": str(job.state),
            "who": job.principal,
            "exit_code": "" if job.exit_code is None else str(job.exit_code),
        }
        given = [told[parameter.name].encode() for parameter in command.signature.parameters]
        services = self._services()
        call = _Unheard(lambda: None)
        timer = None
        if command.timeout is not None:
            timer = threading.Timer(command.timeout, partial(call.cancel, ErrorCode.TIMEOUT))
            timer.daemon = True
            timer.start()
        began = services.clock()
        outcome = INTERNAL_ERROR
        context = Context(Unattended(None, job.language, "", services.clock).as_session, services, command, call)
        try:
            values, flags = command.signature.bind(command.name, given)
            found = answer(context, partial(command.handler, context, *values, **flags))
            if isinstance(found, tuple):
                outcome = found[0]
        except CommandError as failure:
            outcome = failure.code
        finally:
            if timer is not None:
                timer.cancel()
            took = services.clock() - began
            self._recording.command(
                Who(0, TELLER, ""), command, given, outcome, ran=True, seconds=took, exit_code=context.exit_code
            )
        if outcome != "ok":
            _log.error("job %d: %s was to be told of its end, and failed: %s", job.number, command.name, outcome)

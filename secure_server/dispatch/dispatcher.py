"""The one gate: look up → limit → authorise → validate → run → record.

Every request of every session comes through `Dispatcher.dispatch`, whatever transport or codec it came by. It knows
no command by name: what differs between commands is data on the command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from secure_protocol.errors import CommandError, Failure, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_requests import Arguments
from secure_protocol.text_requests import Request
from secure_server.auth.principal import Role
from secure_server.commands.answer import answer, fault
from secure_server.commands.authorizer import authentication_required, authorise, may_run, spare_unrecorded
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services
from secure_server.commands.registry import Registry
from secure_server.dispatch.cleared import MOST_CLEARED, Cleared
from secure_server.dispatch.elsewhere import Elsewhere
from secure_server.dispatch.later import WorkFirst
from secure_server.dispatch.refusals import tire, too_fast
from secure_server.dispatch.workers import Submit
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.order import Order
from secure_server.recording.recorded import OK, UNKNOWN
from secure_server.recording.recording import MALFORMED, Recording
from secure_server.session.call import Awaited, Later
from secure_server.session.session import NOTHING, Session
from secure_server.statistics.slowest import SLOW_SECONDS

AT_ONCE = 16
"""Requests that are answered the short way before anybody looks at the clock; see `TURN_SECONDS`."""


class Dispatcher:
    """Runs requests. Called on the session's owning thread.

    Args:
        registry: the commands.
        services: for handlers.
        submit: for handlers that may block.
        submit_admin: the same for commands of the role admin, so that users who keep every worker busy cannot lock
            out whoever is to end that; None shares the others'.
        recording: the activity log and the audit trail.
        jobs: start what is a job; None runs it as any other command.
    """

    def __init__(
        self,
        registry: Registry,
        services: Services,
        submit: Submit,
        recording: Recording,
        submit_admin: Submit | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self._registry = registry
        self._services = services
        self._clock = services.clock
        self._submit = submit
        self._submit_admin = submit_admin or submit
        self._recording = recording
        self._jobs = jobs
        # The administrators' workers: users who keep the others busy are not to lock anybody out.
        self._work_first = WorkFirst(self._submit_admin, self._run, recording, services.clock)

    def answer_cleared(self, session: Session, name: bytes, requests: Sequence[Arguments]) -> int:
        """Answer, from the front, requests for one command that the gate has let this session run before.

        All else is `dispatch`'s: what is not remembered, has a wrong number of arguments, or must wait.

        Args:
            session: whose.
            name: of the command.
            requests: the arguments of each, as many in all.

        Returns:
            How many it answered, at most `AT_ONCE`; 0 leaves the first one to `dispatch`.
        """
        cleared, output, room, version = session.cleared, session.output, session.high_water, session.codec.version
        known = cleared.get(name)
        if not isinstance(known, Cleared) or len(output) >= room or session.unwanted or self._recording.suspends():
            return 0
        call, context, least, most, told, tally, edition = known
        own = session.own
        now = own if own is None or own.elsewhere is None else session.principal  # of all but admins, without a call
        if edition is not self._registry.edition or context.principal is not now:
            session.cleared = NOTHING
            return 0
        if not least <= len(requests[0]) <= most:
            return 0
        answered = 0
        raised: BaseException | None = None
        began = self._clock()
        try:
            # No `starmap`: it would take a handler's StopIteration for its own end.
            for arguments in requests if len(requests) <= AT_ONCE else requests[:AT_ONCE]:
                output += encode(call(*arguments), version)
                answered += 1
                if len(output) >= room or session.cleared is not cleared:  # it closed, or became somebody else
                    break
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises, SystemExit, too, it is answered
            raised = error
        if answered:
            took = self._clock() - began
            tally.add(answered, took)
            self._recording.repeat(told, answered)
            if took >= SLOW_SECONDS * answered:  # of several nobody knows which it was
                given = [*requests[0]] if answered == 1 else []
                self._recording.slow(session.who(context.principal), context.command, given, took / answered)
        activity = session.activity
        activity.last_command = context.command.name
        activity.commands += answered
        if raised is not None:
            outcome, reply = fault(context, raised)
            raised = None  # its traceback and this frame hold each other
            output += reply
            given = [*requests[answered]]
            self._recording.command(session.who(context.principal), context.command, given, outcome, ran=True)
            activity.commands += 1
            session.note(context.command.name, outcome)
            answered += 1
        return answered

    def dispatch(self, session: Session, request: Request | ProtocolError) -> None:
        """Answer one request, or what came instead of one, now or (from a worker) later. Raises nothing."""
        activity = session.activity
        activity.commands += 1
        command: Command | None = None
        given: Request = []
        try:
            tire(session)
            if isinstance(request, ProtocolError):  # not raised: its traceback and this frame would hold each other
                if not request.fatal:  # the connection ends with it, which is answer enough
                    self._keep_to_rate(session, None)
                self._refuse(session, None, given, request)
                return
            edition = self._registry.edition
            found = self._found(request)
            if found is not None:
                command, given = found
                activity.last_command = command.name
            self._keep_to_rate(session, command)  # first: a request costs its token, whatever comes of it
            if command is None:
                raise self._unknown(session, request)
            authorise(session.principal, command)
            if self._recording.suspends():
                spare_unrecorded(command)
            arguments, flags = command.signature.bind(command.name, given)
        except Failure as failure:
            self._refuse(session, command, given, failure)
            return
        if command.job and self._jobs is not None and session.principal is not None:
            session.note(command.name, "job")
            order = Order(command, given, arguments, flags, session.principal, session.language, session.peer.address)
            self._jobs.start_for(session, order).begin()
            return
        context = Context(session, self._services, command)
        handler = partial(command.handler, context, *arguments, **flags)
        if command.clearable and session.principal is not None and session.principal.bucket is None:
            self._clear(context, request[0], edition)
        if command.inline and not command.durable:
            if (reply := self._run(context, handler, given)) is not None:
                session.reply(reply)
        else:
            self._run_elsewhere(context, handler, given)

    def arrive(self, session: Session, request: Request) -> bytes | None:
        """Run a request that must not wait for the one that runs; return its encoded reply, None for all others."""
        try:
            command, given = self._registry.find(request)
            at_once = command.urgent and command.inline and not command.durable
            if not at_once or not may_run(session.principal, command):
                return None
            if self._recording.suspends():
                spare_unrecorded(command)
            arguments, flags = command.signature.bind(command.name, given)
            if self._throttled(session, command):  # asked last: what is told in its turn is counted there
                return None
        except CommandError:
            return None  # told in its turn
        session.activity.commands += 1
        context = Context(session, self._services, command)
        return self._run(context, partial(command.handler, context, *arguments, **flags), given)

    def _refuse(self, session: Session, command: Command | None, given: Request, failure: Failure) -> None:
        """Answer what no handler is called for."""
        outcome = MALFORMED if isinstance(failure, ProtocolError) else failure.code
        self._recording.command(session.who(session.principal), command, given, outcome, ran=False)
        if session.principal is not None:
            session.note(UNKNOWN if command is None else command.name, outcome)
        session.reply(session.codec.failure(session.failure(failure)))
        if isinstance(failure, ProtocolError) and failure.fatal:
            session.close(CloseReason.PROTOCOL_ERROR)

    def _clear(self, context: Context, name: bytes, edition: object) -> None:
        """Remember that the gate let this session run a command.

        Args:
            context: of the run.
            name: as it was asked for.
            edition: of the registry, from before the command was looked up there.
        """
        session, command = context.session, context.command
        if len(command.words) == 1 and not session.codec.for_people and len(session.cleared) < MOST_CLEARED:
            least, most = command.signature.counts
            call, who = partial(command.handler, context), session.who(session.principal)
            told, tally = self._recording.again(who, command), self._recording.tally(who, command)
            known = Cleared(call, context, least, most, told, tally, edition)
            session.cleared = {**session.cleared, name: known}

    def _found(self, request: Request) -> tuple[Command, Request] | None:
        try:
            return self._registry.find(request)
        except CommandError:
            return None

    def _unknown(self, session: Session, request: Request) -> CommandError:
        """Return what is said to a request for a command that there is not."""
        principal = session.principal
        if principal is None:  # a stranger learns nothing of what there is
            return authentication_required()
        return self._registry.unknown(request, lambda command: may_run(principal, command))

    def _keep_to_rate(self, session: Session, command: Command | None) -> None:
        """Raise a CommandError where the token's rate is used up."""
        if (wait := self._throttled(session, command)) > 0:
            raise too_fast(wait)

    def _throttled(self, session: Session, command: Command | None) -> float:
        """Count a request against its token's rate; 0, or the seconds until there is room for one again.

        Args:
            session: whose.
            command: that it is for; None where there is no such command, or it is no request.
        """
        principal = session.principal
        if principal is None or principal.bucket is None or (command is not None and command.unlimited):
            return 0.0
        return principal.bucket.take(self._services.clock())

    def _run(self, context: Context, handler: Callable[[], object], given: Request) -> bytes | None:
        """Call an inline handler and return its encoded reply; None where it answers later."""
        began = self._services.clock()
        found = answer(context, handler)
        if isinstance(found, Later):
            self._work_first.begin(context, found, given)
            return None
        outcome, reply = (OK, None) if isinstance(found, Awaited) else found
        who, took = context.session.who(context.principal), self._services.clock() - began
        self._recording.command(who, context.command, given, outcome, ran=True, seconds=took)
        if context.command.role:  # how strangers come in is among the session's moments
            context.session.note(context.command.name, outcome, took)
        if isinstance(found, Awaited):
            found.begin()
        return reply

    def _run_elsewhere(self, context: Context, handler: Callable[[], object], given: Request) -> None:
        """Have a worker call the handler."""
        submit = self._submit_admin if context.command.role is Role.ADMIN else self._submit
        Elsewhere(context, handler, given, self._recording, self._services.clock).begin(submit)

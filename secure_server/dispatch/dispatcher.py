"""The one gate: look up → limit → authorise → validate → run → record.

Every request of every session comes through `Dispatcher.dispatch`, whatever transport or codec it came by. It knows
no command by name: what differs between commands is data on the command.
"""

from __future__ import annotations

import logging
import math
import secrets
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol

from secure_protocol.errors import CommandError, ErrorCode, Failure, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply
from secure_protocol.resp_replies import encode
from secure_protocol.resp_requests import Arguments
from secure_protocol.text_requests import Request
from secure_server.auth.principal import Role
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services, may_run
from secure_server.commands.registry import Registry
from secure_server.commands.stream import stream
from secure_server.dispatch.cleared import MOST_CLEARED, Cleared
from secure_server.dispatch.workers import WorkersBusyError
from secure_server.i18n import N_
from secure_server.recording.recording import MALFORMED, OK, Recording
from secure_server.session.call import Call, CallEndedError, Later
from secure_server.session.session import Session

_log = logging.getLogger("secure_server.dispatcher")

AT_ONCE = 16
"""Requests that are answered the short way before anybody looks at the clock; see `TURN_SECONDS`."""


class Submit(Protocol):
    """Hands a job to another thread; see `secure_server.dispatch.workers`."""

    def __call__(self, job: Callable[[], None], line: str = "", /) -> object:
        """Take a job, to wait in that line; raises WorkersBusyError where there is no room."""


class Dispatcher:
    """Runs requests. Called on the session's owning thread.

    Args:
        registry: the commands.
        services: for handlers.
        submit: for handlers that may block.
        submit_admin: the same for commands of the role admin, so that users who keep every worker busy cannot lock
            out whoever is to end that; None shares the others'.
        recording: the activity log and the audit trail.
    """

    def __init__(
        self,
        registry: Registry,
        services: Services,
        submit: Submit,
        recording: Recording,
        submit_admin: Submit | None = None,
    ) -> None:
        self._registry = registry
        self._services = services
        self._submit = submit
        self._submit_admin = submit_admin or submit
        self._recording = recording

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
        call, context, least, most, told = known
        if not least <= len(requests[0]) <= most:
            return 0
        answered = 0
        fault: BaseException | None = None
        try:
            # No `starmap`: it would take a handler's StopIteration for its own end.
            for arguments in requests if len(requests) <= AT_ONCE else requests[:AT_ONCE]:
                output += encode(call(*arguments), version)
                answered += 1
                if len(output) >= room or session.cleared is not cleared:  # it closed, or became somebody else
                    break
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises, SystemExit, too, it is answered
            fault = error
        if answered:
            self._recording.repeat(told, answered)
        if fault is not None:
            outcome, reply = _fault(context, fault)
            fault = None  # its traceback and this frame hold each other
            output += reply
            given = [*requests[answered]]
            self._recording.command(session.who(context.principal), context.command, given, outcome, ran=True)
            answered += 1
        activity = session.activity
        activity.last_command = context.command.name
        activity.commands += answered
        return answered

    def dispatch(self, session: Session, request: Request | ProtocolError) -> None:
        """Answer one request, or what came instead of one, now or (from a worker) later. Raises nothing."""
        activity = session.activity
        activity.commands += 1
        command: Command | None = None
        given: Request = []
        try:
            _tire(session)
            if isinstance(request, ProtocolError):  # not raised: its traceback and this frame would hold each other
                if not request.fatal:  # the connection ends with it, which is answer enough
                    self._keep_to_rate(session, None)
                self._refuse(session, None, given, request)
                return
            found = self._found(request)
            if found is not None:
                command, given = found
                activity.last_command = command.name
            self._keep_to_rate(session, command)  # first: a request costs its token, whatever comes of it
            if command is None:
                raise self._unknown(session, request)
            _authorise(session, command)
            if self._recording.suspends():
                _spare_unrecorded(command)
            arguments, flags = command.signature.bind(command.name, given)
        except Failure as failure:
            self._refuse(session, command, given, failure)
            return
        context = Context(session, self._services, command)
        handler = partial(command.handler, context, *arguments, **flags)
        if command.clearable and session.principal is not None and session.principal.bucket is None:
            self._clear(context, request[0])
        if command.inline and not command.durable:
            if (reply := self._run(context, handler, given)) is not None:
                session.reply(reply)
        else:
            self._run_elsewhere(context, handler, given)

    def arrive(self, session: Session, request: Request) -> bytes | None:
        """Run a request that must not wait for the one that runs; return its encoded reply, None for all others."""
        try:
            command, given = self._registry.find(request)
            if not command.urgent or command.durable or not may_run(session.principal, command):
                return None
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
        session.reply(session.codec.failure(session.failure(failure)))
        if isinstance(failure, ProtocolError) and failure.fatal:
            session.close(CloseReason.PROTOCOL_ERROR)

    def _clear(self, context: Context, name: bytes) -> None:
        """Remember that the gate let this session run a command."""
        session, command = context.session, context.command
        if len(command.words) == 1 and not session.codec.for_people and len(session.cleared) < MOST_CLEARED:
            least, most = command.signature.counts
            call, told = (
                partial(command.handler, context),
                self._recording.again(session.who(session.principal), command),
            )
            known = Cleared(call, context, least, most, told)
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
            return _authentication_required()
        return self._registry.unknown(request, lambda command: may_run(principal, command))

    def _keep_to_rate(self, session: Session, command: Command | None) -> None:
        """Raise a CommandError where the token's rate is used up."""
        if (wait := self._throttled(session, command)) > 0:
            raise _too_fast(wait)

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
        """Call the handler and return its encoded reply, whatever it does. On the loop or on a worker.

        None is what an inline handler gives that answers later.
        """
        session, command, call = context.session, context.command, context.call
        outcome, reply = OK, b""
        try:
            value = handler()
            if isinstance(value, Later):
                self._work_first(context, value, given)
                return None
            if call is not None and isinstance(value, Iterator):
                reply = stream(context, call, value)
            else:
                form = session.translate(command.form) if command.form else ""
                reply = session.codec.reply(value, command.reply, form)
        except BaseException as error:  # noqa: BLE001 - as above; and no handler may end the thread that it runs on
            if not isinstance(error, CallEndedError) or call is None or call.ended_by is None:  # else answered below
                outcome, reply = _fault(context, error)
        if call is not None and call.ended_by is not None:
            outcome = call.ended_by
            reply = session.ended_reply(call)
        self._recording.command(session.who(context.principal), command, given, outcome, ran=True)
        return reply

    def _work_first(self, context: Context, later: Later[Any], given: Request) -> None:
        """Have a worker do what may block, and then answer on this thread.

        It is done whatever becomes of the session until a worker is free: the handler has begun already, and a token
        for one login that was shown is spent, also where whoever showed it has left.
        """
        session = context.session
        call = session.begin()  # no deadline: what must not take long before authentication has one already

        def work() -> None:
            try:
                then = partial(later.then, later.work())
            except BaseException as error:  # noqa: BLE001 - told on the owning thread, as if the handler had raised it
                session.call_soon(partial(conclude, partial(fail, [error])))
            else:
                session.call_soon(partial(conclude, then))

        def fail(errors: list[BaseException]) -> NoReturn:
            later.undo()
            raise errors.pop()  # held by no frame that its traceback holds

        def conclude(then: Callable[[], object]) -> None:
            if session.waits_for(call):
                session.finish(call, self._run(context, then, given) or b"", self._services.clock())
            else:
                self._recording.command(
                    session.who(context.principal), context.command, given, ErrorCode.CLOSED, ran=True
                )

        try:
            self._submit_admin(work)  # users who keep the other workers busy are not to lock anybody out
        except WorkersBusyError:
            conclude(partial(fail, [_too_busy()]))

    def _run_elsewhere(self, context: Context, handler: Callable[[], object], given: Request) -> None:
        session, command = context.session, context.command
        context.call = call = session.begin(command.timeout)

        def run() -> None:
            if (ended := _overtaken(context, call)) is None:
                reply = self._run(context, handler, given) or b""
            else:
                self._recording.command(session.who(context.principal), command, given, ended, ran=False)
                reply = session.ended_reply(call)
            session.call_soon(lambda: session.finish(call, reply, self._services.clock()))

        try:
            submit = self._submit_admin if command.role is Role.ADMIN else self._submit
            submit(run, "" if context.principal is None else context.principal.name)  # all its sessions share a line
        except WorkersBusyError:
            failure = _too_busy()
            self._recording.command(session.who(context.principal), command, given, failure.code, ran=False)
            session.finish(call, session.codec.failure(session.failure(failure)), self._services.clock())


def _overtaken(context: Context, call: Call) -> ErrorCode | None:
    """Return why a command that waited for a worker is not to begin any more; None where it is. On the worker."""
    session = context.session
    if call.ended_by is not None:  # cancelled, out of time, or the connection is gone
        return call.ended_by
    if session.closing:  # kicked, revoked or left, and its last words are not sent yet
        return ErrorCode.CLOSED
    if session.principal is not context.principal:
        return ErrorCode.CANCELLED
    return None


def _too_busy() -> CommandError:
    return CommandError(N_("The server has too much to do; try again in a moment."), code=ErrorCode.THROTTLED)


def _fault(context: Context, error: BaseException) -> tuple[str, bytes]:
    """Return what the log calls it when a handler raises that, and the encoded reply."""
    session = context.session
    outcome = "internal-error"
    if isinstance(error, Failure):
        try:
            told, outcome = session.failure(error), str(error.code)
        except Exception as broken:  # noqa: BLE001 - a sentence with a value that nobody gave is the handler's bug, too
            told = _internal_error(session, context.command, broken)
    else:
        told = _internal_error(session, context.command, error)
    return outcome, session.codec.failure(told, streamed=context.call is not None and context.call.streamed)


def _internal_error(session: Session, command: Command, error: BaseException) -> ErrorReply:
    """Log the traceback under a reference, and give the peer the reference alone.

    Of a command with secret arguments the log gets where it failed and the kind of error: messages like to quote.
    """
    reference = secrets.token_hex(4)
    where, told = "", None if command.secret else error
    if command.secret:
        where = f"\n{''.join(traceback.format_tb(error.__traceback__))}{type(error).__qualname__}"
    _log.error("internal error %s in %s, session %d%s", reference, command.name, session.number, where, exc_info=told)
    return session.failure(CommandError(N_("Internal error, reference {reference}."), reference=reference))


def _tire(session: Session) -> None:
    """Raise a CommandError, and close, where a stranger has asked often enough."""
    if session.tires():
        session.close_later(CloseReason.AUTH_FAILED)
        raise _authentication_required()


def _authorise(session: Session, command: Command) -> None:
    """Raise a CommandError that says what is missing, unless the session may run the command."""
    principal = session.principal
    if may_run(principal, command):
        return
    if principal is None:
        raise _authentication_required()
    if principal.role < command.role:
        raise CommandError(
            N_("{command} needs the role {role}; you are {mine}."),
            code=ErrorCode.NOPERM,
            command=command.name,
            role=command.role.label,
            mine=principal.role.label,
        )
    raise CommandError(
        N_("{command} is not on the list of commands that you may run."),
        code=ErrorCode.NOPERM,
        command=command.name,
    )


def _too_fast(seconds: float) -> CommandError:
    return CommandError(
        N_("You send commands faster than you may; retry-after={seconds}"),
        code=ErrorCode.THROTTLED,
        seconds=math.ceil(seconds),
    )


def _spare_unrecorded(command: Command) -> None:
    """Raise a CommandError unless it is a command that runs even while nothing can be recorded.

    The way in, what concerns the session itself, and administrators, who are to mend it.
    """
    if command.role not in (Role.NOBODY, Role.ADMIN) and not command.about_session:
        raise CommandError(
            N_("The audit trail cannot be written, and nothing may run unrecorded; tell an administrator."),
            code=ErrorCode.UNAVAILABLE,
        )


def _authentication_required() -> CommandError:
    return CommandError(N_("Authentication required: AUTH <token>."), code=ErrorCode.NOAUTH)

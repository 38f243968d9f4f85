"""The one gate: look up → authorise → limit → validate → run → record.

Every request of every session comes through `Dispatcher.dispatch`, whatever transport or codec it came by. It knows
no command by name: what differs between commands is data on the command.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from secure_protocol.errors import CommandError, ErrorCode, Failure
from secure_protocol.replies import ErrorReply, ReplyKind
from secure_protocol.text_requests import Request
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services, may_run
from secure_server.commands.registry import Registry
from secure_server.i18n import N_
from secure_server.session import Session
from secure_server.workers import Workers, WorkersBusyError

_log = logging.getLogger("secure_server.dispatcher")

UNKNOWN = "?"
"""What the log calls a command that there is not; the peer's own word would let it write the log's keys."""

OnCommand = Callable[[Session, str, str], None]
"""Told of each request: session, command, and `ok` or the error's code."""


class Dispatcher:
    """Runs requests. Called on the session's owning thread.

    Args:
        registry: the commands.
        services: for handlers.
        workers: for handlers that may block.
        on_command: the activity log.
    """

    def __init__(self, registry: Registry, services: Services, workers: Workers, on_command: OnCommand) -> None:
        self._registry = registry
        self._services = services
        self._workers = workers
        self._on_command = on_command

    def dispatch(self, session: Session, request: Request) -> None:
        """Answer one request, now or (from a worker) later. Raises nothing."""
        activity = session.activity
        activity.commands += 1
        name, outcome = UNKNOWN, "ok"
        kind, form = ReplyKind.TEXT, ""
        reply: object
        try:
            command, given = self._find(session, request)
            activity.last_command = name = command.name
            _authorise(session, command)
            kind, form = command.reply, command.form
            arguments, flags = command.signature.bind(name, given)
            context = Context(session, self._services, command)
            if not command.inline:
                self._submit(context, arguments, flags)
                return
            reply = command.handler(context, *arguments, **flags)
        except Failure as failure:
            reply = session.failure(failure)
            outcome = failure.code
        except Exception as error:  # noqa: BLE001 - whatever a handler raises, the peer gets an answer
            reply = self._internal_error(session, name, error)
            outcome = "internal-error"
        self._on_command(session, name, outcome)
        session.answer(reply, kind, session.translate(form) if form else "")

    def _find(self, session: Session, request: Request) -> tuple[Command, Request]:
        try:
            return self._registry.find(request)
        except CommandError:
            if session.principal is None:  # a stranger learns nothing of what there is
                raise _authentication_required() from None
            raise

    def _submit(self, context: Context, arguments: list[object], flags: dict[str, object]) -> None:
        session, command = context.session, context.command
        session.begin()

        def run() -> None:
            outcome = "ok"
            reply: object
            try:
                reply = command.handler(context, *arguments, **flags)
            except Failure as failure:
                reply = session.failure(failure)
                outcome = failure.code
            except Exception as error:  # noqa: BLE001 - as in dispatch
                reply = self._internal_error(session, command.name, error)
                outcome = "internal-error"
            self._on_command(session, command.name, outcome)
            form = context.translate(command.form) if command.form else ""
            session.call_soon(lambda: session.finish(reply, command.reply, form))

        try:
            self._workers.submit(run)
        except WorkersBusyError:
            failure = CommandError(
                N_("The server has too much to do; try again in a moment."), code=ErrorCode.THROTTLED
            )
            self._on_command(session, command.name, failure.code)
            session.finish(session.failure(failure))

    @staticmethod
    def _internal_error(session: Session, name: str, error: Exception) -> ErrorReply:
        """Log the traceback under a reference, and give the peer the reference alone."""
        reference = secrets.token_hex(4)
        _log.error("internal error %s in %s, session %d", reference, name, session.number, exc_info=error)
        return session.failure(CommandError(N_("Internal error, reference {reference}."), reference=reference))


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
        N_("{command} is not on the list of commands that your token allows."),
        code=ErrorCode.NOPERM,
        command=command.name,
    )


def _authentication_required() -> CommandError:
    return CommandError(N_("Authentication required: AUTH <token>."), code=ErrorCode.NOAUTH)

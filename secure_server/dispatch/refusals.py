"""What the gate refuses, and in which words."""

from __future__ import annotations

import math

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.commands.command import Command
from secure_server.commands.context import may_run
from secure_server.i18n import N_
from secure_server.session.session import Session


def tire(session: Session) -> None:
    """Raise a CommandError, and close, where a stranger has asked often enough."""
    if session.tires():
        session.close_later(CloseReason.AUTH_FAILED)
        raise authentication_required()


def authorise(session: Session, command: Command) -> None:
    """Raise a CommandError that says what is missing, unless the session may run the command."""
    principal = session.principal
    if may_run(principal, command):
        return
    if principal is None:
        raise authentication_required()
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


def too_fast(seconds: float) -> CommandError:
    """Return what is said to who has used up a rate.

    Args:
        seconds: until there is room for one again.
    """
    return CommandError(
        N_("You send commands faster than you may; retry-after={seconds}"),
        code=ErrorCode.THROTTLED,
        seconds=math.ceil(seconds),
    )


def spare_unrecorded(command: Command) -> None:
    """Raise a CommandError unless it is a command that runs even while nothing can be recorded.

    The way in, what concerns the session itself, and administrators, who are to mend it.
    """
    if command.role not in (Role.NOBODY, Role.ADMIN) and not command.about_session:
        raise CommandError(
            N_("The audit trail cannot be written, and nothing may run unrecorded; tell an administrator."),
            code=ErrorCode.UNAVAILABLE,
        )


def authentication_required() -> CommandError:
    """Return what is said to a stranger."""
    return CommandError(N_("Authentication required: AUTH <token>."), code=ErrorCode.NOAUTH)


def too_busy() -> CommandError:
    """Return what is said where no worker can be had."""
    return CommandError(N_("The server has too much to do; try again in a moment."), code=ErrorCode.THROTTLED)

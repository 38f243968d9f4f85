"""The authorizer: may this principal run this command, and what is said to who may not."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_server.auth.principal import Principal, Role
from secure_server.commands.command import Command
from secure_server.i18n import N_


def may_run(principal: Principal | None, command: Command) -> bool:
    """Whether the principal's role, and its list of commands where it has one, include this one.

    A list says which work a token is for; what concerns the session itself (`about_session`) everybody needs.
    """
    if principal is None:
        return not command.role
    if principal.role < command.role:
        return False
    free = principal.allow is None or not command.role or command.about_session
    return free or command.words[0].decode() in (principal.allow or ())


def authorise(principal: Principal | None, command: Command) -> None:
    """Raise a CommandError that says what is missing, unless the principal may run the command."""
    if may_run(principal, command):
        return
    if principal is None:
        raise authentication_required()
    if principal.outside and command.role is Role.ADMIN:
        raise CommandError(
            N_(
                "{command} needs the role admin, which you have only where this server's setting admin.networks lets "
                "you; from here you are {mine}."
            ),
            code=ErrorCode.NOPERM,
            command=command.name,
            mine=principal.role.label,
        )
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

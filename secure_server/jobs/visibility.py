"""Who may see a job."""

from __future__ import annotations

from collections.abc import Callable

from secure_server.auth.principal import Principal, Role
from secure_server.commands.authorizer import may_run
from secure_server.commands.command import Command
from secure_server.jobs.job import Job


def may_see(principal: Principal | None, job: Job, command_named: Callable[[str], Command | None]) -> bool:
    """Whether somebody may see a job, and so follow it and tell it to stop.

    Administrators may all; others what they may run now: users what they started, operators whoever did.
    """
    if principal is None:
        return False
    if principal.role is Role.ADMIN and principal.allow is None:
        return True
    if principal.role < Role.OPERATOR and principal.name != job.principal:  # first: of a long list that is most
        return False
    command = command_named(job.command)
    return command is not None and may_run(principal, command)

"""What jobs need of the server around them; the composition root hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from secure_protocol.errors import CommandError
from secure_server.auth.principal import Principal
from secure_server.commands.command import Command
from secure_server.commands.context import Services
from secure_server.jobs.job import Job
from secure_server.jobs.order import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it. Called on the thread that decides about jobs.

    Attributes:
        services: for handlers.
        command_named: what a command is now; None where there is none of that name.
        present: who started a job, with what that allows now; None where it allows nothing any more.
        refused: told that a start led to no job.
        changed: told that a job was added, has begun, or has ended.
        suspends: whether nothing can be recorded, so that nothing may run.
    """

    services: Callable[[], Services]
    command_named: Callable[[str], Command | None]
    present: Callable[[Job], Principal | None]
    refused: Callable[[Order, CommandError], None]
    changed: Callable[[Job], None]
    suspends: Callable[[], bool]

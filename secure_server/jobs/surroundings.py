"""What jobs need of the server around them; the composition root hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from secure_protocol.errors import CommandError
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.authenticator import TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator
from secure_server.auth.principal import Principal
from secure_server.commands.command import Command
from secure_server.commands.context import Services
from secure_server.commands.registry import Registry
from secure_server.jobs.job import Job
from secure_server.jobs.news import News, Watches
from secure_server.jobs.order import Order
from secure_server.jobs.present import is_revoked, present
from secure_server.recording.recording import Recording
from secure_server.session.population import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of it. Called on the thread that decides about jobs.

    Attributes:
        services: for handlers.
        command_named: what a command is now; None where there is none of that name.
        present: who started a job, with what that allows now; None where it allows nothing any more.
        is_revoked: whether what a job was started with is revoked.
        refused: told that a start led to no job.
        changed: told that a job was added, has begun, or has ended, and who follows it.
        suspends: whether nothing can be recorded, so that nothing may run.
    """

    services: Callable[[], Services]
    command_named: Callable[[str], Command | None]
    present: Callable[[Job], Principal | None]
    is_revoked: Callable[[Job], bool]
    refused: Callable[[Order, CommandError], None]
    changed: Callable[[Job, Watches], None]
    suspends: Callable[[], bool]

    @classmethod
    def of(
        cls,
        sessions: Sessions,
        recording: Recording,
        registry: Registry,
        tokens: TokenAuthenticator,
        certificates: CertificateAuthenticator,
        admin_networks: AdminNetworks,
        *,
        services: Callable[[], Services],
        submit: Callable[[Callable[[], None], str], object],
    ) -> Self:
        """Return what these parts of a server are for jobs.

        Args:
            sessions: the population.
            recording: the log and the trail.
            registry: the commands.
            tokens: who tokens stand for.
            certificates: who certificates stand for.
            admin_networks: from where admins are such.
            services: for handlers.
            submit: to workers, in a line; raises where there is no room.
        """
        news = News(
            sessions, recording, services, command_named=registry.named, internal=registry.internal, submit=submit
        )
        return cls(
            services=services,
            command_named=registry.named,
            present=partial(present, tokens=tokens, certificates=certificates, admin_networks=admin_networks),
            is_revoked=partial(is_revoked, tokens=tokens, certificates=certificates),
            refused=news.refused,
            changed=news.changed,
            suspends=recording.suspends,
        )

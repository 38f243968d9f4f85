"""What of the server the built-in commands use; the composition root hands it in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from secure_protocol.errors import CommandError
from secure_protocol.text_requests import Request
from secure_server.admission.admission import Admission
from secure_server.admission.banning import Banning
from secure_server.admission.draining import Draining
from secure_server.audit.trail import AuditTrail
from secure_server.audit.who import Who
from secure_server.auth.certificates import Grant
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.tokens import Tokens
from secure_server.commands.builtin.catalogue import Catalogue
from secure_server.commands.command import Command
from secure_server.commands.context import Context, Services
from secure_server.config.changes import Change, Reloaded
from secure_server.config.holding import Held
from secure_server.config.settings import Config
from secure_server.identity.served import ServedCertificates
from secure_server.jobs.jobs import Jobs
from secure_server.limits.penalties import Penalties
from secure_server.recording.activity_log import ActivityLog
from secure_server.session.session import Session
from secure_server.statistics.statistics import Statistics
from secure_server.watching.watching import Watching


class WorkersShown(Protocol):
    """What is told of worker threads; see `secure_server.dispatch.workers`."""

    places: int
    """Commands that may run at once, besides those that stand beside."""
    beside: int
    """Commands that have given their place up, for they run long or are stuck."""
    stuck: int
    """Commands that were told to stop and answered, and still run."""
    waiting: int
    """Commands that wait for a place."""
    most_waiting: int
    """Of those there may be so many."""
    spare: int
    """So many may stand beside."""

    @property
    def running(self) -> int:
        """Commands that have a place."""
        ...


class Reloadable(Protocol):
    """The configuration of the running server; it reads files, so for workers only."""

    running: Config
    """What holds."""

    def reload(self, cause: str, by: Who) -> Reloaded:
        """Take up what the file says now, all of it or nothing, and tell log and trail.

        Args:
            cause: what made it do so.
            by: who asked for it.

        Raises:
            ReloadRefusedError: nothing was taken up; says why.
        """
        ...

    def check(self) -> Reloaded:
        """Do the same, but take nothing up, and tell nobody; raises likewise."""
        ...

    def set(self, key: str, text: str, by: Who) -> Change | None:
        """Have a setting be something else until the restart, whatever the file says, and tell log and trail.

        Args:
            key: such as `limits.max_clients`.
            text: its value, as people write it.
            by: who asked for it.

        Returns:
            What is other now; None where it was so before.

        Raises:
            ReloadRefusedError: it cannot be set, or not to that; says why.
        """
        ...

    def unset(self, key: str, by: Who) -> Change | None:
        """Take that back: what the file said when it was last taken up holds again; raises likewise."""
        ...

    def holding(self) -> list[Held]:
        """Return all that holds, key by key, and where it comes from."""
        ...

    def differences(self) -> list[Change]:
        """Compare the file with what runs; raises likewise where the file cannot be used."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInServices(Services):
    """All of it.

    Attributes:
        catalogue: all commands there are, and what is said of them.
        command_named: look one up.
        unknown: what is said of a line that names none, see `Registry.unknown`.
        admission: the way in.
        draining: whether anybody is taken in, and whether those who are in have to leave.
        shut_down: has the server stop, with so many seconds for the drain (None: the configuration's), and returns at
            once. None where whoever runs the server would not do it.
        penalties: what failing addresses have earned.
        banning: who is kept out; changes are on disk before they hold, so for workers only.
        configuration: what runs, and what its file says.
        configuration_file: of that; None where the server was made without one.
        certificates: what newcomers are served; reloading reads files, so for workers only.
        revoked_certificates: which names' client certificates are refused; touches the storage, so for workers only.
        tokens_by: what a session can do with tokens, recorded as its doing; touches the storage, so for workers only.
        take_in_tokens: has what other programs changed in the token database act now, and returns the generation up to
            which it does; touches the storage, so for workers only.
        authorities: the CA certificates as PEM; empty where the server has none to give.
        listening: where the server is reached: each transport, and its addresses as people write them.
        log: the activity log; reading it reads files, so for workers only.
        watching: tells those who watch what happens.
        workers: who runs commands that may block.
        audit: the audit trail; None where the configuration has it off.
        jobs: runs that outlive their connection; None where there are none.
        built_in: the commands that came with the server.
        granted: what a name's client certificates stand for; None for nobody.
        leapt: whether the clock leapt, and is not believed yet.
        lost_lines: lines that the activity log could not write.
        split: whether the token database was replaced under the server, so that nobody is let in.
        unusable: why the token database cannot be used, as of a moment ago; None where it can.
        suspends: whether nothing can be recorded, so that nothing may run.
        statistics: what was done, and how fast.
        running: the configuration that holds, as it was asked for.
    """

    catalogue: Catalogue
    command_named: Callable[[str], Command | None]
    unknown: Callable[[Request, Callable[[Command], bool]], CommandError]
    admission: Admission
    draining: Draining
    penalties: Penalties
    banning: Banning
    configuration: Reloadable
    certificates: ServedCertificates
    revoked_certificates: RevokedCertificates
    tokens_by: Callable[[Session], Tokens]
    take_in_tokens: Callable[[], int]
    authorities: Callable[[], str]
    listening: Callable[[], Sequence[tuple[str, Sequence[str]]]]
    log: ActivityLog
    watching: Watching
    statistics: Statistics
    running: Callable[[], Config]
    workers: Sequence[WorkersShown] = ()
    audit: AuditTrail | None = None
    jobs: Jobs | None = None
    built_in: frozenset[Command] = frozenset()
    granted: Callable[[str], Grant | None] = lambda _name: None
    configuration_file: Path | None = None
    leapt: Callable[[], bool] = lambda: False
    lost_lines: Callable[[], int] = lambda: 0
    split: Callable[[], bool] = lambda: False
    unusable: Callable[[], str | None] = lambda: None
    suspends: Callable[[], bool] = lambda: False
    shut_down: Callable[[float | None], None] | None = None
    started: float = field(init=False)
    """When, on the clock."""
    since: float = field(default_factory=time.time)
    """The same moment, Unix seconds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "started", self.clock())


def services(context: Context) -> BuiltInServices:
    """Return what a built-in command's context carries for it.

    Raises:
        TypeError: the server was put together without it.
    """
    found = context.services
    if not isinstance(found, BuiltInServices):
        raise TypeError("the built-in commands need BuiltInServices")
    return found

"""A reception before a host's sessions, with a real log and a real trail to look at."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from secure_server.admission.certificate import CertificateAdmission
from secure_server.admission.reception import Reception
from secure_server.audit.record import Record, parse
from secure_server.audit.tail import trail_files
from secure_server.audit.trail import AuditTrail
from secure_server.auth.certificates import CertificateAuthenticator, Grant
from secure_server.auth.principal import Role
from secure_server.config.settings import Audit, Log
from secure_server.recording.activity_log import ActivityLog
from secure_server.recording.recording import Recording
from secure_server.session.terms import Terms
from tests.secure_server.host import Host

ALLOWED = 1000
"""The user of this machine who may use the admin socket."""


class Lobby:
    """What a transport hands its peers to; the certificate of ana makes her an operator.

    Args:
        host: the sessions, and all that is behind them.
        directory: for the log and the trail.
        allowed: the users who may use the admin socket.
    """

    def __init__(self, host: Host, directory: Path, *, allowed: tuple[int, ...] = (ALLOWED,)) -> None:
        self.host = host
        self._directory = directory
        self._activity = ActivityLog(directory, Log())
        self._trail = AuditTrail(directory, Audit(), lambda _sentence: None)
        self.recording = Recording(self._activity, self._trail, host.statistics)
        authenticator = CertificateAuthenticator(host._storage, {"ana": Grant(Role.OPERATOR)}, host.clock)
        self.reception = Reception(
            host.sessions,
            CertificateAdmission(
                authenticator, host.sessions, host.banning, host.draining, self.recording.authentication
            ),
            host.banning,
            self.recording,
            Terms.of(host.config, host.dispatcher, "en", host.clock),
            may_administer=lambda uid: uid in allowed,
            most_administrators=host.config.limits.max_admin_clients,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trail.stop()
        self._activity.stop()

    @property
    def log(self) -> list[str]:
        """The lines of the log, without their moments."""
        self._activity.write()
        lines = (self._directory / "server_log.txt").read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines]

    @property
    def trail(self) -> list[Record]:
        """The records of the trail."""
        self._trail.write()
        lines = [line for path in trail_files(self._directory) for line in path.read_bytes().splitlines()]
        return [parse(line) for line in lines if line.startswith(b"{")]

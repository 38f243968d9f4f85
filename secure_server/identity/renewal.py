"""Renewing the certificates that this server looks after, in their directory, before they expire."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

from secure_server.config.settings import Config
from secure_server.identity.clock import utc_now
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import CertificateError
from secure_server.pki.inventory import next_renewal
from secure_server.pki.report import Verdict

RETRY_SECONDS = 3600.0
"""Least time between two runs: one that failed has a third of a certificate's life for further ones."""

_log = logging.getLogger("secure_server")


class CertificateRenewal:
    """Runs what `secure-server certs ensure` runs, when something in the directory is due by its age.

    Does nothing where the server's certificate was not made by the directory's own CA. One thread at a time.

    Args:
        directory: the certificate directory.
        now: the time, in UTC.
        ticks: monotonic seconds.

    Attributes:
        failure: why the last run did not succeed, as a sentence; None after one that did.
        due: from when on something is to be renewed; None where nothing ever is.
    """

    def __init__(
        self,
        directory: Path,
        now: Callable[[], datetime] = utc_now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._now = now
        self._ticks = ticks
        self._rests_until: float | None = None
        self._looked = now()
        self.failure: str | None = None
        self.due: datetime | None = None
        self.look()

    @classmethod
    def at_start(cls, config: Config, now: Callable[[], datetime] = utc_now) -> Self | None:
        """Renew what came due while no server ran, and return what goes on with it; None where it is not wanted.

        A certificate or key that the configuration names is somebody else's to renew. A failure is left to be told:
        by the watch, or by the sentence that keeps the server from starting.

        Args:
            config: the configuration.
            now: the time, in UTC.
        """
        if config.tls.renew == "off" or config.tls.certificate or config.tls.key:
            return None
        renewal = cls(Path(config.certs_dir), now)
        renewal.renew_if_due()
        return renewal

    def look(self, *, readable: bool = True) -> None:
        """Find out anew when something is due: the directory has changed.

        Args:
            readable: whether it is known that the files are good; else what was due stays where they do not say.
        """
        self._looked = self._now()
        try:
            due = next_renewal(self._directory, self._looked)
            self.due = due if readable or due is not None else self.due
        except OSError as error:  # whoever reads the certificate says so, too
            if readable:  # else it is told already, and not at every look
                _log.warning("%s cannot be read: %s", self._directory, error.strerror)
                self.due = None

    def renew_if_due(self) -> bool:
        """Renew what is due; whether a run was made. Raises nothing that has to do with certificates."""
        now = self._now()
        if now < self._looked:  # the clock was set back, perhaps to before what was made meanwhile
            self._rests_until = None
            self.look()
        rests = self._rests_until is not None and self._ticks() < self._rests_until
        if self.due is None or now < self.due or rests:
            return False
        self._rests_until = self._ticks() + RETRY_SECONDS
        try:
            report = ensure(Request(self._directory), now=now)
        except CertificateError as error:
            self.failure = error.args[0]
            return True
        self.failure = None
        for entry in report.entries:
            if entry.verdict is Verdict.RENEWED:
                _log.warning("%s %s", entry.file, entry.outcome)
        for note in report.notes:
            _log.warning("%s", note)
        self.look()
        return True

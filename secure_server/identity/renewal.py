"""Renewing the certificates that this server looks after, in their directory, before they expire."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from secure_server.config.settings import Config
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import CertificateError
from secure_server.pki.inventory import next_renewal
from secure_server.pki.report import Verdict

RETRY = timedelta(hours=1)
"""Least time between two runs: one that failed has a third of a certificate's life for further ones."""

_log = logging.getLogger("secure_server")


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


class CertificateRenewal:
    """Runs what `secure-server certs ensure` runs, when something in the directory is due by its age.

    Does nothing where the server's certificate was not made by the directory's own CA. One thread at a time.

    Args:
        directory: the certificate directory.
        now: the time, in UTC.

    Attributes:
        failure: why the last run did not succeed, as a sentence; None after one that did.
        due: from when on something is to be renewed; None where nothing ever is.
    """

    def __init__(self, directory: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._directory = directory
        self._now = now
        self._not_before: datetime | None = None
        self.failure: str | None = None
        self.due: datetime | None = None
        self.look()

    @classmethod
    def at_start(cls, config: Config, now: Callable[[], datetime] = utc_now) -> Self | None:
        """Renew what came due while no server ran, and return what goes on with it; None where it is not wanted.

        A certificate or key that the configuration names is somebody else's to renew. A failure is left to be told:
        by the watch, or by the sentence that keeps the server from starting.
        """
        if config.tls.renew == "off" or config.tls.certificate or config.tls.key:
            return None
        renewal = cls(Path(config.certs_dir), now)
        renewal.renew_if_due()
        return renewal

    def look(self) -> None:
        """Find out anew when something is due: the directory has changed."""
        try:
            self.due = next_renewal(self._directory)
        except OSError as error:  # whoever reads the certificate says so, too
            _log.warning("%s cannot be read: %s", self._directory, error.strerror)
            self.due = None

    def renew_if_due(self) -> bool:
        """Renew what is due; whether a run was made. Raises nothing that has to do with certificates."""
        now = self._now()
        if self.due is None or now < self.due or (self._not_before is not None and now < self._not_before):
            return False
        self._not_before = now + RETRY
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

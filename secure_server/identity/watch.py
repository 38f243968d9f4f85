"""The thread that renews the server's certificate in time, and takes up one that somebody else changed."""

from __future__ import annotations

import logging
import threading

from secure_server.identity.renewal import CertificateRenewal
from secure_server.identity.served import Reload, ServedCertificates

PATIENT_LOOKS = 2
"""Looks in a row at which files must fail the same way to be complained of: whoever replaces a pair by hand replaces
one file first, and between the two moments they do not belong together."""
STOP_SECONDS = 5.0
"""How long a renewal at work may take to end; it is milliseconds, and one that is cut off leaves every file whole."""

_log = logging.getLogger("secure_server")


class CertificateWatch:
    """Looks at the certificate's files again and again.

    Args:
        served: takes them up.
        renewal: renews them; None where somebody else does.
        interval: seconds between looks.
    """

    def __init__(self, served: ServedCertificates, renewal: CertificateRenewal | None, interval: float) -> None:
        self._served = served
        self._renewal = renewal
        self._interval = interval
        self._problem = ""  # of the last look
        self._looks = 0  # in a row, with that problem
        self._failure: str | None = None  # of the last renewal
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="certificate-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._served.alarm()  # at once: the first look may be a day away
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it. Any thread but its own."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def step(self) -> None:
        """Look once: renew what is due, take up what has changed, warn of an end. One thread at a time."""
        cause = "renewal" if self._renew() else "file"
        if self._served.stale:
            self._take_up(cause)
        self._served.alarm()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self.step()
            except BaseException:  # noqa: BLE001 - whatever it is, the next look may go well, and nobody else looks
                _log.exception("the look at the certificates failed; trying again")

    def _renew(self) -> bool:
        """Renew what is due; whether that was tried. A failure is told when it begins or changes, not every hour."""
        if self._renewal is None:
            return False
        tried = self._renewal.renew_if_due()
        failure, before = self._renewal.failure, self._failure  # the first may be of the start
        self._failure = failure
        if failure is not None and failure != before:
            self._served.tell(Reload("renewal", self._served.certificate, None, failure))
        return tried

    def _take_up(self, cause: str) -> None:
        reload = self._served.attempt(cause)
        self._looks = self._looks + 1 if reload.why == self._problem else 1
        self._problem = reload.why
        if reload.new is not None or self._looks == PATIENT_LOOKS:
            self._served.tell(reload)

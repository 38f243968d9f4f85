"""The certificate that newcomers are served, those before it, and the one way to another: `reload`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.identity.clock import utc_now
from secure_server.identity.identity import Identity, IdentityFiles
from secure_server.identity.renewal import CertificateRenewal
from secure_server.pki.preflight import CertificateFacts, CertificateProblem
from secure_server.pki.profile import renewal_moment

HISTORY = 16
"""Certificates remembered, the present one included; one that live sessions use is listed all the same."""

ALARM = timedelta(days=30)
ALARM_PART = 6
"""How long before its end a certificate that nobody renewed is warned of: so long, or this part of its life where that
is shorter. Whoever renews in time does it sooner: we at two thirds of the life, ACME clients likewise."""
ALARM_EVERY = timedelta(days=1)
"""Between two warnings."""

_log = logging.getLogger("secure_server")


class Failure(NamedTuple):
    """A reload that kept the old certificate."""

    when: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of a look at the files.

    Attributes:
        cause: what made it look: `SIGHUP`, `CERT RELOAD`, `file` or `renewal`.
        old: what was served before.
        new: what is served now; None where the old one was kept.
        why: why it was kept, as a sentence; or what to know of the new one, as a clause; else empty.
    """

    cause: str
    old: CertificateFacts
    new: CertificateFacts | None
    why: str = ""

    @property
    def outcome(self) -> str:
        """`reloaded`, `unchanged` (read again, and the same certificate), or `kept`."""
        if self.new is None:
            return "kept"
        return "unchanged" if self.new.fingerprint == self.old.fingerprint else "reloaded"


OnReload = Callable[[Reload], None]


@dataclass(frozen=True, slots=True)
class Served:
    """A certificate, and since when it was served last."""

    certificate: CertificateFacts
    since: datetime


class ServedCertificates:
    """Holds what newcomers are served. Any thread.

    Args:
        files: what is looked at for changes.
        load: reads the files and builds a new context, or raises `CertificateProblem`; nothing is served before it.
        on_reload: told of each reload, kept ones included; called by whichever thread asked for it.
        renewal: renews the files; None where somebody else does.
        now: the time, in UTC.

    Attributes:
        identity: what the next newcomer is served.

    Raises:
        CertificateProblem: there is nothing to serve.
    """

    def __init__(
        self,
        files: IdentityFiles,
        load: Callable[[], Identity],
        on_reload: OnReload = lambda _: None,
        renewal: CertificateRenewal | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._files = files
        self._load = load
        self._on_reload = on_reload
        self._renewal = renewal
        self._now = now
        self._lock = threading.Lock()
        self._state = files.state()
        self._failure: Failure | None = None
        self._alarmed: datetime | None = None
        self._history: dict[str, Served] = {}
        self.identity = load()
        self._remember(self.identity.certificate)

    @property
    def certificate(self) -> CertificateFacts:
        """What the next newcomer is served."""
        return self.identity.certificate

    @property
    def valid(self) -> bool:
        """Whether the present certificate is, by the time of now."""
        return self.certificate.not_before <= self._now() <= self.certificate.not_after

    @property
    def renewal(self) -> datetime | None:
        """From when on this server renews the present certificate; None where it does not."""
        if self._renewal is None or self._renewal.due is None:
            return None
        return renewal_moment(self.certificate.not_before, self.certificate.not_after)

    @property
    def history(self) -> tuple[Served, ...]:
        """Those served since the start, the present one first; at most `HISTORY`."""
        with self._lock:
            return tuple(reversed(self._history.values()))

    @property
    def failure(self) -> Failure | None:
        """The last reload, where it failed: the files cannot be used as they are."""
        return self._failure

    @property
    def renewal_failure(self) -> str | None:
        """Why this server's last try to renew failed, as a sentence; None where it did not."""
        return None if self._renewal is None else self._renewal.failure

    @property
    def ending(self) -> Sentence | None:
        """That the present certificate is near its end, or past it, as a sentence; None while it is not."""
        now, end = self._now(), self.certificate.not_after
        if now < end - min(ALARM, (end - self.certificate.not_before) / ALARM_PART):
            return None
        path, day = self.certificate.path, f"{end:%Y-%m-%d}"
        if now > end:
            return Sentence("The certificate {path} expired on {day}, and clients refuse it.", path=path, day=day)
        return Sentence("The certificate {path} expires on {day}, and nobody has renewed it.", path=path, day=day)

    def alarm(self) -> None:
        """Warn of a certificate near its end, once a day. One thread at a time."""
        now = self._now()
        if (self._alarmed is None or now - self._alarmed >= ALARM_EVERY) and (ending := self.ending):
            self._alarmed = now
            _log.warning("%s", ending)

    @property
    def stale(self) -> bool:
        """Whether the files have changed since they were last read, or could not be used then."""
        return self._failure is not None or self._files.state() != self._state

    def reload(self, cause: str) -> Reload:
        """Take up what is in the files, or keep what there is, and tell either way.

        Args:
            cause: see `Reload`.
        """
        reload = self.attempt(cause)
        self.tell(reload)
        return reload

    def attempt(self, cause: str) -> Reload:
        """Do what `reload` does, and tell nobody: the files may be changing at this moment."""
        with self._lock:
            old = self.certificate
            self._state = self._files.state()  # before they are read: what changes meanwhile is seen at the next look
            try:
                identity = self._load()
            except CertificateProblem as problem:
                self._failure = Failure(self._now(), problem.args[0])
                if self._renewal is not None:  # what is not valid yet is due at once
                    self._renewal.look(readable=False)
                return Reload(cause, old, None, self._failure.why)
            self._failure = None
            self.identity = identity
            self._remember(identity.certificate)
            if self._renewal is not None:
                self._renewal.look()
            return Reload(cause, old, identity.certificate, identity.remark or _lost_names(old, identity.certificate))

    def tell(self, reload: Reload) -> None:
        """Log it, and tell whoever wants to know."""
        if reload.new is None:
            done = "renewed" if reload.cause == "renewal" else "reloaded"
            _log.error("the certificate was not %s: %s", done, reload.why)
        else:
            _log.warning(
                "certificate reloaded: SHA-256 %s, until %s%s",
                reload.new.fingerprint,
                reload.new.not_after,
                f"; {reload.why}" if reload.why else "",
            )
        self._on_reload(reload)

    def _remember(self, certificate: CertificateFacts) -> None:
        self._history.pop(certificate.fingerprint, None)
        self._history[certificate.fingerprint] = Served(certificate, self._now())
        while len(self._history) > HISTORY:
            del self._history[next(iter(self._history))]


def _lost_names(old: CertificateFacts, new: CertificateFacts) -> str:
    """Say which names the new one lacks: no reason to keep the old one, for names are also dropped on purpose."""
    lost = [name for name in old.sans if name not in new.sans]
    return Sentence("it is no longer for {hosts}", hosts=", ".join(lost)) if lost else ""

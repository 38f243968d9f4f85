"""The way in for whoever showed a client certificate, and the way out when it is not good any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial

from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_server.admission.admission import NOT_TRUSTED, OnAuthentication
from secure_server.admission.banning import Banning
from secure_server.admission.draining import EMPTYING, Draining
from secure_server.auth.certificates import (
    CertificateAuthenticator,
    CertificateRefusedError,
    CertificateState,
    Grant,
)
from secure_server.auth.principal import ClientCertificate
from secure_server.i18n import N_
from secure_server.session.endings import Ending
from secure_server.session.population import Sessions
from secure_server.session.session import Session

NEVER = float("inf")

CERTIFICATE = "certificate"
"""The mechanism, as the audit trail calls it."""

_ENDS = {
    CertificateState.REVOKED: (CloseReason.REVOKED, N_("The client certificate was revoked.")),
    CertificateState.WITHDRAWN: (
        CloseReason.REVOKED,
        N_("The client certificate stands for nobody here any more; show a token."),
    ),
    CertificateState.EXPIRED: (CloseReason.EXPIRED, N_("The client certificate expired.")),
    CertificateState.WRONG_NETWORK: (
        CloseReason.AUTH_FAILED,
        N_("The client certificate may not be used from your address."),
    ),
}
"""What a peer is told. It has proved who it is, so there is nothing to hide from it."""


class CertificateAdmission:
    """Decides who comes in with a certificate, and who stays.

    Penalties have no part in it: there is nothing to guess about a certificate.

    Args:
        authenticator: from a certificate to a principal.
        sessions: the population.
        banning: who is kept out, however good their certificate is.
        draining: whether anybody is taken in.
        on_authentication: the log.
        split: whether nobody knows who was revoked, so that nobody is let in.
        on_revoked: told that others are revoked than before, when their sessions were; the token watch's thread.
    """

    def __init__(
        self,
        authenticator: CertificateAuthenticator,
        sessions: Sessions,
        banning: Banning,
        draining: Draining,
        on_authentication: OnAuthentication,
        split: Callable[[], bool] = lambda: False,
        on_revoked: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_revoked = on_revoked
        self._split = split
        self._authenticator = authenticator
        self._sessions = sessions
        self._banning = banning
        self._draining = draining
        self._on_authentication = on_authentication
        self._lock = threading.Lock()
        self._soonest = NEVER
        """The last moment of the certificate that expires first, so that nobody is looked at while all is well."""

    def enter(self, session: Session) -> None:
        """Let in whoever a new session's certificate stands for; others go on to AUTH. On its owning thread.

        The session is in the population already, so a revocation in this moment is seen here or by `step`.
        """
        certificate = session.peer.certificate
        if certificate is None or session.closing:  # a drain, or an administrator, may have been quicker
            return
        self._watch_expiry(certificate)
        try:
            principal = self._authenticator.authenticate(certificate, session.peer.address)
        except CertificateRefusedError as error:
            self._tell(session, "refused", f"{error.reason} {_named(certificate)}")
            session.turned_away = _end(session, error.reason)
            return
        if principal is None:
            return
        if (ban := self._banning.of(session, principal)) is not None:
            self._tell(session, "refused", f"{CloseReason.BANNED} ban={ban.number} {_named(certificate)}")
            session.turned_away = self._banning.ending(ban, session.translate)
            return
        if self._split():
            self._tell(session, "refused", f"storage-split {_named(certificate)}")
            session.close(CloseReason.INTERNAL_ERROR, session.translate(NOT_TRUSTED))
            return
        if (seconds := self._draining.refuses(principal.role)) is not None:
            self._tell(session, "refused", f"{CloseReason.DRAINING} {_named(certificate)}")
            session.turned_away = CloseReason.DRAINING, session.translate(EMPTYING), seconds
            return
        if self._sessions.admit(session, principal) is not None:
            self._tell(session, "refused", f"{CloseReason.TOO_MANY} {_named(certificate)}")
            session.turned_away = CloseReason.TOO_MANY, "", None
            return
        session.prove(principal)
        self._tell(session, "accepted", _named(certificate))
        self._close_banned(session)  # since the look before it was in the population as who it is
        self._draining.leave(session)

    def take_up(self, grants: Mapping[str, Grant]) -> None:
        """Have names stand for something else, also in the sessions that are there: each is judged anew. Any thread.

        Where a name stands for nobody any more, or may not come from there, its sessions end; else they go on as who it
        stands for now. What runs goes on.
        """
        self._authenticator.take_up(grants)
        for session in self._sessions:  # whoever comes from here on is judged by the new ones
            if session.peer.certificate is not None:
                session.call_soon(partial(self._judge_anew, session))

    def grant(self, name: str) -> Grant | None:
        """Return what a name's certificates stand for; None for nobody. Any thread."""
        return self._authenticator.grant(name)

    @property
    def generation(self) -> int:
        """How far the storage's changes were taken in. Any thread."""
        return self._authenticator.generation

    def step(self) -> None:
        """Take in what was revoked, and end the sessions of what was, or has expired. The token watch's thread.

        Raises:
            StorageError: the storage failed; what has expired was ended all the same.
        """
        changed = False
        try:
            changed = self._authenticator.reload()
        finally:
            if changed or self._authenticator.expired(self._soonest):
                self._end_bad()
            if changed:
                self._on_revoked()

    def _judge_anew(self, session: Session) -> None:
        """A certificate may stand for something else now. On the session's own thread."""
        certificate, proved = session.peer.certificate, session.proved
        if certificate is None or proved is None or session.closing:
            return
        state, principal = CertificateState.WITHDRAWN, None
        try:
            principal = self._authenticator.authenticate(certificate, session.peer.address)
        except CertificateRefusedError as error:
            state = error.reason
        by_certificate = session.own is proved  # else it is whom its token says, until RESET
        if principal is None and by_certificate:
            session.close(*_end(session, state))
        elif principal is None or not by_certificate:
            session.proved = principal
        elif principal != proved:  # another rate alone is for the next session
            session.prove(principal)
            if session.codec.pushes:
                session.notify(Push(COMMANDS_CHANGED))
        self._close_banned(session)

    def _close_banned(self, session: Session) -> None:
        """End a session that is banned as who it is now. On its own thread."""
        ban = self._banning.of(session)
        if ban is not None:
            session.close(*self._banning.ending(ban, session.translate))

    def _tell(self, session: Session, outcome: str, detail: str) -> None:
        self._on_authentication(session.who(session.principal), outcome, detail, CERTIFICATE)

    def _watch_expiry(self, certificate: ClientCertificate) -> None:
        with self._lock:
            self._soonest = min(self._soonest, certificate.not_after)

    def _end_bad(self) -> None:
        """Look at every session, and find out anew which certificate expires first."""
        with self._lock:
            self._soonest = NEVER  # before the look: whoever comes meanwhile counts, seen by it or not
        for session in self._sessions:
            certificate = session.peer.certificate
            if certificate is None or session.closing:
                continue
            state = self._authenticator.state(certificate)
            if state is CertificateState.GOOD:
                self._watch_expiry(certificate)
            else:
                session.call_soon(lambda session=session, state=state: session.close(*_end(session, state)))  # type: ignore[misc] # bound defaults


def _named(certificate: ClientCertificate) -> str:
    return f"certificate={certificate.label}"


def _end(session: Session, state: CertificateState) -> Ending:
    """Return how the session of a certificate that is not good ends, and what it is told."""
    reason, sentence = _ENDS[state]
    return reason, session.translate(sentence), None

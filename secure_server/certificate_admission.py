"""The way in for whoever showed a client certificate, and the way out when it is not good any more."""

from __future__ import annotations

from secure_protocol.reasons import CloseReason
from secure_server.admission import OnAuthentication
from secure_server.auth.certificates import CertificateAuthenticator, CertificateRefusedError, CertificateState
from secure_server.auth.principal import ClientCertificate
from secure_server.i18n import N_
from secure_server.session import Session
from secure_server.sessions import Sessions

FINGERPRINT_CHARACTERS = 16
"""Of the fingerprint, in the log: enough to tell any two certificates apart, and short enough to read."""

_ENDS = {
    CertificateState.REVOKED: (CloseReason.REVOKED, N_("The client certificate was revoked.")),
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
        on_authentication: the log.
    """

    def __init__(
        self, authenticator: CertificateAuthenticator, sessions: Sessions, on_authentication: OnAuthentication
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._on_authentication = on_authentication

    def enter(self, session: Session) -> None:
        """Let in whoever a new session's certificate stands for; others go on to AUTH. On its owning thread.

        The session is in the population already, so a revocation in this moment is seen here or by `step`.
        """
        certificate = session.peer.certificate
        if certificate is None:
            return
        try:
            principal = self._authenticator.authenticate(certificate, session.peer.address)
        except CertificateRefusedError as error:
            self._on_authentication(session, "refused", f"{error.reason} {_named(certificate)}")
            _end(session, error.reason)
            return
        if principal is None:
            return
        if not self._sessions.admit(session):
            self._on_authentication(session, "refused", f"{CloseReason.TOO_MANY} {_named(certificate)}")
            session.close(CloseReason.TOO_MANY)
            return
        session.prove(principal)
        self._on_authentication(session, "accepted", _named(certificate))

    def step(self) -> None:
        """Take in what was revoked, and end the sessions of what was, or has expired. The token watch's thread.

        Raises:
            StorageError: the storage failed; what has expired was ended all the same.
        """
        try:
            self._authenticator.reload()
        finally:
            for session in self._sessions:
                certificate = session.peer.certificate
                if certificate is not None and not session.closing:
                    state = self._authenticator.state(certificate)
                    if state is not CertificateState.GOOD:
                        session.call_soon(lambda session=session, state=state: _end(session, state))  # type: ignore[misc] # bound defaults


def _named(certificate: ClientCertificate) -> str:
    return f"certificate={certificate.fingerprint[:FINGERPRINT_CHARACTERS]}"


def _end(session: Session, state: CertificateState) -> None:
    reason, sentence = _ENDS[state]
    session.close(reason, session.translate(sentence))

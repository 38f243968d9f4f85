"""What says who is let in, and ends those who are not any more: joined here, as the composition root's part of it."""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import partial
from pathlib import Path

from secure_protocol.reasons import CloseReason
from secure_server.admission.admission import ENDED, Admission
from secure_server.admission.banning import Banning
from secure_server.admission.browsers import BROWSERS
from secure_server.admission.certificate import CertificateAdmission
from secure_server.admission.draining import Draining
from secure_server.admission.moving import Moving
from secure_server.auth.authenticator import Ended, TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_watch import TokenWatch
from secure_server.auth.tokens import Records, TokenChange, Tokens
from secure_server.config.settings import Config
from secure_server.limits.bans import Bans
from secure_server.limits.penalties import Penalties
from secure_server.pki.withdraw import withdraw_client
from secure_server.recording.recording import Recording
from secure_server.session.filter import uses_one_of
from secure_server.session.population import Sessions
from secure_server.session.session import Session

Revoke = Callable[[Set[str]], None]
"""Ends the jobs of tokens, by their public ids, and those of certificates that are revoked."""


class Entrance:
    """Admission, penalties, certificates, and the watch over tokens.

    Args:
        config: the configuration.
        authenticator: tokens to principals.
        by_certificate: certificates to principals.
        listing: the token database, for commands: neither a slow reader nor a login that waits for a locked database
            must delay revocation, which has its own.
        sessions: the population.
        bans: who is kept out.
        draining: whether anybody is taken in.
        recording: who did what.
        revoke_jobs: ends the jobs of those who were revoked.
        clock: monotonic seconds.

    Attributes:
        admission: a stranger becomes a principal, by a token.
        certificates: likewise by a certificate.
        banning: who is kept out, and what becomes of their sessions.
        penalties: what failing addresses have earned.
        moving: judges sessions again whose peer has another address.
        watch: takes in what other processes changed.
        revoked_certificates: which names' certificates are refused.
    """

    def __init__(
        self,
        config: Config,
        authenticator: TokenAuthenticator,
        by_certificate: CertificateAuthenticator,
        listing: SQLiteTokenStorage,
        sessions: Sessions,
        bans: Bans,
        draining: Draining,
        recording: Recording,
        revoke_jobs: Revoke,
        clock: Callable[[], float],
    ) -> None:
        self._authenticator = authenticator
        self._listing = listing
        self._sessions = sessions
        self._recording = recording
        self._revoke_jobs = revoke_jobs
        self.banning = Banning(bans, sessions)
        self.penalties = Penalties(config.penalties, clock, told=recording.penalty)
        self.certificates = CertificateAdmission(
            by_certificate,
            sessions,
            self.banning,
            draining,
            recording.authentication,
            lambda: self.watch.split,
            partial(revoke_jobs, frozenset()),
        )
        self.watch = TokenWatch(
            authenticator,
            self._on_ended,
            beside=self._beside,
            tell=partial(sessions.tell_administrators, listing.path.name),
        )
        self.admission = Admission(
            authenticator,
            sessions,
            self.penalties,
            self.banning,
            draining,
            recording.authentication,
            config.authentication.mechanisms,
            BROWSERS if config.web.bearer else (),
            lambda: self.watch.split,
        )
        self.moving = Moving(authenticator.good_from, self.banning, recording.moved)
        self.revoked_certificates = RevokedCertificates(
            listing, self.watch.step, partial(withdraw_client, Path(config.certs_dir))
        )

    def take_up(self, config: Config) -> None:
        """Have another configuration, for each try from here on."""
        self.penalties.take_up(config.penalties)
        self.admission.take_up(config.authentication.mechanisms)

    # Workers

    def take_in(self) -> int:
        """Take in what other programs changed; returns how far that was done, for certificates too."""
        self.watch.step()
        return min(self._authenticator.generation, self.certificates.generation)

    def tokens_by(self, session: Session) -> Tokens:
        """Return what a session can do with tokens, recorded as its doing."""
        return Tokens(self._listing, on_change=partial(self._on_changed, session))

    def _on_changed(self, by: Session, change: TokenChange, records: Records) -> None:
        """A command changed tokens: that acts, and is recorded, before it is answered."""
        self.watch.step()
        self._recording.tokens(by.who(by.principal), change, records)

    # The token watch's thread

    def _beside(self) -> None:
        self._listing.let_go_of_replaced()  # nobody may use it for hours
        self.certificates.step()

    def _on_ended(self, ended: list[Ended]) -> None:
        for state, reason in ENDED.items():
            tokens = {item.token_id for item in ended if item.reason is state}
            self._sessions.close(uses_one_of(tokens), reason)
            if reason is CloseReason.REVOKED and tokens:
                self._revoke_jobs(tokens)

"""The way in: from a stranger to a principal with a place among the clients, whatever the credential.

Called on the session's owning thread. The commands AUTH and HELLO speak the protocol; here is what they decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NoReturn

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token, TokenFormatError
from secure_server.auth.authenticator import AuthenticationError, TokenAuthenticator
from secure_server.auth.principal import Principal
from secure_server.auth.token_record import TokenState
from secure_server.endings import RETRY_AFTER
from secure_server.i18n import N_
from secure_server.limits.penalties import Penalties
from secure_server.session import Session
from secure_server.sessions import Full, Sessions

ATTEMPTS = 3
"""Refused credentials per connection; the last one also closes it. Room for a typing error, none for guessing."""

OnAuthentication = Callable[[Session, str, str], None]
"""Told of each try: session, `accepted` or `refused`, and a detail for the log, which holds no secret."""

ENDED = {TokenState.REVOKED: CloseReason.REVOKED, TokenState.EXPIRED: CloseReason.EXPIRED}
"""The ends of a token that end its sessions, too."""


class Admission:
    """Decides who comes in.

    Args:
        authenticator: from a credential to a principal.
        sessions: the population.
        penalties: what failing addresses have earned.
        on_authentication: the log.
    """

    def __init__(
        self,
        authenticator: TokenAuthenticator,
        sessions: Sessions,
        penalties: Penalties,
        on_authentication: OnAuthentication,
    ) -> None:
        self._authenticator = authenticator
        self._sessions = sessions
        self._penalties = penalties
        self._on_authentication = on_authentication

    def bearer(self, session: Session, name: str | None, text: str) -> None:
        """Let in whoever shows a whole token.

        Args:
            session: a stranger's.
            name: what it gave beside the token, if anything.
            text: what should be a token.

        Raises:
            CommandError: it is refused; says what the peer may know of why.
        """
        self._check(session)
        try:
            token = Token.parse(text)
        except TokenFormatError as error:
            self._refuse(session, "malformed", text)
            raise CommandError(
                N_("Not a token: {why}."), code=ErrorCode.WRONGPASS, why=session.translate(str(error))
            ) from None
        try:
            principal = self._authenticator.authenticate(token, name=name, address=session.peer.address)
        except AuthenticationError as error:
            self._refuse(session, f"{error.reason} token={printable(token.id)}", text)
            raise CommandError(N_("The token was refused."), code=ErrorCode.WRONGPASS) from None
        self._admit(session, principal)

    def _check(self, session: Session) -> None:
        """Refuse who may not even try."""
        if session.principal is not session.proved or session.local:
            assert session.principal is not None  # noqa: S101 - it is who it proved to be, or somebody else
            raise CommandError(
                N_("Already authenticated as {name}; open another connection to be somebody else."),
                name=session.principal.name,
            )
        seconds = math.ceil(self._penalties.refused_for(session.peer.netblock))
        if seconds:
            self._on_authentication(session, "refused", f"penalty retry-after={seconds}")
            session.close_later(CloseReason.THROTTLED)
            raise CommandError(
                N_("Too many refused credentials came from your address; retry-after={seconds}"),
                code=ErrorCode.THROTTLED,
                seconds=seconds,
            )

    def _admit(self, session: Session, principal: Principal) -> None:
        """Give a principal its place."""
        full = self._sessions.admit(session, principal)
        if full is not None:
            self._turn_away(session, principal, full)
        session.authenticate(principal)
        self._on_authentication(session, "accepted", f"token={principal.token_id}")
        self._close_gap(session, principal)

    def _turn_away(self, session: Session, principal: Principal, full: Full) -> NoReturn:
        """Refuse a good credential for which there is no place now."""
        session.close_later(CloseReason.TOO_MANY)
        seconds = RETRY_AFTER[CloseReason.TOO_MANY]
        if full is Full.TOKEN:
            why = f"{CloseReason.TOO_MANY} token={principal.token_id} sessions={principal.max_sessions}"
            self._on_authentication(session, "refused", why)
            raise CommandError(
                N_("The token has as many sessions as it may; retry-after={seconds}"),
                code=ErrorCode.THROTTLED,
                seconds=seconds,
            )
        self._on_authentication(session, "refused", CloseReason.TOO_MANY)
        raise CommandError(N_("Too many clients; retry-after={seconds}"), code=ErrorCode.THROTTLED, seconds=seconds)

    def _close_gap(self, session: Session, principal: Principal) -> None:
        """Look again, now that the session is in the population: the token may have ended since the first look."""
        if principal.token_id is not None:
            state = self._authenticator.state(principal.token_id)
            if state is None or state in ENDED:
                session.close_later(ENDED.get(state, CloseReason.REVOKED) if state else CloseReason.REVOKED)

    def _refuse(self, session: Session, why: str, credential: str) -> None:
        """Count a refused try, and let the last one end the connection."""
        session.attempts += 1
        peer = session.peer
        self._penalties.failed(peer.netblock, credential.encode(), peer.address, why)
        self._on_authentication(session, "refused", why)
        if session.attempts >= ATTEMPTS:
            session.close_later(CloseReason.AUTH_FAILED)

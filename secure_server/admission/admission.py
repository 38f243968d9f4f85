"""The way in: from a stranger to a principal with a place among the clients, whatever the credential.

Called on the session's owning thread. The commands AUTH and HELLO speak the protocol; here is what they decide.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Container
from typing import Literal, NoReturn

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.scram import MECHANISM, WRONG_BINDING
from secure_protocol.token import Token, TokenFormatError
from secure_server.admission.banning import Banning, told
from secure_server.admission.browsers import fleeting
from secure_server.admission.draining import Draining
from secure_server.audit.who import Who
from secure_server.auth.authenticator import AuthenticationError, Refusal, Spent, TokenAuthenticator
from secure_server.auth.errors import StorageError
from secure_server.auth.principal import Principal
from secure_server.auth.scram import Exchange, ExchangeError, end_point
from secure_server.auth.token_record import TokenState
from secure_server.i18n import N_
from secure_server.limits.bans import Ban
from secure_server.limits.penalties import Penalties
from secure_server.recording.recording import AGAIN
from secure_server.session.call import Later
from secure_server.session.endings import RETRY_AFTER
from secure_server.session.peer import Peer
from secure_server.session.population import Full, Sessions
from secure_server.session.session import Session

_log = logging.getLogger("secure_server.admission")

ATTEMPTS = 3
"""Refused credentials per connection; the last one also closes it. Room for a typing error, none for guessing."""

NOT_TRUSTED = N_(
    "Nobody can log in now, for the token database cannot be trusted; try again, or tell an administrator."
)

_AS_IT_IS = N_("{told}")
"""What is said in the session's language already."""

BEARER = "bearer"
"""What the audit trail calls showing the token itself."""

OnAuthentication = Callable[[Who, str, str, str], None]
"""Told of each try: who, `accepted` or `refused`, a detail for the log, which holds no secret, and the mechanism."""

Mechanisms = Literal["all", "scram", "bearer"]
"""Which ways of showing a token are open, as the configuration has it."""

ENDED = {TokenState.REVOKED: CloseReason.REVOKED, TokenState.EXPIRED: CloseReason.EXPIRED}
"""The ends of a token that end its sessions, too."""


class Admission:
    """Decides who comes in.

    Args:
        authenticator: from a credential to a principal.
        sessions: the population.
        penalties: what failing addresses have earned.
        banning: who is kept out, however good what they show is.
        on_authentication: the log.
        mechanisms: which ways of showing a token are open.
        draining: whether anybody is taken in.
        whole_by: transports by which a token is shown whole although others are to prove theirs.
        split: whether nobody knows who was revoked, so that nobody is let in.
    """

    def __init__(
        self,
        authenticator: TokenAuthenticator,
        sessions: Sessions,
        penalties: Penalties,
        banning: Banning,
        draining: Draining,
        on_authentication: OnAuthentication,
        mechanisms: Mechanisms = "all",
        whole_by: Container[str] = (),
        split: Callable[[], bool] = lambda: False,
    ) -> None:
        self._split = split
        self._authenticator = authenticator
        self._sessions = sessions
        self._penalties = penalties
        self._banning = banning
        self._draining = draining
        self._on_authentication = on_authentication
        self._mechanisms = mechanisms
        self._whole_by = whole_by

    def take_up(self, mechanisms: Mechanisms) -> None:
        """Have other ways of showing a token open, for each try from here on."""
        self._mechanisms = mechanisms

    @property
    def shut(self) -> bool:
        """Whether no token is good now, for nobody knows which were revoked."""
        return self._split()

    def bearer(self, session: Session, name: str | None, text: str, answer: Callable[[], object]) -> object:
        """Let in whoever shows a whole token.

        Args:
            session: a stranger's.
            name: what it gave beside the token, if anything.
            text: what should be a token.
            answer: asked for the reply once the session is let in.

        Returns:
            What the handler is to return: the answer, or `Later` where it takes a worker first.

        Raises:
            CommandError: it is refused; says what the peer may know of why.
        """
        session.exchange, session.mechanism = None, BEARER
        self._check(session)
        if self._mechanisms == "scram" and session.peer.transport not in self._whole_by:
            self._refuse(session, "mechanism")
            raise CommandError(
                N_("This server takes no token as it is: authenticate by {mechanism}."),
                code=ErrorCode.NOMECHANISM,
                mechanism=MECHANISM,
            )
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
        return self._admit(session, principal, text, answer)

    def scram(self, session: Session, message: str) -> object:
        """Take one of the two messages of a mutual handshake (RFC 5802); the second lets the client in.

        Args:
            session: a stranger's.
            message: `client-first-message`, or `client-final-message` of the exchange that was begun last.

        Returns:
            What the handler is to return: `server-first-message`, or `server-final-message`, by which the server proves
            itself, or `Later` where that takes a worker first.

        Raises:
            CommandError: it is refused; says what the peer may know of why.
        """
        exchange, session.exchange, session.mechanism = session.exchange, None, MECHANISM
        self._check(session)
        if not message.startswith("c="):
            if exchange is not None:
                self._refuse(session, f"unfinished token={exchange.token_id}")
            return self._begin(session, message)
        if exchange is None:
            raise CommandError(N_("There is no exchange to finish: begin with the client's first message."))
        return self._finish(session, exchange, message)

    def _begin(self, session: Session, message: str) -> str:
        try:
            exchange = Exchange(self._authenticator.salted, self._binding(session.peer))
        except CommandError:
            self._refuse(session, "mechanism")
            raise
        try:
            answer = exchange.begin(message)
        except ExchangeError as error:
            # Known again by its fault, not by its nonce: whoever speaks another dialect guesses nothing.
            self._refuse(session, f"malformed {error.word}", f"{MECHANISM} {error.word}")
            raise CommandError(
                N_("Not the first message of {mechanism}: e={why}"),
                code=ErrorCode.WRONGPASS,
                mechanism=MECHANISM,
                why=error.word,
            ) from None
        session.exchange = exchange
        return answer

    def _binding(self, peer: Peer) -> bytes:
        """What a handshake on this connection is bound to.

        Raises:
            CommandError: there is no such handshake here.
        """
        if self._mechanisms == "bearer":
            raise CommandError(
                N_("This server does not take {mechanism}: send AUTH <token>."),
                code=ErrorCode.NOMECHANISM,
                mechanism=MECHANISM,
            )
        if peer.served is None:
            raise CommandError(
                N_("{mechanism} needs TLS, which this connection has not."),
                code=ErrorCode.NOMECHANISM,
                mechanism=MECHANISM,
            )
        try:
            return end_point(peer.served.der)
        except ExchangeError:
            raise CommandError(
                N_("{mechanism} cannot be bound to this server's certificate; it needs an RSA, ECDSA or Ed25519 one."),
                code=ErrorCode.NOMECHANISM,
                mechanism=MECHANISM,
            ) from None

    def _finish(self, session: Session, exchange: Exchange, message: str) -> object:
        try:
            answer = exchange.finish(message)
            principal = self._authenticator.authenticate_proved(exchange.token_id, address=session.peer.address)
        except (ExchangeError, AuthenticationError) as error:
            self._refuse_exchange(session, exchange, error)
            if isinstance(error, ExchangeError) and error.word == WRONG_BINDING:
                raise CommandError(
                    N_("Somebody stands between us, or a certificate was mistaken: e={why}"),
                    code=ErrorCode.WRONGPASS,
                    why=error.word,
                ) from None
            raise CommandError(N_("The token was refused."), code=ErrorCode.WRONGPASS) from None
        return self._admit(session, principal, f"{MECHANISM} {exchange.token_id}", lambda: answer)

    def _refuse_exchange(
        self, session: Session, exchange: Exchange, error: ExchangeError | AuthenticationError
    ) -> None:
        """Count a failed exchange.

        What was shown is the id, whatever the secret: a proof is new in each exchange, and one by a wrong secret tells
        nothing by which it could be known again (that is the point of SCRAM). So the same wrong secret again earns
        nothing, as it should, and another secret for the same id neither; 256 random bits are not guessed that way.
        """
        if isinstance(error, AuthenticationError):
            why = str(error.reason)
        elif error.word == "invalid-proof":
            why = str(self._authenticator.why_unproved(exchange.token_id))
        else:
            why = error.word
        self._refuse(session, f"{why} token={exchange.token_id}", f"{MECHANISM} {exchange.token_id}")

    def _check(self, session: Session) -> None:
        """Refuse who is somebody already."""
        if session.own is not session.proved or session.peer.admin:
            assert session.own is not None  # noqa: S101 - it is who it proved to be, or somebody else
            raise CommandError(
                N_("Already authenticated as {name}; open another connection to be somebody else."),
                name=session.own.name,
            )
        if self._split():  # before any look at what was shown: it may be good, and not known here
            self._tell(session, "refused", "storage-split")
            raise CommandError(NOT_TRUSTED, code=ErrorCode.UNAVAILABLE)

    def _admit(self, session: Session, principal: Principal, credential: str, answer: Callable[[], object]) -> object:
        """Give a principal its place, and answer; where the login uses a token up, once that is on disk."""
        self._judge(session, principal)
        if (why := fleeting(session.peer, principal)) is not None:
            self._tell(session, "refused", f"for-one-use token={principal.token_id}")
            raise why
        full = self._sessions.admit(session, principal)
        if full is not None:
            self._turn_away(session, principal, full)
        token_id = principal.token_id
        if token_id is None or not self._authenticator.uses_up(token_id):
            return self._let_in(session, principal, answer)

        def give_back() -> None:
            if session.principal is None:
                self._sessions.dismiss(session)
            else:  # a certificate had its place already
                self._sessions.admit(session, session.principal)

        def use_up() -> Spent | None:
            try:
                return self._authenticator.use_up(token_id)
            except StorageError as error:
                _log.error("a login that spends its token was refused: %s", error)
                raise CommandError(
                    N_("The token database cannot be written now, and your token was not spent; try again."),
                    code=ErrorCode.UNAVAILABLE,
                ) from None

        def then(spent: Spent | None) -> object:
            if spent is not None:
                return self._let_in(session, principal, answer)
            give_back()
            self._refuse(session, f"{Refusal.SPENT} token={token_id}", credential)
            raise CommandError(N_("The token was refused."), code=ErrorCode.WRONGPASS)

        def unheard(spent: Spent | None) -> None:
            if spent is not None:
                self._authenticator.give_back(spent)

        return Later(use_up, then, give_back, unheard)

    def _let_in(self, session: Session, principal: Principal, answer: Callable[[], object]) -> object:
        session.authenticate(principal)
        session.logins += 1
        again = f"{AGAIN} " if session.logins > 1 else ""
        self._tell(session, "accepted", f"{again}token={principal.token_id}")
        self._close_gap(session, principal)
        return answer()

    def _turn_away(self, session: Session, principal: Principal, full: Full) -> NoReturn:
        """Refuse a good credential for which there is no place now."""
        session.close_later(CloseReason.TOO_MANY)
        seconds = RETRY_AFTER[CloseReason.TOO_MANY]
        if full is Full.TOKEN:
            why = f"{CloseReason.TOO_MANY} token={principal.token_id} sessions={principal.max_sessions}"
            self._tell(session, "refused", why)
            raise CommandError(
                N_("The token has as many sessions as it may; retry-after={seconds}"),
                code=ErrorCode.THROTTLED,
                seconds=seconds,
            )
        self._tell(session, "refused", CloseReason.TOO_MANY)
        raise CommandError(N_("Too many clients; retry-after={seconds}"), code=ErrorCode.THROTTLED, seconds=seconds)

    def _judge(self, session: Session, principal: Principal) -> None:
        """Refuse who is banned, and while the server drains all but administrators, however good the credential.

        Raises:
            CommandError: it is refused.
        """
        ban = self._banning.of(session, principal)
        if ban is not None:
            self._keep_out(session, principal, ban)
        if (seconds := self._draining.refuses(principal.role)) is not None:
            self._send_away(session, principal, seconds)

    def _keep_out(self, session: Session, principal: Principal, ban: Ban) -> NoReturn:
        """Refuse a good credential of the banned; only who proved to be it learns that it is."""
        session.close_later(CloseReason.BANNED)
        self._tell(session, "refused", f"{CloseReason.BANNED} ban={ban.number} token={principal.token_id}")
        retry = "" if (seconds := self._banning.retry_after(ban)) is None else f"; retry-after={seconds}"
        raise CommandError(_AS_IT_IS, code=ErrorCode.BANNED, told=f"{told(ban, session.translate)}{retry}")

    def _send_away(self, session: Session, principal: Principal, seconds: int) -> NoReturn:
        """Refuse a good credential, and do not use it up, for the server drains."""
        session.close_later(CloseReason.DRAINING, "", seconds)
        self._tell(session, "refused", f"{CloseReason.DRAINING} token={principal.token_id}")
        raise CommandError(
            N_("The server is draining and takes in nobody but administrators; retry-after={seconds}"),
            code=ErrorCode.DRAINING,
            seconds=seconds,
        )

    def _close_gap(self, session: Session, principal: Principal) -> None:
        """Look again, now that it is in the population: a ban or a drain may have begun since, or its token ended."""
        ban = self._banning.of(session)
        if ban is not None:
            session.close_later(*self._banning.ending(ban, session.translate))
        self._draining.leave(session)
        if principal.token_id is not None:
            state = self._authenticator.state(principal.token_id)
            if state is None or state in ENDED:
                session.close_later(ENDED.get(state, CloseReason.REVOKED) if state else CloseReason.REVOKED)

    def _refuse(self, session: Session, why: str, credential: str | None = None) -> None:
        """Count a try that came to nothing, which may earn its address a penalty; the last one ends the connection.

        While its address has a penalty there is one try a connection, whatever is wrong with it, and it earns nothing
        more. What is good is let in all the same: else whoever shares an address with somebody who guesses, or only
        seems to, could be shut out by him.

        Args:
            session: a stranger's.
            why: in the log's words.
            credential: what was shown; None for what is no guess, and earns nothing.

        Raises:
            CommandError: its address has a penalty, and that is all that the peer may know.
        """
        peer = session.peer
        if seconds := math.ceil(self._penalties.refused_for(peer.netblock)):
            self._tell(session, "refused", f"penalty {why} retry-after={seconds}")
            session.close_later(CloseReason.THROTTLED)
            raise CommandError(
                N_("Too many refused credentials came from your address; retry-after={seconds}"),
                code=ErrorCode.THROTTLED,
                seconds=seconds,
            ) from None
        if credential is not None:
            self._penalties.failed(peer.netblock, credential.encode(), peer.address, why)
        session.attempts += 1
        self._tell(session, "refused", why)
        if session.attempts >= ATTEMPTS:
            session.close_later(CloseReason.AUTH_FAILED)

    def _tell(self, session: Session, outcome: str, detail: str) -> None:
        self._on_authentication(session.who(session.principal), outcome, detail, session.mechanism)

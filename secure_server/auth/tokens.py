"""Making, listing, rotating, revoking and purging tokens: one service for the command line and the admin shell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from secure_protocol.scram import is_family
from secure_protocol.sentence import Sentence
from secure_protocol.token import PREFIX, Token
from secure_server.auth.errors import NameTakenError, TokenNotFoundError, TokenRequestError
from secure_server.auth.lifetime import LIFETIME_MAX, check_lifetime
from secure_server.auth.networks import check_networks
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.scram_keys import keys_of
from secure_server.auth.storage import TokenStorage
from secure_server.auth.token_record import ScramKeys, TokenRecord, TokenState, digest_of
from secure_server.limits.rate import Rate

SESSIONS_MAX = 10_000_000
"""Live sessions that one token may be bounded to: as many as a server may have clients."""
ALLOW_MAX = 256
"""Commands in one allow-list: more than any server has."""
ENROLMENT_SECONDS = 86_400.0
"""How long an enrolment line is good unless somebody says otherwise: time to paste it, none to be found lying about."""
LINK_SECONDS = 3600.0
"""How long a link is good unless somebody says otherwise: an hour, for a browser keeps what it was given in its history
until the page has taken it out, and a chat keeps it for good."""

Records = list[TokenRecord]  # a name for it outside the class, in which `list` is a method

_NAME = re.compile(r"[A-Za-z0-9._@][A-Za-z0-9._@-]{0,63}")
_COMMAND = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,63}")


def check_name(name: str) -> None:
    """Refuse what cannot name a token. The sentence never repeats it: it may be a secret pasted by mistake.

    Raises:
        TokenRequestError: it is malformed, or looks like a token.
    """
    if name.lower().startswith(f"{PREFIX}_"):
        raise TokenRequestError(
            Sentence("that looks like a token, not like a name; a token's id is what stands between its first two _")
        )
    if _NAME.fullmatch(name) is None:
        raise TokenRequestError(Sentence("a name is 1 to 64 letters, digits and . _ - @, and does not begin with -"))
    if is_family(name):  # AUTH takes it for the mechanism
        raise TokenRequestError(Sentence("a name does not begin with SCRAM-, as the names of mechanisms do"))


def check_allow(commands: Iterable[str]) -> frozenset[str]:
    """Read an allow-list; returns the names of the commands in upper case.

    Raises:
        TokenRequestError: it is empty, too long, or holds what cannot be a command's name.
    """
    allow = frozenset(command.strip().upper() for command in commands)
    if not 0 < len(allow) <= ALLOW_MAX or not all(_COMMAND.fullmatch(command) for command in allow):
        raise TokenRequestError(
            Sentence("an allow-list is 1 to {most} names of commands, as in ECHO,TIME", most=ALLOW_MAX)
        )
    return allow


class TokenChange(StrEnum):
    """What was done to tokens."""

    CREATED = "created"
    EXCHANGED = "exchanged"
    ROTATED = "rotated"
    REVOKED = "revoked"
    PURGED = "purged"


Reveal = Callable[[Token], object]
"""Shows a new token, once it is durable. What it raises takes the token back: it was shown to nobody."""
OnChange = Callable[[TokenChange, Records], None]
"""Told of each change, after it became durable: what was done, and to which tokens; of a rotation or exchange
the new one."""


class Tokens:
    """What one can do with tokens. Any thread; each change is durable, and known to every process, on return.

    Every change is made here, so that whoever keeps a record of them has one place to look at.

    Args:
        storage: where the records are.
        clock: Unix seconds; wall clock.
        on_change: told of each change.
    """

    def __init__(
        self,
        storage: TokenStorage,
        clock: Callable[[], float] = time.time,
        on_change: OnChange = lambda _change, _records: None,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._on_change = on_change

    def create(
        self,
        name: str,
        role: Role = Role.USER,
        lifetime: float | None = None,
        allow: Iterable[str] | None = None,
        *,
        networks: Iterable[str] | None = None,
        max_sessions: int | None = None,
        rate: Rate | None = None,
        use: TokenUse = TokenUse.LASTING,
        within: float = ENROLMENT_SECONDS,
        reveal: Reveal = lambda _token: None,
    ) -> Token:
        """Make a token for a name that has no active one.

        Args:
            name: whom it is for.
            role: what it may do.
            lifetime: seconds until it expires; None never. Of an enrolment token: of what it is exchanged for.
            allow: the only commands it may run; None allows all that the role does.
            networks: the only ones it may come from; None anywhere.
            max_sessions: live sessions at once; None any number.
            rate: how fast it may run commands; None as the configuration has it.
            use: what it is good for.
            within: seconds until an enrolment token expires; of no meaning for others.
            reveal: shows it.

        Returns:
            The token. Its secret is kept nowhere else.

        Raises:
            TokenRequestError: an argument is malformed.
            NameTakenError: the name has an active token, or is the id of a token.
        """
        check_name(name)
        if role is Role.NOBODY:
            raise TokenRequestError(Sentence("a token's role is one of user, operator, admin"))
        for seconds in (lifetime, within):
            if seconds is not None:
                check_lifetime(seconds)
        if max_sessions is not None and not 1 <= max_sessions <= SESSIONS_MAX:
            raise TokenRequestError(Sentence("a token has 1 to {most} sessions", most=SESSIONS_MAX))
        commands = None if allow is None else check_allow(allow)
        sources = None if networks is None else check_networks(networks)
        if any(record.id == name for record in self._storage.find(name)):
            raise NameTakenError(
                Sentence(
                    "{name} is the id of a token, and one could not tell them apart; choose another name", name=name
                )
            )
        token, now = self._new_token(), self._clock()
        record = TokenRecord(
            token.id,
            name,
            role,
            digest_of(token.secret),
            now,
            None if lifetime is None else now + lifetime,
            allow=commands,
            networks=sources,
            max_sessions=max_sessions,
            rate=rate,
            scram=keys_of(token, self._storage.salt_key()),
            use=use,
            lifetime=lifetime,
        )
        if use is TokenUse.ENROLMENT:
            record = replace(record, expires=now + within)
        if not self._storage.add(record, beside_active=False):
            raise NameTakenError(
                Sentence(
                    "{name} has an active token; replace it with: secure-server token rotate {name}, "
                    "or end it with: secure-server token revoke {name}",
                    name=name,
                )
            )
        self._on_change(TokenChange.CREATED, [record])
        self._show(token, reveal)
        return token

    def exchange(self, token_id: str) -> Token | None:
        """Make the lasting token that an enrolment token stands for, in place of any made before and not yet used.

        It is good as long as the enrolment token until its first use, which spends that one and begins its own life.

        Returns:
            The lasting token, whose secret is kept nowhere else; None for a token that is to be kept as it is.

        Raises:
            TokenNotFoundError: the enrolment token is not good any more.
        """
        old = next((record for record in self._storage.find(token_id) if record.id == token_id), None)
        if old is not None and old.use is not TokenUse.ENROLMENT:
            return None
        if old is not None:
            token = self._new_token()
            made = _like(old, token, self._clock(), keys_of(token, self._storage.salt_key()))
            record = replace(made, expires=old.expires, use=TokenUse.LASTING, replaces=old.id)
            if self._storage.exchange(record):
                self._on_change(TokenChange.EXCHANGED, [record])
                return token
        raise TokenNotFoundError(
            Sentence("the enrolment token {token} was used, has expired or was revoked; make another", token=token_id)
        )

    def list(self) -> Records:
        """All tokens, revoked and expired ones too, oldest first."""
        return self._storage.load_all()

    def find(self, name_or_id: str) -> Records:
        """The token with that id or, where no token has it, all tokens of that name, oldest first.

        Raises:
            TokenRequestError: it can be neither an id nor a name.
            TokenNotFoundError: there is none.
        """
        check_name(name_or_id)  # every id has the form of a name
        found = self._storage.find(name_or_id)
        if not found:
            raise _unknown(name_or_id)
        return [record for record in found if record.id == name_or_id] or found

    def revoke(self, name_or_id: str) -> Records:
        """End the token with that id or, where no token has it, all tokens of that name.

        Returns:
            The tokens that this ended, at least one.

        Raises:
            TokenRequestError: it can be neither an id nor a name.
            TokenNotFoundError: there is none, or all were revoked already.
        """
        check_name(name_or_id)
        revoked = self._storage.revoke(name_or_id, self._clock())
        if not revoked:
            self.find(name_or_id)
            raise TokenNotFoundError(
                Sentence("{token} is revoked already; see: secure-server token list", token=name_or_id)
            )
        self._on_change(TokenChange.REVOKED, revoked)
        return revoked

    def rotate(self, name: str, grace: float | None = None, reveal: Reveal = lambda _token: None) -> Token:
        """Make a second token like the name's newest active one; both work until the old one ends.

        The new token has all that the old one has: role, allow-list, networks, sessions, rate, and the lifetime that
        it was made with, counted from now, whatever a grace has left of it.

        Args:
            name: whose.
            grace: seconds after which the older ones end; None leaves that to `revoke`.
            reveal: shows the new one; what it raises gives the older ones the ends back that they had.

        Returns:
            The new token. Its secret is kept nowhere else.

        Raises:
            TokenRequestError: it cannot be a name, or the grace is none.
            TokenNotFoundError: the name has no active token.
        """
        check_name(name)
        if grace is not None:
            check_lifetime(grace)
        now = self._clock()
        found = self._storage.find(name)
        if found and found[0].id == name:
            raise TokenNotFoundError(
                Sentence(
                    "{id} is the id of a token of {name}; rotate takes the name: secure-server token rotate {name}",
                    id=name,
                    name=found[0].name,
                )
            )
        active = [record for record in found if record.state(now) is TokenState.ACTIVE]
        if active and not (active := [item for item in active if item.use is TokenUse.LASTING and not item.replaces]):
            raise TokenNotFoundError(
                Sentence(
                    "{name} has only a token for one use, which is not rotated; end it with: "
                    "secure-server token revoke {name}",
                    name=name,
                )
            )
        token = self._new_token()
        if active:
            record = _like(active[-1], token, now, keys_of(token, self._storage.salt_key()))
            until = None if grace is None else now + grace
            # Refused when the last active one was revoked in this moment: nobody gets back in by rotating.
            if self._storage.add(record, beside_active=True, others_until=until):
                self._on_change(TokenChange.ROTATED, [record])
                self._show(token, reveal, until, active)
                return token
        raise TokenNotFoundError(
            Sentence(
                "{name} has no active token to rotate; make one with: secure-server token create {name}", name=name
            )
        )

    def purge(self, older: float = 0.0) -> Records:
        """Remove the records of tokens that were revoked, spent or expired.

        A session that a spent token opened ends with its record, for without one it could not be revoked.

        Args:
            older: only of those that ended at least so many seconds ago.

        Returns:
            What was removed.

        Raises:
            TokenRequestError: `older` is below zero, or over 100 years.
        """
        if not 0 <= older <= LIFETIME_MAX:
            raise TokenRequestError(Sentence("an age is at most 36500d (100 years)"))
        purged = self._storage.purge(self._clock() - older)
        if purged:
            self._on_change(TokenChange.PURGED, purged)
        return purged

    def _show(
        self, token: Token, reveal: Reveal, until: float | None = None, others: Iterable[TokenRecord] = ()
    ) -> None:
        """Show a new token; where that fails, end it, and give those beside it the ends that they had until now."""
        try:
            reveal(token)
        except BaseException:
            if until is not None:
                self._storage.prolong({record.id: record.expires for record in others}, until)
            self.revoke(token.id)
            raise

    def _new_token(self) -> Token:
        """A token whose id is neither an id nor a name yet: `revoke` takes either."""
        while self._storage.find((token := Token.generate()).id):
            pass
        return token


def _like(old: TokenRecord, token: Token, now: float, keys: ScramKeys) -> TokenRecord:
    """A record for a token that is to replace an old one."""
    return replace(
        old,
        id=token.id,
        digest=digest_of(token.secret),
        created=now,
        expires=None if old.lifetime is None else now + old.lifetime,
        last_used=None,
        last_address=None,
        replaces=None,
        scram=keys,
    )


def _unknown(name_or_id: str) -> TokenNotFoundError:
    return TokenNotFoundError(
        Sentence("no token has the name or id {token}; see: secure-server token list", token=name_or_id)
    )

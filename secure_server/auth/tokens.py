"""Making, listing, rotating and revoking tokens: one service for the command line and the admin shell."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

from secure_protocol.sentence import Sentence
from secure_protocol.token import PREFIX, Token
from secure_server.auth.errors import NameTakenError, TokenNotFoundError, TokenRequestError
from secure_server.auth.lifetime import check_lifetime
from secure_server.auth.principal import Role
from secure_server.auth.storage import TokenStorage
from secure_server.auth.token_record import TokenRecord, TokenState, digest_of

ALLOW_MAX = 256
"""Commands in one allow-list: more than any server has."""

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


class Tokens:
    """What one can do with tokens. Any thread; each change is durable, and known to every process, on return.

    Args:
        storage: where the records are.
        clock: Unix seconds; wall clock.

    Its methods raise `StorageError` when the storage fails.
    """

    def __init__(self, storage: TokenStorage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock

    def create(
        self,
        name: str,
        role: Role = Role.USER,
        lifetime: float | None = None,
        allow: Iterable[str] | None = None,
    ) -> Token:
        """Make a token for a name that has no active one.

        Args:
            name: whom it is for.
            role: what it may do.
            lifetime: seconds until it expires; None never.
            allow: the only commands it may run; None allows all that the role does.

        Returns:
            The token. Its secret is kept nowhere else.

        Raises:
            TokenRequestError: an argument is malformed.
            NameTakenError: the name has an active token, or is the id of a token.
        """
        check_name(name)
        if role is Role.NOBODY:
            raise TokenRequestError(Sentence("a token's role is one of user, operator, admin"))
        if lifetime is not None:
            check_lifetime(lifetime)
        commands = None if allow is None else check_allow(allow)
        records = self.list()
        if any(record.id == name for record in records):
            raise NameTakenError(
                Sentence(
                    "{name} is the id of a token, and one could not tell them apart; choose another name", name=name
                )
            )
        token = _new_token(records)
        record = self._record(token, name, role, lifetime, commands)
        if not self._storage.add(record, beside_active=False):
            raise NameTakenError(
                Sentence(
                    "{name} has an active token; replace it with: secure-server token rotate {name}, "
                    "or end it with: secure-server token revoke {name}",
                    name=name,
                )
            )
        return token

    def list(self) -> Records:
        """All tokens, revoked and expired ones too, oldest first."""
        return self._storage.load_all()

    def revoke(self, name_or_id: str) -> Records:
        """End the token with that id or, where no token has it, all tokens of that name.

        Returns:
            The tokens that this ended, at least one.

        Raises:
            TokenRequestError: it can be neither an id nor a name.
            TokenNotFoundError: there is none, or all were revoked already.
        """
        check_name(name_or_id)  # every id has the form of a name
        revoked = self._storage.revoke(name_or_id, self._clock())
        if revoked:
            return revoked
        if any(name_or_id in (record.id, record.name) for record in self.list()):
            raise TokenNotFoundError(
                Sentence("{token} is revoked already; see: secure-server token list", token=name_or_id)
            )
        raise TokenNotFoundError(
            Sentence("no token has the name or id {token}; see: secure-server token list", token=name_or_id)
        )

    def rotate(self, name: str) -> Token:
        """Make a second token like the name's newest active one; both work until the old one is revoked.

        The new token has the role, the allow-list and the lifetime, counted from now, of the old one.

        Returns:
            The new token. Its secret is kept nowhere else.

        Raises:
            TokenRequestError: it cannot be a name.
            TokenNotFoundError: the name has no active token.
        """
        check_name(name)
        records = self.list()
        now = self._clock()
        active = [item for item in records if item.name == name and item.state(now) is TokenState.ACTIVE]
        token = _new_token(records)
        if active:
            old = active[-1]
            lifetime = None if old.expires is None else old.expires - old.created
            # Refused when the last active one was revoked in this moment: nobody gets back in by rotating.
            if self._storage.add(self._record(token, name, old.role, lifetime, old.allow), beside_active=True):
                return token
        raise TokenNotFoundError(
            Sentence(
                "{name} has no active token to rotate; make one with: secure-server token create {name}", name=name
            )
        )

    def _record(
        self, token: Token, name: str, role: Role, lifetime: float | None, allow: frozenset[str] | None
    ) -> TokenRecord:
        now = self._clock()
        expires = None if lifetime is None else now + lifetime
        return TokenRecord(token.id, name, role, digest_of(token.secret), now, expires, allow=allow)


def _new_token(records: Iterable[TokenRecord]) -> Token:
    """A token whose id is neither an id nor a name yet: `revoke` takes either."""
    taken = {text for record in records for text in (record.id, record.name)}
    while (token := Token.generate()).id in taken:
        pass
    return token

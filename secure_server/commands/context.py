"""What a handler is given: who asks, and what of the server it may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from secure_protocol.token import Token
from secure_server.auth.principal import Principal
from secure_server.auth.token_record import TokenRecord
from secure_server.commands.command import Command
from secure_server.i18n import Translate
from secure_server.session import Session
from secure_server.sessions import Sessions


class Authenticate(Protocol):
    """From a credential to a principal; see `secure_server.auth.authenticator`."""

    def __call__(self, credential: Token, *, name: str | None, address: str) -> Principal:
        """Tell who presents this token; raises AuthenticationError."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What of the server the built-in commands use.

    Attributes:
        commands: all commands there are, by name.
        command_named: look one up.
        sessions: the population.
        authenticate: from a token to a principal.
        on_authentication: told of each try: session, whether it succeeded, and why not (for the log).
        on_admitted: told of a session that has just authenticated and been counted in.
        token_records: all tokens; reads the storage, so for workers only.
        clock: monotonic seconds.
    """

    commands: Callable[[], Iterator[Command]]
    command_named: Callable[[str], Command | None]
    sessions: Sessions
    authenticate: Authenticate
    on_authentication: Callable[[Session, str, str], None]
    on_admitted: Callable[[Session], None]
    token_records: Callable[[], list[TokenRecord]]
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Context:
    """One call of a command.

    Attributes:
        session: whose request it is. From a worker, only what is marked "any thread".
        services: what of the server may be used.
        command: what is being run.
    """

    session: Session
    services: Services
    command: Command
    _translate: Translate = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._translate = self.session.translate

    def translate(self, sentence: str) -> str:
        """Return an English sentence in the session's language."""
        return self._translate(sentence)

    def may_run(self, command: Command) -> bool:
        """Whether the caller may run `command`: the same question that the gate asks."""
        return may_run(self.session.principal, command)


def may_run(principal: Principal | None, command: Command) -> bool:
    """The authorizer: does the principal's role, and its list of commands where it has one, include this one?"""
    if principal is None:
        return not command.role
    if principal.role < command.role:
        return False
    return principal.allow is None or not command.role or command.words[0].decode() in principal.allow

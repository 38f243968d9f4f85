"""What of the server a handler may use, from any thread and after its call has ended: `context.server`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.i18n import N_
from secure_server.session.messages import MESSAGE
from secure_server.session.population import Sessions
from secure_server.session.session import Session

MESSAGE_CHARACTERS = 1000
"""The longest message; it interrupts a person who is doing something else."""


class Asker(Protocol):
    """The context of a call: who made it; see `secure_server.commands.context`."""

    @property
    def session(self) -> Session:
        """The session that made the call."""
        ...


class ServerFacade:
    """Tells clients something unasked. Any thread.

    RESP3 clients are told; RESP2 and text clients only after `NOTIFY ON`, for they cannot tell a message from a reply.
    A client that does not read what it is sent misses messages.

    Args:
        sessions: the population.
        sender: who is shown to be telling.
        spared: who is not told by `broadcast`.
    """

    __slots__ = ("_sender", "_sessions", "_spared")

    def __init__(self, sessions: Sessions, sender: str, spared: Session | None = None) -> None:
        self._sessions = sessions
        self._sender = sender
        self._spared = spared

    def broadcast(
        self,
        text: str,
        *,
        role: Role | str | None = None,
        name: str | None = None,
        id: int | None = None,  # noqa: A002 - the word of CLIENTS and KICK
        chosen: Callable[[Session], bool] | None = None,
    ) -> int:
        """Tell everybody who has authenticated, but the caller; or those for whom all that is given holds.

        Args:
            text: one line; control characters are shown escaped, and it is cut after `MESSAGE_CHARACTERS`.
            role: exactly this one.
            name: the principal's.
            id: the session's number.
            chosen: says of a session whether it is told.

        Returns:
            How many sessions it was sent to.

        Raises:
            CommandError: the text is empty.
            ValueError: there is no such role.
        """
        wanted = Role.parse(role) if isinstance(role, str) else role

        def meant(session: Session) -> bool:
            principal = session.principal  # read once: its own thread may change it meanwhile
            return (
                principal is not None
                and session is not self._spared
                and (wanted is None or principal.role is wanted)
                and (name is None or principal.name == name)
                and (id is None or session.number == id)
                and (chosen is None or chosen(session))
            )

        return self._tell(meant, text)

    def notify(self, to: int | Asker, text: str) -> bool:
        """Tell one session.

        Args:
            to: its number, or the context of a call it made.
            text: as for `broadcast`.

        Returns:
            Whether there is such a session and it takes messages.

        Raises:
            CommandError: the text is empty.
        """
        number = to if isinstance(to, int) else to.session.number
        return bool(self._tell(lambda session: session.number == number and session.principal is not None, text))

    def _tell(self, meant: Callable[[Session], bool], text: str) -> int:
        if not text.strip():
            raise CommandError(N_("A message needs a text."))
        push = Push(MESSAGE, (self._sender, printable(text, MESSAGE_CHARACTERS)))
        told = [session for session in self._sessions if session.takes_messages and meant(session)]
        for session in told:
            session.post(push)
        return len(told)

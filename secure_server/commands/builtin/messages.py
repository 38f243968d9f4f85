"""What clients are told unasked: BROADCAST for admins, NOTIFY for those who cannot tell it from a reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from secure_protocol.errors import CommandError
from secure_protocol.replies import Status
from secure_protocol.text_requests import split
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients.filtering import filter_words
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.session.filter import SessionFilter
from secure_server.session.session import Session

GROUP = N_("Messages")

Text = Annotated[str, Argument(longest=64 * 1024)]
"""As long as a line may be: what does not fit a message is cut, not refused."""


@command(
    "NOTIFY",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Choose whether messages come between replies; over RESP3 they always come."),
    inline=True,
    idempotent=True,
    example="on",
)
def notify(context: Context, messages: Literal["on", "off"]) -> Status:
    """Opt in or out, on text and RESP2."""
    context.session.notifications = messages == "on"
    return Status("OK")


def session_numbers(context: Context, _typed: str) -> Iterator[tuple[str, str]]:
    """Give the numbers of those who are connected, with who and where they are."""
    for session in services(context).sessions:
        principal = session.principal
        yield str(session.number), f"{'-' if principal is None else principal.name} {session.peer.address}"


def principal_names(context: Context, _typed: str) -> Iterator[str]:
    """Give the names of those who are connected."""
    principals = [session.principal for session in services(context).sessions]
    return iter(sorted({principal.name for principal in principals if principal is not None}))


@command(
    "BROADCAST",
    summary=N_("Send a message to all other clients, or to some of them."),
    role=Role.ADMIN,
    form=N_("Clients told: {}"),
    arguments={
        "role": N_("only to clients of this role"),
        "name": N_("only to clients of this name, as CLIENTS shows it"),
        "id": N_("only to the client with this number"),
        "to": N_('only to those that a filter chooses, in one word: "role=operator idle<1h"'),
    },
    complete={"name": principal_names, "id": session_numbers, "to": filter_words},
    example=N_('"The server restarts at noon." --role user'),
)
def broadcast(
    context: Context,
    *text: Text,
    role: Literal["user", "operator", "admin"] | None = None,
    name: str | None = None,
    id: int | None = None,  # noqa: A002 - the option's name is what people read
    to: str | None = None,
) -> int:
    """Return how many sessions it was sent to."""
    chosen = None if to is None else _chosen(context, to)
    return context.server.broadcast(" ".join(text), role=role, name=name, id=id, chosen=chosen)


def _chosen(context: Context, text: str) -> Callable[[Session], bool]:
    """Read a filter that is one word of the line."""
    try:
        words = [word.decode("utf-8", "replace") for word in split(text.encode())]
    except ValueError:
        raise CommandError(N_("A quote in the filter is not closed.")) from None
    wanted = SessionFilter.parse(words)
    if wanted.empty:
        raise CommandError(N_("The filter is empty; leave --to out to tell everybody."))
    return wanted.matcher(context.session, services(context).clock())

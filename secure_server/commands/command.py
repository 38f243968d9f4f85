"""A command: name, handler, policy. The policy is data; the dispatcher's gate applies it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from secure_protocol.description import CommandDescription
from secure_protocol.replies import ReplyKind
from secure_server.auth.principal import Role
from secure_server.commands.signature import Signature
from secure_server.i18n import Translate

Handler = TypeVar("Handler", bound=Callable[..., object])

ATTRIBUTE = "__command__"
"""Where `command` leaves what it made of a handler, for the registry to find."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command as data.

    Attributes:
        name: upper case; two words make a subcommand (`CLIENT LIST`).
        handler: called with a context and the converted arguments; what it returns is the reply.
        signature: how to call it.
        summary: one English sentence, translated where it is shown.
        role: the least role that may run it; NOBODY: even before authentication.
        inline: it never blocks, and runs on the I/O thread; others run on a worker.
        idempotent: sending it twice does what sending it once does.
        reply: how to show its answer.
        form: wording around a one-line answer; English, translated where it is shown.
        columns: of a table.
        empty: told instead of an empty table; English, likewise.
        secret: its arguments hold secrets: nothing but its name may be logged.
        hidden: not listed, for programs alone.
    """

    name: str
    handler: Callable[..., object]
    signature: Signature
    summary: str = ""
    role: Role = Role.USER
    inline: bool = False
    idempotent: bool = False
    reply: ReplyKind = ReplyKind.TEXT
    form: str = ""
    columns: tuple[str, ...] = ()
    empty: str = ""
    secret: bool = False
    hidden: bool = False
    words: tuple[bytes, ...] = field(init=False)
    """The name as a peer sends it, upper case."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.name.encode().split(b" ")))

    def describe(self, translate: Translate) -> CommandDescription:
        """Return it as clients read it."""
        return CommandDescription(
            name=self.name,
            summary=translate(self.summary) if self.summary else "",
            role="" if self.role is Role.NOBODY else self.role.label,
            arguments=tuple(parameter.describe(translate) for parameter in self.signature.parameters),
            idempotent=self.idempotent,
            reply=self.reply,
            form=translate(self.form) if self.form else "",
            columns=self.columns,
            empty=translate(self.empty) if self.empty else "",
        )


def command(
    name: str,
    *,
    summary: str = "",
    role: Role = Role.USER,
    inline: bool = False,
    idempotent: bool = False,
    reply: ReplyKind = ReplyKind.TEXT,
    form: str = "",
    columns: tuple[str, ...] = (),
    empty: str = "",
    secret: bool = False,
    hidden: bool = False,
    arguments: dict[str, str] | None = None,
) -> Callable[[Handler], Handler]:
    """Make a function a command; the arguments are `Command`'s, and `arguments` gives a sentence for a parameter.

    Raises:
        SignatureError: the function's signature cannot be a command's.
    """

    def register(handler: Handler) -> Handler:
        made = Command(
            name=name.upper(),
            handler=handler,
            signature=Signature(handler, arguments),
            summary=summary,
            role=role,
            inline=inline,
            idempotent=idempotent,
            reply=reply,
            form=form,
            columns=columns,
            empty=empty,
            secret=secret,
            hidden=hidden,
        )
        aliases = getattr(handler, ATTRIBUTE, ())
        setattr(handler, ATTRIBUTE, (*aliases, made))
        return handler

    return register

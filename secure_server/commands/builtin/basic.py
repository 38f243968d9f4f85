"""The owner's commands and those every client expects: ECHO, TIME, EXIT, QUIT, PING, LANG."""

from __future__ import annotations

import time

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind, Status, Timestamp
from secure_server.auth.principal import Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import LANGUAGES, N_, match_language

GROUP = N_("Session")


@command(
    "ECHO",
    audit=False,
    summary=N_("Send a text back."),
    inline=True,
    idempotent=True,
    form=N_("ECHO: {}"),
    example=N_("hello"),
)
def echo(context: Context, *text: bytes) -> bytes:
    """Return the words as they came, or say that the command arrived."""
    return b" ".join(text) or context.translate("Command received successfully.").encode()


@command(
    "TIME",
    audit=False,
    summary=N_("The server's date and time."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.TIMESTAMP,
)
def tell_time(_context: Context) -> Timestamp:
    """Return the moment."""
    nanoseconds = time.time_ns()
    return Timestamp(nanoseconds // 1_000_000_000, nanoseconds // 1_000 % 1_000_000)


@command(
    "PING",
    audit=False,
    about_session=True,
    summary=N_("Answer PONG, or the message."),
    inline=True,
    idempotent=True,
    example=N_("hello"),
)
def ping(_context: Context, message: bytes | None = None) -> bytes | Status:
    """Return a sign of life."""
    return Status("PONG") if message is None else message


@command(
    "CANCEL",
    of_connection=True,
    audit=False,  # what it ends is on record as CANCELLED
    about_session=True,
    summary=N_("End the command that is running."),
    inline=True,
    idempotent=True,
    urgent=True,
    unlimited=True,
)
def cancel(context: Context) -> int:
    """Have this session's running command stop; 1 if there was one."""
    return int(context.session.cancel())


@command(
    "EXIT",
    of_connection=True,
    audit=False,
    summary=N_("Say goodbye and close the connection."),
    role=Role.NOBODY,
    inline=True,
    unlimited=True,
)
def leave(context: Context) -> Status:
    """Say goodbye; what was asked before is answered first."""
    context.session.close(CloseReason.GOODBYE)
    return Status(context.translate("Goodbye."))


@command(
    "QUIT",
    of_connection=True,
    audit=False,
    summary=N_("The same as EXIT."),
    role=Role.NOBODY,
    inline=True,
    unlimited=True,
)
def quit_(context: Context) -> Status:
    """Leave as Redis clients do, who expect OK."""
    goodbye = leave(context)
    return goodbye if context.session.codec.for_people else Status("OK")


@command(
    "LANG",
    of_connection=True,
    audit=False,
    about_session=True,
    summary=N_("Show or choose the language of this session."),
    inline=True,
    idempotent=True,
    complete={"language": lambda _context, _typed: LANGUAGES},
    example="pt_BR",
)
def choose_language(context: Context, language: str | None = None) -> Status:
    """Choose by locale name, such as `pt_BR` or `en_US.UTF-8`."""
    if language is None:
        return Status(context.session.language)
    chosen = match_language(language)
    if chosen is None:
        raise CommandError(
            N_("There is no language {given}; there are {choices}."),
            given=printable(language, 20),
            choices=", ".join(LANGUAGES),
        )
    context.session.speak(chosen)
    return Status("OK")

"""What a new client asks for: CA, before it trusts anybody, and ENROLL, to exchange its line's token for its own."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import ReplyKind, Verbatim
from secure_server.auth.errors import TokenNotFoundError
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_

GROUP = N_("Session")

ENROLL_SECONDS = 15.0
"""For the exchange, with what it waits for a worker and for the storage, which is busy for 5 s at most."""


@command(
    "CA",
    summary=N_("The server's CA certificates (PEM), for a client that knows their fingerprint."),
    role=Role.NOBODY,
    inline=True,
    idempotent=True,
    hidden=True,
    audit=False,  # a stranger could fill the trail with it
    reply=ReplyKind.LINES,
)
def ca(context: Context) -> Verbatim:
    """Return the certificates. They are no secret: every handshake shows what they signed."""
    authorities = services(context).authorities()
    if not authorities:
        raise CommandError(
            N_("This server has no CA of its own to give; ask its administrator whom to trust, and how to connect.")
        )
    return Verbatim(authorities)


@command(
    "ENROLL",
    of_connection=True,
    summary=N_("Exchange an enrolment token for a lasting one, which is shown once."),
    about_session=True,
    hidden=True,
    audit=False,  # the token that it makes is on record; asked with any other token, it does nothing
    secret=True,
    timeout=ENROLL_SECONDS,
)
def enroll(context: Context) -> str | None:
    """Return the lasting token, or nothing where the one that was shown is to be kept."""
    principal = context.session.principal
    if principal is None or principal.token_id is None:
        return None
    try:
        token = services(context).tokens_by(context.session).exchange(principal.token_id)
    except TokenNotFoundError:
        raise CommandError(
            N_("This enrolment line was used already, has expired or was revoked; ask for a new one."),
            code=ErrorCode.WRONGPASS,
        ) from None
    return None if token is None else token.reveal()

"""What a peer is told when the server ends its connection, or a command of it."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply, Push, Status
from secure_server.i18n import N_, Translate

CLOSE_SENTENCES = {
    CloseReason.IDLE: N_("Closed after too long without a command."),
    CloseReason.AUTH_TIMEOUT: N_("Authentication took too long."),
    CloseReason.REQUEST_TIMEOUT: N_("The rest of a request did not come in time."),
    CloseReason.KICKED: N_("Closed by an administrator."),
    CloseReason.REVOKED: N_("The token was revoked."),
    CloseReason.EXPIRED: N_("The token expired."),
    CloseReason.SLOW_CONSUMER: N_("Replies were not read in time."),
    CloseReason.TOO_MANY: N_("Too many clients."),
    CloseReason.DRAINING: N_("The server is shutting down."),
    CloseReason.INTERNAL_ERROR: N_("An internal error closed the connection."),
}
"""What a peer is told, in its language. Reasons that are not here need no telling: the reply before said it all."""

Ending = tuple[CloseReason, str, int | None]
"""How a session ends: why, the words said instead of the reason's own sentence, and the seconds after which its peer
may come again; None where nothing is to say of that, or the reason has its own."""

RETRY_AFTER = {CloseReason.TOO_MANY: 5, CloseReason.DRAINING: 1}
"""Seconds after which trying again makes sense."""


def closed(
    reason: CloseReason, detail: str, translate: Translate, retry_after: int | None = None, *, push: bool
) -> Push | ErrorReply | None:
    """Return what is said of the end of a connection; None where nothing needs to be.

    Args:
        reason: why.
        detail: said instead of the reason's own sentence, such as an administrator's words.
        translate: into the session's language.
        retry_after: seconds after which trying again makes sense; None for the reason's own, where it has one.
        push: the peer can tell a push from a reply.
    """
    sentence = CLOSE_SENTENCES.get(reason, "")
    text = detail or (sentence and translate(sentence))
    if not text:
        return None
    seconds = RETRY_AFTER.get(reason, -1) if retry_after is None else retry_after
    if push:
        return Push("closed", (Status(reason), seconds, text))
    retry = f" retry-after={seconds}" if seconds >= 0 else ""
    return ErrorReply(ErrorCode.CLOSED, f"reason={reason}{retry} {text}")


def ended(code: ErrorCode) -> CommandError:
    """Return the failure of a command that was told to stop."""
    if code is ErrorCode.TIMEOUT:
        return CommandError("The command took too long and was ended.", code=code)
    return CommandError("The command was cancelled.", code=code)

"""What the gate refuses besides what the authorizer does, and in which words."""

from __future__ import annotations

import math

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.reasons import CloseReason
from secure_server.commands.authorizer import authentication_required
from secure_server.i18n import N_
from secure_server.session.session import Session


def tire(session: Session) -> None:
    """Raise a CommandError, and close, where a stranger has asked often enough."""
    if session.tires():
        session.close_later(CloseReason.AUTH_FAILED)
        raise authentication_required()


def too_fast(seconds: float) -> CommandError:
    """Return what is said to who has used up a rate.

    Args:
        seconds: until there is room for one again.
    """
    return CommandError(
        N_("You send commands faster than you may; retry-after={seconds}"),
        code=ErrorCode.THROTTLED,
        seconds=math.ceil(seconds),
    )


def too_busy() -> CommandError:
    """Return what is said where no worker can be had."""
    return CommandError(N_("The server has too much to do; try again in a moment."), code=ErrorCode.THROTTLED)

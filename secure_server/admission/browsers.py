"""What is otherwise for those who come over HTTP: a page, or a program that shows a token with each request."""

from __future__ import annotations

from secure_protocol.errors import CommandError, ErrorCode
from secure_server.auth.principal import Principal, TokenUse
from secure_server.i18n import N_
from secure_server.session.peer import Peer

BROWSERS = ("websocket", "http")
"""The transports of the page and of HTTP, whose peers prove nothing by SCRAM."""


def fleeting(peer: Peer, principal: Principal) -> CommandError | None:
    """Return why a token that a login uses up is refused: each connection of its holder's would be a login."""
    if peer.stays or principal.use is TokenUse.LASTING:
        return None
    return CommandError(
        N_("This token is for one login, and there would be more: it was not spent. Use one that lasts."),
        code=ErrorCode.NOPERM,
    )

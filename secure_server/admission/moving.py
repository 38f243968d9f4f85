"""What becomes of a session whose peer has another address: it is judged by that from then on."""

from __future__ import annotations

from collections.abc import Callable

from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_server.admission.banning import Banning
from secure_server.audit.who import Who
from secure_server.i18n import N_
from secure_server.session.peer import Peer
from secure_server.session.session import NOTHING, Session


class Moving:
    """Takes up where a peer is now. On the session's own thread.

    Args:
        good_from: whether a token, by its id, may come from an address.
        banning: who is kept out.
        on_moved: told who moved, as it is now, and from where.
    """

    def __init__(
        self, good_from: Callable[[str, str], bool], banning: Banning, on_moved: Callable[[Who, str], None]
    ) -> None:
        self._good_from = good_from
        self._banning = banning
        self._on_moved = on_moved

    def moved(self, session: Session, peer: Peer) -> None:
        """Judge a session by another address, which its peer has proved to have.

        Its place stays that of where it came from; penalties are those of where it is.

        Args:
            session: which.
            peer: as the transport knows it now.
        """
        before, was = session.peer.address, session.principal
        session.peer = peer
        session.cleared = NOTHING  # which would be recorded as from where it was
        principal = session.principal
        session.mark("moved", peer.address)
        self._on_moved(session.who(principal), before)
        if (ban := self._banning.of(session)) is not None:
            session.close(*self._banning.ending(ban, session.translate))
        elif (
            principal is not None
            and principal.token_id is not None
            and not self._good_from(principal.token_id, peer.address)
        ):
            session.close(
                CloseReason.AUTH_FAILED, session.translate(N_("Your token is not good where you have moved to."))
            )
        elif principal is not was and session.codec.pushes:  # an admin elsewhere is an operator, or one again
            session.notify(Push(COMMANDS_CHANGED))

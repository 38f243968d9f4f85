"""The one way in, and out, for every transport: a connection becomes a session here.

A transport takes a stranger's place before it does anything dear (`enter`), and says how that stranger ends when it has
to give way to others; gives the place back where nothing came of it (`failed`), and hands over who arrived (`receive`)
together with its own way of carrying a session. Places, log, trail and certificates are the same for all, so no
transport knows them.
"""

from __future__ import annotations

from collections.abc import Callable

from secure_protocol.reasons import CloseReason
from secure_server.admission.banning import Banning
from secure_server.admission.certificate import CertificateAdmission
from secure_server.audit.who import Who
from secure_server.auth.principal import Principal
from secure_server.config.settings import Config
from secure_server.limits.newcomers import GiveWay, Place
from secure_server.recording.recording import Recording
from secure_server.session.peer import Peer
from secure_server.session.population import Sessions
from secure_server.session.session import Session
from secure_server.session.terms import Terms

Seat = Callable[[Session], Callable[[], None]]
"""A transport's own: joins a session to what carries it, and returns what begins the exchange."""


class Reception:
    """Receives whoever comes. Any thread, unless a method says otherwise.

    Args:
        sessions: the population.
        certificates: lets in who showed a client certificate.
        banning: says who is kept out.
        recording: the activity log and the audit trail.
        terms: of every session.
        may_administer: whether a user of this machine, by number, may use the admin socket.
        most_administrators: connections that the admin socket may have.
    """

    def __init__(
        self,
        sessions: Sessions,
        certificates: CertificateAdmission,
        banning: Banning,
        recording: Recording,
        terms: Terms,
        *,
        may_administer: Callable[[int | None], bool],
        most_administrators: int,
    ) -> None:
        self._sessions = sessions
        self._certificates = certificates
        self._banning = banning
        self._recording = recording
        self._terms = terms
        self._may_administer = may_administer
        self._most_administrators = most_administrators

    def take_up(self, config: Config, language: str) -> None:
        """Have other terms for the sessions of those who come from here on, and other bounds on the admin socket."""
        limits = config.limits
        self._terms = self._terms.by(config, language)
        self._terms.reserve.take_up(int(limits.pending_total), int(limits.pending_bytes))
        self._most_administrators = limits.max_admin_clients

    def has_room(self) -> bool:
        """Whether a stranger may come now. Where not, one of those who give way to others ends in a moment."""
        return self._sessions.has_room

    def is_crowded(self) -> bool:
        """Whether strangers are so many that one who may come in another's name should prove its address first."""
        return self._sessions.crowded

    def has_room_for_administrator(self) -> bool:
        """Whether one may come by the admin socket now; for asking, nobody gives way. Where not, one goes soon."""
        return self._sessions.has_room_on_admin_socket(self._most_administrators)

    def keeps_out(self, peer: Peer) -> bool:
        """Whether a newcomer is banned by where it comes from, and so let go before anything dear; that is recorded."""
        ban = self._banning.of_peer(peer)
        if ban is not None:
            self._recording.kept_out(Who(0, "", peer.address, peer.netblock), ban.number)
        return ban is not None

    def enter(self, peer: Peer, give_way: GiveWay) -> Place:
        """Take a stranger's place; there always is one, for others give way.

        Args:
            peer: whoever comes.
            give_way: ends it when its own turn comes; called until `receive` took over, on any thread.
        """
        return self._sessions.enter(peer.netblock, give_way)

    def failed(self, peer: Peer, place: Place, reason: CloseReason, detail: str) -> None:
        """Whoever entered never became a session: its place is free again.

        Args:
            peer: as it entered.
            place: which it took.
            reason: why.
            detail: words of a library, or a `Shortage`, for the log; nothing in them comes from the peer.
        """
        self._sessions.leave(place)
        self._recording.handshake_failed(Who(0, "", peer.address, peer.netblock), reason, detail)

    def visited(self, place: Place) -> None:
        """Whoever entered asked for no session, and went: its place is free again, and there is nothing to tell."""
        self._sessions.leave(place)

    def administrator(self, uid: int | None) -> Principal | None:
        """Return who a user of this machine is on the admin socket; None where it may not come in.

        Where all places are taken, whoever was idle longest gives way. Whether it may come now was asked before; see
        `has_room_for_administrator`.

        Args:
            uid: the user's number, as the system says; None where it does not.
        """
        if not self._may_administer(uid):
            self._recording.stranger_at_the_admin_socket(uid)
            return None
        self._sessions.make_room_on_admin_socket(self._most_administrators)
        return Principal.local_admin(uid or 0)

    def receive(self, peer: Peer, seat: Seat, entrance: Place | Principal) -> Session:
        """Make a session of who arrived, and begin to exchange.

        Args:
            peer: as the transport knows it now.
            seat: joins the session to what carries it.
            entrance: the place that it took; or who the transport proved it to be, outside the places of clients. There
                is no third way, so nobody is a stranger without a place.
        """
        place, principal = (entrance, None) if isinstance(entrance, Place) else (None, entrance)
        session = Session(self._sessions.next_number(), peer, self._terms, principal)
        begin = seat(session)
        self._sessions.add(session, place)
        who = session.who(principal)
        self._recording.connected(who, peer.transport, _agreed(peer))
        if principal is not None:
            self._recording.local(who)
        if (ban := self._banning.of_peer(peer)) is not None:  # since it was asked whether the newcomer was kept out
            self._recording.kept_out(who, ban.number)
            session.turned_away = self._banning.ending(ban, session.translate)
        elif peer.certificate is not None:
            session.call_soon(lambda: self._certificates.enter(session))  # before the first byte is read
        begin()
        return session

    def leave(self, session: Session) -> None:
        """Its connection has ended. On the session's own thread."""
        self._sessions.remove(session)
        self._recording.disconnected(session.who(session.principal), session.close_reason, session.activity.commands)


def _agreed(peer: Peer) -> str:
    """What the transport agreed on, for the log."""
    shown = f" certificate={peer.certificate.label}" if peer.certificate is not None else ""
    return f"tls={peer.tls} cipher={peer.cipher}{shown}" if peer.tls else ""

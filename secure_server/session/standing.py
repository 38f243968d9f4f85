"""Who a session's peer is to the server, and what it has chosen for itself."""

from __future__ import annotations

import time

from secure_protocol.errors import ErrorCode, Failure
from secure_protocol.replies import ErrorReply
from secure_protocol.token import redact
from secure_server.audit.who import Who
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.principal import Principal, Role
from secure_server.auth.scram import Exchange
from secure_server.i18n import Translate, translator
from secure_server.session.call import Call
from secure_server.session.codecs import RESP2, Codec
from secure_server.session.endings import Ending, ended
from secure_server.session.history import COMMANDS, Moment, Ran, with_moment
from secure_server.session.peer import Activity, Peer
from secure_server.session.state import TRANSITIONS, Event, State

LABEL_CHARACTERS = 64
"""The longest name a client may give itself or its library."""
STRANGER_REQUESTS = 64
"""Requests of a peer that has not authenticated, on one connection. No client needs a dozen; so many take about as long
as the handshake before them, and a connection that costs nothing more than that is no way to keep the loop busy."""


class Standing:
    """The part of a session that other threads may read: state, identity, choices, and what it did.

    Args:
        number: unique in this server's life; `CLIENT ID`.
        peer: the other end.
        language: to begin with.
        now: monotonic seconds.
        principal: where the transport already proved who it is (the admin socket; for certificates see `prove`).
        admin_networks: from where an admin is one.

    Attributes:
        own: who it proved to be, wherever it is; what it may do from there `principal` says.
        proved: who the transport proved it to be, whatever it says later; `RESET` leads back to that.
        mechanism: how it tried to prove who it is, the last time; empty where nothing was tried by a command.
        attempts: refused tokens so far.
        logins: tokens by which it was let in; after `RESET` another one, or the same, may be shown.
        strange: requests since it was last nobody, blank ones included.
        exchange: a mutual handshake that has begun; one at most, and `Admission` alone goes on with it.
        established: since when it is who it is, monotonic seconds; a stranger's deadline counts from there.
        codec: how it is answered.
        client_name: what it calls itself.
        library: what it says it is made with, and the version of that.
        notifications: it asked for messages that its codec cannot tell from replies.
        turned_away: why it is closed instead of being answered its first request, and the sentence; before that, or if
            it never asks, it could not be told.
        moments: of its life, since it was connected.
        ran: its last commands; None until there was one, for most of those that are idle never had one.
        unwanted: replies that it wants dropped, from the next one on (`CLIENT REPLY`); infinite for all.
    """

    __slots__ = (
        "_admin_networks",
        "activity",
        "attempts",
        "client_name",
        "codec",
        "established",
        "exchange",
        "language",
        "library",
        "logins",
        "mechanism",
        "moments",
        "notifications",
        "number",
        "own",
        "peer",
        "proved",
        "ran",
        "state",
        "strange",
        "translate",
        "turned_away",
        "unwanted",
    )

    def __init__(
        self,
        number: int,
        peer: Peer,
        language: str,
        now: float,
        principal: Principal | None,
        admin_networks: AdminNetworks | None = None,
    ) -> None:
        self._admin_networks = admin_networks
        self.number = number
        self.peer = peer
        self.turned_away: Ending | None = None
        self.own = self.proved = principal
        self.mechanism = ""
        self.state = State.UNAUTHENTICATED if principal is None else State.AUTHENTICATED
        self.attempts = self.logins = 0
        self.strange = 0
        self.exchange: Exchange | None = None
        self.established = now
        self.activity = Activity(connected=time.time(), since=now, last_active=now)
        self.language = language
        self.translate: Translate = translator(language)
        self.codec: Codec = RESP2  # until its first byte says otherwise
        self.client_name = ""
        self.library = ("", "")
        self.notifications = False
        self.unwanted: float = 0
        self.moments: tuple[Moment, ...] = ()
        self.ran: list[Ran] | None = None

    # Any thread

    @property
    def principal(self) -> Principal | None:
        """Who the peer is, with what it may do from where it is now; whoever judges or shows it goes by that."""
        own = self.own  # read once: the owning thread may change it meanwhile
        if own is None or own.elsewhere is None or self._admin_networks is None:
            return own
        return self._admin_networks.seen(own, self.peer.address)

    @property
    def role(self) -> Role:
        """What the peer may act as now."""
        principal = self.principal
        return Role.NOBODY if principal is None else principal.role

    def who(self, principal: Principal | None) -> Who:
        """Return what is recorded of the peer.

        Args:
            principal: who it is, or was when it asked for what is recorded.
        """
        peer = self.peer
        name = "" if principal is None else principal.name
        return Who(self.number, name, peer.address, peer.netblock, peer.transport)

    def note(self, command: str, outcome: str, seconds: float | None = None) -> None:
        """Remember that a command of it was answered. By whoever answers: its own thread, or a worker."""
        if self.ran is None:
            self.ran = []
        self.ran.append(Ran(time.time(), command, outcome, seconds, self.activity.commands))
        if len(self.ran) > COMMANDS:
            del self.ran[0]

    @property
    def closing(self) -> bool:
        """Whether nothing more is read."""
        return self.state is State.CLOSING

    @property
    def takes_messages(self) -> bool:
        """Whether it is told messages: it can tell a push from a reply, or asked for them all the same."""
        return not self.closing and (self.codec.pushes or self.notifications)

    # Owning thread only

    def failure(self, failure: Failure) -> ErrorReply:
        """Return a failure as this peer sees it: without the secret of a token that it put in a wrong place."""
        return ErrorReply(failure.code, redact(failure.sentence(self.translate)))

    def ended_reply(self, call: Call) -> bytes:
        """Return the encoded reply of a command that was told to stop."""
        failure = self.failure(ended(call.ended_by or ErrorCode.CANCELLED))
        return self.codec.failure(failure, streamed=call.streamed)

    def mark(self, what: str, detail: str = "") -> None:
        """Remember a moment of its life; see `Moment`."""
        self.moments = with_moment(self.moments, Moment(time.time(), what, detail))

    def speak(self, language: str) -> None:
        """Answer in `language` from here on."""
        if language != self.language:
            self.mark("language", language)
        self.language = language
        self.translate = translator(language)

    def authenticate(self, principal: Principal) -> None:
        """The peer proved to be `principal`."""
        self.state = TRANSITIONS[self.state, Event.AUTHENTICATED]
        self.own = principal
        self.strange = 0
        self.mark("authenticated", "certificate" if principal.token_id is None else self.mechanism)

    def tires(self, requests: int = 1) -> bool:
        """Count requests of a stranger's, blank ones as well, for they cost a turn; whether they are too many."""
        if self.own is not None:
            return False
        self.strange += requests
        return self.strange > STRANGER_REQUESTS

    def prove(self, principal: Principal) -> None:
        """The transport proved the peer to be `principal`: it is whenever it says nothing else."""
        self.authenticate(principal)
        self.proved = principal

    def forget(self, language: str, now: float) -> None:
        """Forget what the peer chose, and who it is unless the transport proves that."""
        self.codec = self.codec.of_version(2)
        self.client_name = ""
        self.notifications = False
        self.unwanted = 0
        self.exchange = None
        self.mark("reset")
        self.speak(language)
        if self.proved is not None:
            self.own = self.proved
            return
        if self.state is State.AUTHENTICATED:  # a stranger may not stretch its own deadline
            self.established = now
        self.state = TRANSITIONS[self.state, Event.RESET]
        self.own = None

"""Who did what, told once and kept twice: a line of the activity log, and a record of the audit trail.

The log says how the server fares and is rotated away; the trail says who did what and stays. Here is decided what of
it goes where; nothing is formatted, for most of it happens on the I/O threads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_protocol.sentence import Sentence
from secure_protocol.text_requests import Request
from secure_server import __version__
from secure_server.audit.details import certificate_detail, token_detail
from secure_server.audit.offline import switch
from secure_server.audit.record import Entry, Value, held
from secure_server.audit.trail import AuditTrail
from secure_server.auth.principal import Principal, Role
from secure_server.auth.token_record import TokenRecord
from secure_server.commands.command import Command
from secure_server.commands.facade import MESSAGE
from secure_server.config.settings import Audit
from secure_server.identity.served import Reload
from secure_server.pki.preflight import CertificateFacts
from secure_server.recording.activity_log import ActivityLog, Line
from secure_server.session.peer import Peer
from secure_server.session.population import Sessions
from secure_server.session.session import Session

OK = "ok"
"""The outcome of a command that was answered."""
MALFORMED = "malformed"
"""The outcome of bytes that were no request."""
UNKNOWN = "?"
"""What a command is called that there is not: the peer's own word may be a mistyped secret."""
AT_ONCE = 1_000
"""Tokens purged together that are queued before the disk is waited for: more might not fit."""
SENDER = "audit"
"""Who tells administrators how the trail fares."""
CERTIFICATE, UNIX = "certificate", "unix"
"""The mechanisms that need no command."""
NO_CERTIFICATE, BAD_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED"
"""OpenSSL's words for a handshake that failed because of who the client is, not of how it speaks TLS."""


_log = logging.getLogger("secure_server.audit")


class Recording:
    """The hooks of dispatcher, admission and server.

    Args:
        activity: the activity log.
        trail: the audit trail; None where the configuration has it off.

    Attributes:
        suspends: whether nothing can be recorded, so that nothing may run; asked before each request.
        repeat: takes what `again` returned, and of how many more requests it is true. Any thread.
    """

    def __init__(self, activity: ActivityLog, trail: AuditTrail | None) -> None:
        self._activity = activity
        self._trail = trail
        self.suspends = _never if trail is None else trail.suspends
        self.repeat: Callable[[Line, int], None] = activity.put

    # Any thread, I/O threads included: these never wait

    def command(
        self,
        session: Session,
        who: Principal | None,
        command: Command | None,
        given: Request,
        outcome: str,
        *,
        ran: bool,
    ) -> None:
        """A request was answered, or is about to be.

        It waits for the disk in one case: the handler of a `durable` command was run, which is on a worker.

        Args:
            session: whose.
            who: it was when it asked; None for a stranger.
            command: which; None for one that there is not.
            given: its arguments as they came.
            outcome: `ok`, or the error's code.
            ran: whether its handler was called; else it was refused at the gate.
        """
        self._activity.command(session, UNKNOWN if command is None else command.name, outcome)
        trail = self._trail
        if trail is None or (command is not None and not command.audit):
            return
        name, more = UNKNOWN, 0
        arguments: Sequence[bytes] | None = ()
        if command is not None:
            name = command.name
            arguments, more = (None, 0) if command.secret else held(given)
        peer = session.peer
        entry = Entry(
            trail.now(),
            "command",
            outcome,
            "" if who is None else who.name,
            peer.address,
            session.number,
            name,
            arguments,
            more,
        )
        if not ran:
            trail.put_refused(entry, "", peer.netblock)
        elif command is not None and command.durable:
            trail.put_durably(entry)
        else:
            trail.put(entry)

    def again(self, session: Session, command: Command) -> Line:
        """Return what `repeat` takes of further requests for a command that is not audited, all answered well.

        Made once, for as long as the session's principal stays the same.
        """
        return self._activity.again(session, command.name, OK)

    def authentication(self, session: Session, outcome: str, detail: str) -> None:
        """Somebody tried to authenticate.

        Args:
            session: whose.
            outcome: `accepted` or `refused`.
            detail: words of the server's own: a reason where it was refused, then `token=ID` and the like.
        """
        self._activity.authentication(session, outcome, detail)
        if self._trail is None:
            return
        words = [word.partition("=") for word in detail.split()]
        reason = " ".join(key for key, equals, _ in words if not equals)
        named: dict[str, Value] = {key: value for key, equals, value in words if equals}
        shown = UNIX if session.local else CERTIFICATE if CERTIFICATE in named else session.mechanism
        fields = {"mechanism": shown, **({"reason": reason} if reason else {}), **named}
        who, peer = session.principal, session.peer
        entry = Entry(
            self._trail.now(),
            "authentication",
            outcome,
            "" if who is None else who.name,
            peer.address,
            session.number,
            detail=fields,
        )
        if outcome == "refused":
            self._trail.put_refused(entry, reason, peer.netblock)
        else:
            self._trail.put(entry)

    def handshake_failed(self, peer: Peer, reason: CloseReason, detail: str) -> None:
        """No TLS was agreed on. Where the client's certificate was missing or refused, it failed to authenticate.

        Args:
            peer: who.
            reason: why, for the activity log.
            detail: the library's words, if there are any.
        """
        self._activity.refused(peer.address, reason, detail)
        word, _, why = detail.partition(": ")
        if self._trail is not None and word in (NO_CERTIFICATE, BAD_CERTIFICATE):
            why = why or "no-certificate"
            fields: dict[str, Value] = {"mechanism": CERTIFICATE, "reason": why}
            entry = Entry(self._trail.now(), "authentication", "refused", address=peer.address, detail=fields)
            self._trail.put_refused(entry, why, peer.netblock)

    def local(self, session: Session) -> None:
        """Somebody came in through the admin socket, which proves who it is."""
        self.authentication(session, "accepted", "")

    def stranger_at_the_admin_socket(self, uid: int | None) -> None:
        """Another user than the server's own was turned away there."""
        if self._trail is not None:
            detail: dict[str, Value] = {"mechanism": UNIX, "reason": "wrong-user", "uid": uid}
            entry = Entry(self._trail.now(), "authentication", "refused", address=UNIX, detail=detail)
            self._trail.put_refused(entry, "wrong-user", UNIX)

    # Any other thread: these wait for the disk

    def tokens(self, by: Session, change: str, tokens: Sequence[TokenRecord]) -> None:
        """A session's command changed tokens: `created`, `rotated`, `revoked`, …."""
        trail = self._trail
        if trail is None:
            return
        who = "" if by.principal is None else by.principal.name
        for number, token in enumerate(tokens, 1):
            put = trail.put_durably if number % AT_ONCE == 0 or number == len(tokens) else trail.put
            detail = token_detail(token)
            put(Entry(trail.now(), "token", change, who, by.peer.address, by.number, detail=detail))

    def started(self, address: str, certificate: CertificateFacts) -> None:
        """The server listens."""
        detail = {"version": __version__, "listening": address, "pid": os.getpid(), **certificate_detail(certificate)}
        self._durably("server", "started", detail)

    def stopped(self) -> None:
        """The server has closed its last session."""
        self._durably("server", "stopped", None)

    def reloaded(self, reload: Reload) -> None:
        """The server took up a certificate, or kept the one it had."""
        detail = certificate_detail(reload.new or reload.old, None if reload.new is None else reload.old)
        why = {"why": str(reload.why)} if reload.why else {}
        self._durably("certificate", reload.outcome, {"cause": reload.cause, **detail, **why})

    def _durably(self, event: str, outcome: str, detail: Mapping[str, Value] | None) -> None:
        if self._trail is not None:
            self._trail.record_durably(event, outcome, detail=detail)


def _never() -> bool:
    return False


def open_trail(directory: Path, settings: Audit, sessions: Sessions) -> AuditTrail | None:
    """Return the audit trail, which tells connected administrators how it fares; None where it is off.

    Args:
        directory: the data directory; programs beside the server are told there whether there is a trail.
        settings: the configuration.
        sessions: the population.
    """

    def tell(sentence: Sentence) -> None:
        for session in sessions:
            if session.role is Role.ADMIN and session.takes_messages:
                session.post(Push(MESSAGE, (SENDER, sentence.into(session.translate))))

    on = settings.trail == "on"
    try:
        switch(directory, on=on)
    except OSError as error:
        _log.error("programs beside this server cannot be told whether there is an audit trail: %s", error)
    return AuditTrail(directory, settings, tell) if on else None

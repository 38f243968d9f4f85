"""Who did what, told once and kept thrice: a line of the activity log, a record of the audit trail, and counted.

The log says how the server fares and is rotated away; the trail says who did what and stays. Here is decided what of
it goes where; nothing is formatted, for most of it happens on the I/O threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from secure_protocol.reasons import CloseReason
from secure_protocol.text_requests import Request
from secure_server.audit.details import certificate_detail, token_detail
from secure_server.audit.record import Entry, Value, Withheld, held
from secure_server.audit.running import RUNNING
from secure_server.audit.trail import AuditTrail
from secure_server.audit.who import Who
from secure_server.auth.token_record import TokenRecord
from secure_server.identity.served import Reload
from secure_server.limits.penalties import Penalty
from secure_server.pki.preflight import CertificateFacts
from secure_server.recording import events
from secure_server.recording.activity_log import ActivityLog, Again
from secure_server.recording.counting import Counting
from secure_server.recording.events import NOBODY, NOTHING, Event, Events
from secure_server.recording.recorded import OK, UNKNOWN, Recorded, entry_of, exited, took
from secure_server.statistics.statistics import Statistics
from secure_server.statistics.tally import Tally
from secure_server.version import VERSION

STOPPED = "stopped"
"""The outcome of a handler that ended because it was told to; its command has the reason."""
LATE = "late"
"""The outcome of a command whose handler ended after it was answered without it."""
MALFORMED = "malformed"
"""The outcome of bytes that were no request."""
AGAIN = "again"
"""The reason of a login on a connection that had one before (`RESET`): it costs its peer a line, not a handshake."""
AT_ONCE = 1_000
"""Tokens purged together that are queued before the disk is waited for: more might not fit."""
SENDER = "audit"
"""Who tells administrators how the trail fares."""
CERTIFICATE, UNIX, ADDRESS = "certificate", "unix", "address"
"""The mechanisms that need no command; the last one is that of those who are let in by none, for where they are."""
NO_CERTIFICATE, BAD_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED"
"""OpenSSL's words for a handshake that failed because of who the client is, not of how it speaks TLS."""


class Recording:
    """The hooks of dispatcher, admission and server.

    Args:
        activity: the activity log.
        trail: the audit trail; None where the configuration has it off.
        statistics: count what was told.

    Attributes:
        suspends: whether nothing can be recorded, so that nothing may run; asked before each request.
        repeat: takes what `again` returned, and of how many more requests it is true. Any thread.
        events: what happens, for whoever watches.
    """

    def __init__(self, activity: ActivityLog, trail: AuditTrail | None, statistics: Statistics) -> None:
        self._activity = activity
        self._trail = trail
        self._counting = Counting(statistics)
        self.suspends = _never if trail is None else trail.suspends
        self.repeat: Callable[[Again, int], None] = activity.repeat
        self.events = Events()

    def watch(self, kinds: frozenset[str], take: Callable[[Event], None]) -> None:
        """Have events of these kinds handed to `take`, which must not wait, from here on; of no others. Any thread."""
        self.events.want(kinds, take)
        self.repeat = self._repeat if events.COMMAND in kinds else self._activity.repeat

    # Any thread, I/O threads included: these never wait

    def command(
        self,
        who: Who,
        command: Recorded | None,
        given: Request,
        outcome: str,
        *,
        ran: bool,
        seconds: float | None = None,
        exit_code: int | None = None,
    ) -> None:
        """A request was answered, or is about to be.

        It waits for the disk in one case: the handler of a `durable` command was run, which is on a worker.

        Args:
            who: asked.
            command: which; None for one that there is not.
            given: its arguments as they came.
            outcome: `ok`, or the error's code.
            ran: whether its handler was called; else it was refused at the gate.
            seconds: how long that took.
            exit_code: of its program, negative for a signal.
        """
        self._counting.answered(who, command, given, outcome, ran=ran, seconds=seconds)
        self._command(who, command, given, outcome, seconds, ran=ran, detail=exited(exit_code))

    def left(self, who: Who, command: Recorded, given: Request, outcome: str, *, seconds: float) -> None:
        """A command is answered without its handler, which still runs. It never waits: only what is done is `durable`.

        Args:
            who: asked.
            command: which.
            given: its arguments as they came.
            outcome: why the handler was told to stop.
            seconds: for how long it has run.
        """
        self._counting.answered(who, command, given, outcome, ran=True, seconds=seconds, left=True)
        self._command(who, command, given, outcome, seconds, ran=True, waits=False)

    def late(
        self,
        who: Who,
        command: Recorded,
        given: Request,
        outcome: str,
        *,
        seconds: float | None = None,
        exit_code: int | None = None,
    ) -> None:
        """The handler of a command that was `left` has ended. On a worker.

        Args:
            who: asked.
            command: which.
            given: its arguments as they came.
            outcome: of the handler: `ok`, an error's code, `internal-error`, or `stopped`, as it was told.
            seconds: how long it took in all.
            exit_code: of its program, negative for a signal.
        """
        self._counting.ended(command, seconds)
        self._command(who, command, given, LATE, seconds, ran=True, detail={"handler": outcome, **exited(exit_code)})

    def _command(
        self,
        who: Who,
        command: Recorded | None,
        given: Request,
        outcome: str,
        seconds: float | None,
        *,
        ran: bool,
        waits: bool = True,
        detail: Mapping[str, Value] = NOTHING,
    ) -> None:
        name = UNKNOWN if command is None else command.name
        self._activity.command(who, name, outcome)
        if self.events.wanted:
            self.events.tell_command(who, command, name, given, outcome, seconds, detail)
        trail = self._trail
        if trail is None or (command is not None and not command.audit):
            return
        entry = entry_of(trail.now(), who, command, given, outcome)._replace(detail={**detail, **took(seconds)})
        if not ran:
            trail.put_refused(entry, "", who.netblock)
        elif command is not None and command.durable and waits:
            trail.put_durably(entry)
        else:
            trail.put(entry)

    def job(
        self,
        who: Who,
        number: int,
        command: str,
        arguments: Sequence[bytes | Withheld],
        outcome: str,
        *,
        seconds: float | None = None,
        exit_code: int | None = None,
        code: str = "",
        by: str = "",
    ) -> None:
        """A job was started, began after it had waited, or ended.

        Args:
            who: started it; no session.
            number: the job's.
            command: what it runs.
            arguments: as they may be shown; none where they are on record already.
            outcome: the job's state.
            seconds: how long it ran.
            exit_code: of its program, negative for a signal.
            code: of the error that it ended with.
            by: who cancelled it.
        """
        self._activity.command(who, f"job {number} {command}", outcome)
        self._counting.job(who, command, code or outcome, seconds)
        named = {key: value for key, value in (("code", code), ("by", by)) if value}
        detail: dict[str, Value] = {"job": number, **named, **exited(exit_code)}
        self.events.tell_job(who, command, arguments, outcome, seconds, detail)
        if self._trail is None:
            return
        shown, more = held(arguments)
        detail |= took(seconds)
        self._trail.put(
            Entry(self._trail.now(), "job", outcome, who.principal, who.address, 0, command, shown, more, detail)
        )

    def _repeat(self, told: Again, count: int) -> None:
        """Take what `repeat` takes, while commands are watched."""
        self._activity.repeat(told, count)
        _, session, principal, address, name, outcome = told.line
        self.events.tell_again(Who(session, "" if principal == "-" else principal, address), name, outcome, count)

    def running(self, who: Who, command: Recorded, given: Request) -> AbstractContextManager[None]:
        """Have it recorded that a command runs, should the `with` last for long. On its worker."""
        trail = self._trail
        if trail is None or not command.audit:
            return nullcontext()
        return trail.running(entry_of(trail.now(), who, command, given, RUNNING))

    def again(self, who: Who, command: Recorded) -> Again:
        """Return what `repeat` takes of further requests for a command that is not audited, all answered well.

        Made once, for as long as whoever asks stays the same.
        """
        return self._activity.again(who, command.name, OK)

    def tally(self, who: Who, command: Recorded) -> Tally:
        """Return what counts those further requests. For the calling I/O thread alone."""
        return self._counting.tally(who, command)

    def slow(self, who: Who, command: Recorded, given: Request, seconds: float) -> None:
        """One of those further requests took so long."""
        self._counting.slow(who, command, given, seconds)

    def authentication(self, who: Who, outcome: str, detail: str, mechanism: str) -> None:
        """Somebody tried to authenticate.

        Args:
            who: it is now; nobody yet where it was refused.
            outcome: `accepted` or `refused`.
            detail: words of the server's own: a reason where it was refused, then `token=ID` and the like.
            mechanism: how.
        """
        self._activity.authentication(who, outcome, detail)
        if mechanism != UNIX:  # who comes by the admin socket has nothing to prove
            self._counting.statistics.login(accepted=outcome == "accepted")
        if self._trail is None and not self.events.wanted:
            return
        words = [word.partition("=") for word in detail.split()]
        reason = " ".join(key for key, equals, _ in words if not equals)
        named: dict[str, Value] = {key: value for key, equals, value in words if equals}
        fields = {"mechanism": mechanism, **({"reason": reason} if reason else {}), **named}
        if who.transport not in ("", "tls", "unix"):  # these go without saying
            fields["transport"] = who.transport
        self.events.tell(events.AUTHENTICATION, who, outcome, **fields)
        if self._trail is None:
            return
        entry = Entry(
            self._trail.now(), "authentication", outcome, who.principal, who.address, who.session, detail=fields
        )
        if outcome == "refused":
            self._trail.put_refused(entry, reason, who.netblock)
        elif reason == AGAIN:  # whoever has a token could fill the disk with these, thousands a second
            self._trail.put_refused(entry, f"{reason} token={named['token']}", who.netblock)
        else:
            self._trail.put(entry)

    def connected(self, who: Who, transport: str, detail: str) -> None:
        """A connection became a session; see `ActivityLog.connected`."""
        self._activity.connected(who, transport, detail)
        self._counting.statistics.connected(transport, handshake=detail.startswith("tls="))
        if self.events.wanted:
            self.events.tell(events.CONNECT, who, OK, transport=transport, agreed=detail)

    def moved(self, who: Who, before: str) -> None:
        """The peer of a session has another address; that before was `before`."""
        self._activity.moved(who, before)
        if self.events.wanted:
            self.events.tell(events.MOVE, who, OK, before=before)
        if self._trail is not None and who.principal:  # a stranger's move is no deed, and could fill the disk
            now, was = self._trail.now(), {"from": before}
            entry = Entry(now, "moved", OK, who.principal, who.address, who.session, detail=was)
            self._trail.put_refused(entry, "", who.netblock)  # whoever has a token can move any number of times

    def disconnected(self, who: Who, reason: CloseReason | None, commands: int) -> None:
        """A session ended, after so many commands."""
        self._activity.disconnected(who, reason, commands)
        self._counting.statistics.disconnected(who.transport)
        if self.events.wanted:
            self.events.tell(events.CLOSE, who, str(reason), commands=commands)

    def handshake_failed(self, who: Who, reason: CloseReason, detail: str) -> None:
        """No TLS was agreed on. Where the client's certificate was missing or refused, it failed to authenticate.

        Args:
            who: tried; no session yet.
            reason: why, for the activity log.
            detail: the library's words, if there are any.
        """
        self._activity.refused(who.address, reason, detail)
        self._counting.statistics.handshake_failed()
        if self.events.wanted:
            self.events.tell(events.CONNECT, who, str(reason), why=detail)
        word, _, why = detail.partition(": ")
        if self._trail is not None and word in (NO_CERTIFICATE, BAD_CERTIFICATE):
            why = why or "no-certificate"
            fields: dict[str, Value] = {"mechanism": CERTIFICATE, "reason": why}
            entry = Entry(self._trail.now(), "authentication", "refused", address=who.address, detail=fields)
            self._trail.put_refused(entry, why, who.netblock)

    def kept_out(self, who: Who, ban: int) -> None:
        """Somebody came from an address that is banned, and was told so at most.

        Args:
            who: came; session 0 where it was let go before there was one.
            ban: the number of the ban.
        """
        self._activity.refused(who.address, CloseReason.BANNED, f"ban={ban}")
        if self._trail is not None:
            detail: dict[str, Value] = {"mechanism": ADDRESS, "reason": str(CloseReason.BANNED), "ban": ban}
            entry = Entry(self._trail.now(), "authentication", "refused", "", who.address, who.session, detail=detail)
            self._trail.put_refused(entry, CloseReason.BANNED, who.netblock)

    def local(self, who: Who) -> None:
        """Somebody came in through the admin socket, which proves who it is."""
        self.authentication(who, "accepted", "", UNIX)

    def stranger_at_the_admin_socket(self, uid: int | None) -> None:
        """Another user than the server's own was turned away there."""
        self._activity.refused(UNIX, CloseReason.AUTH_FAILED, f"uid={uid}")
        if self._trail is not None:
            detail: dict[str, Value] = {"mechanism": UNIX, "reason": "wrong-user", "uid": uid}
            entry = Entry(self._trail.now(), "authentication", "refused", address=UNIX, detail=detail)
            self._trail.put_refused(entry, "wrong-user", UNIX)

    def penalty(self, earned: Penalty, seconds: float) -> None:
        """An address failed to authenticate.

        Args:
            earned: what it has earned so far.
            seconds: for which it is refused now; 0 where it is not yet.
        """
        detail: dict[str, Value] = {"failures": earned.failures, "why": earned.why, "seconds": seconds or None}
        who = Who(0, "", earned.address, earned.netblock)
        self.events.tell(events.PENALTY, who, "refused" if seconds else "counted", **detail)

    # Any other thread: these wait for the disk

    def tokens(self, by: Who, change: str, tokens: Sequence[TokenRecord]) -> None:
        """Somebody's command changed tokens: `created`, `rotated`, `revoked`, …."""
        trail = self._trail
        for number, token in enumerate(tokens, 1):
            detail = token_detail(token)
            self.events.tell(events.TOKEN, by, change, **detail)
            if trail is None:
                continue
            put = trail.put_durably if number % AT_ONCE == 0 or number == len(tokens) else trail.put
            put(Entry(trail.now(), "token", change, by.principal, by.address, by.session, detail=detail))

    def started(self, address: str, certificate: CertificateFacts) -> None:
        """The server listens."""
        detail = {"version": VERSION, "listening": address, "pid": os.getpid(), **certificate_detail(certificate)}
        self._durably("server", "started", detail)

    def stopped(self) -> None:
        """The server has closed its last session."""
        self._durably("server", "stopped", None)

    def reloaded(self, reload: Reload) -> None:
        """The server took up a certificate, or kept the one it had."""
        detail = certificate_detail(reload.new or reload.old, None if reload.new is None else reload.old)
        why = {"why": str(reload.why)} if reload.why else {}
        self.events.tell(events.CERTIFICATE, NOBODY, reload.outcome, cause=reload.cause, **detail, **why)
        self._durably("certificate", reload.outcome, {"cause": reload.cause, **detail, **why})

    def configuration(self, by: Who | None, outcome: str, cause: str, **detail: str) -> None:
        """The server took up another configuration (`reloaded`), the same (`unchanged`), or none (`kept`).

        Args:
            by: who asked for it; None for a signal.
            outcome: of these.
            cause: `SIGHUP` or `CONFIG RELOAD`.
            **detail: keys, but no values, of what changed; and why it was kept.
        """
        said: dict[str, Value] = {"cause": cause, **{key: text for key, text in detail.items() if text}}
        self.events.tell(events.CONFIGURATION, by or NOBODY, outcome, **said)
        if self._trail is not None:
            who, address, session = ("", "", 0) if by is None else (by.principal, by.address, by.session)
            entry = Entry(self._trail.now(), "configuration", outcome, who, address, session, detail=said)
            self._trail.put_durably(entry)

    def _durably(self, event: str, outcome: str, detail: Mapping[str, Value] | None) -> None:
        if self._trail is not None:
            self._trail.record_durably(event, outcome, detail=detail)


def _never() -> bool:
    return False

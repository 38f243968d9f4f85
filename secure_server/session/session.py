"""One peer's protocol state, sans I/O: bytes in, bytes out, no socket, and a clock that is handed in.

So one session serves every transport. Of what it is made: `intake` (bytes to requests), `running` (the command in
progress), `messages`, `codecs`. It runs on the thread that owns the connection, but for what is under "any thread".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from secure_protocol.errors import ErrorCode, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_protocol.resp_requests import RespRequestDecoder
from secure_server.auth.principal import Principal
from secure_server.session.call import Call
from secure_server.session.carrier import Carrier
from secure_server.session.endings import Ending
from secure_server.session.intake import Intake, Waiting
from secure_server.session.messages import Messages, messages_of
from secure_server.session.peer import Peer
from secure_server.session.running import Errand, Running
from secure_server.session.standing import Standing
from secure_server.session.state import TRANSITIONS, Event, State
from secure_server.session.terms import Terms

TURN_SECONDS = 0.005
"""How long one turn of a session may dispatch before the others get theirs, whatever it has pipelined."""
FEW_BYTES = 224
"""So many hold no more requests, at 14 bytes each, than are answered between two looks at the clock."""
NOTHING: Mapping[bytes, object] = {}
"""What the gate has cleared of a new session, and of one whose principal or state has just changed."""


class Session(Standing):
    """One peer's protocol state: its standing, its requests and what it is told.

    Args:
        number: unique in this server's life; `CLIENT ID`.
        peer: the other end.
        terms: what all sessions have in common.
        principal: where the transport already proved who it is (the admin socket; for certificates see `prove`).

    Attributes:
        output: bytes to send; the connection takes from its front.
        close_reason: set when the session is closing.
        cleared: what the gate keeps here of commands that it need not look at again, by the name that they were asked
            for; a session does not look into it, and forgets it all when it becomes somebody else.
        high_water: bytes of output above which nothing more is done for the peer.
        held: the peer must take some of the output before more is done for it.
        messages: what waits of what it is told unasked; None until there was some.
    """

    __slots__ = (
        "_closing_after",
        "_ending",
        "_intake",
        "_owed",
        "_processing",
        "_resting",
        "_running",
        "carrier",
        "cleared",
        "close_reason",
        "held",
        "high_water",
        "messages",
        "output",
        "terms",
    )

    def __init__(self, number: int, peer: Peer, terms: Terms, principal: Principal | None = None) -> None:
        super().__init__(number, peer, terms.language, terms.clock(), principal, terms.admin_networks)
        self.cleared = NOTHING
        self.held = False
        self.high_water = terms.high_water
        self.output = bytearray()
        self.close_reason: CloseReason | None = None
        self.terms = terms
        self._intake = Intake(*terms.bounds(principal))
        self._running: Running | None = None
        self.messages: Messages | None = None
        self._owed = self._processing = False  # owed: a request was taken up, and is not answered yet
        self._resting = False  # its turn was over before its requests were: it goes on in the next round
        self._ending = False  # the input ended, or somebody wants the session closed, now or later
        self._closing_after: Ending | None = None

    # Any thread

    @property
    def unread(self) -> int:
        """Bytes that came and are not decoded yet."""
        return self._intake.buffered

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Run `callback` on the owning thread, and send what it answered."""
        self.carrier.call_soon(callback)

    def post(self, push: Push) -> None:
        """Have the owning thread `notify` the peer."""
        if messages_of(self).post(push):
            self.call_soon(self._notify_posted)

    # Owning thread only: requests

    def attach(self, carrier: Carrier) -> None:
        """Join the session to what carries it, whose timers are its `carrier`'s; before anything else."""
        self.carrier = carrier

    @property
    def busy(self) -> bool:
        """Whether a handler is running; later requests wait."""
        return self._running is not None

    @property
    def wants_input(self) -> bool:
        """Whether more bytes may be received; what the peer sends meanwhile waits in its own kernel."""
        return (
            self.state is not State.CLOSING
            and not self._intake.ended
            and not self._resting
            and self._intake.wants(self._room)
            and len(self.output) < self.high_water
            and (self._running is None or self._intake.has_room)
        )

    @property
    def half_sent_since(self) -> float:
        """Since when the rest of a request is awaited, monotonic seconds or infinity; to be asked after each change."""
        return self._intake.await_rest(self.terms.clock, reading=self.wants_input)

    @property
    def _room(self) -> int:
        """Requests decoded ahead; none behind a login that takes its time, and changes the limits: only a few bytes."""
        return 0 if self.state is State.UNAUTHENTICATED and self.busy else self._intake.most

    def receive(self, data: bytes, now: float) -> bool:
        """Take bytes from the peer and answer what is complete.

        Returns:
            Whether all that came of it is more output: requests that needed no judgement any more.
        """
        activity = self.activity
        activity.received += len(data)
        activity.last_active = now
        intake = self._intake
        decoder = intake.decoder
        if decoder is None:
            self.codec = intake.begin(data)
        elif self.cleared and isinstance(decoder, RespRequestDecoder):
            waits = self._running is not None or self.held or self._ending or self._resting or intake.queue
            if not waits:
                return self._receive_cleared(decoder, data)
        intake.feed(data)
        self.process()
        return False

    def _receive_cleared(self, decoder: RespRequestDecoder, data: bytes) -> bool:
        """Take the short way: what came in runs for commands that the gate has cleared is answered as a run."""
        intake, cleared, terms = self._intake, self.cleared, self.terms
        most, gate = intake.most, terms.gate
        until = terms.clock() + TURN_SECONDS if len(data) > FEW_BYTES else math.inf
        runs, count = decoder.take(data, intake.limits, most), 0
        if runs or not decoder.unfinished:
            intake.begun = math.inf
        while runs and not decoder.blank:
            run = runs[0]
            answered = 0
            if not isinstance(run, ProtocolError):
                name, requests = run
                answered = gate.answer_cleared(self, name, requests)
            if not answered:
                break
            count += answered
            if answered < len(requests):
                runs[0] = name, requests[answered:]
            else:
                del runs[0]
                if count >= most:  # there may be more than that
                    runs, count = decoder.take(b"", intake.limits, most), 0
                if not runs:
                    break
            if terms.clock() >= until:
                intake.put_back(runs)
                self._rest()
                return False
        if runs or decoder.blank:  # they are to be judged, or what was passed over is to be counted
            intake.put_back(runs)
            self.process()
            return False
        # Else a handler ended the session, or changed who it is; or there is a rest to wait for.
        return self.cleared is cleared and not decoder.unfinished

    def end_input(self) -> None:
        """The peer will send no more. What it asked for is still answered, but for a program's running command.

        People pipe lines in and wait for the answers (`printf … | ncat --ssl`); a program that ends its side has gone,
        and nothing should run on for nobody.
        """
        self._intake.ended = self._ending = True
        if self.busy and not self.codec.for_people:
            self.close(CloseReason.PEER_CLOSED)
        self.process()

    def process(self) -> None:
        """Dispatch what has come until there is something to wait for: bytes, a handler, the peer, others' turns."""
        if self._processing or self._resting:  # a reply given inside dispatch: the loop below goes on by itself
            return
        self._processing = True
        high_water, intake, terms, until = self.high_water, self._intake, self.terms, 0.0
        try:
            while self._running is None and len(self.output) < high_water:
                if self._closing_after is not None:
                    self.close(*self._closing_after)
                if self.state is State.CLOSING:
                    break
                request = intake.take(self._room)
                if request is None:
                    break
                if not until and (intake.queue or isinstance(request, int)):
                    until = terms.clock() + TURN_SECONDS
                self._take_up(request)
                if until and self._running is None and terms.clock() >= until and intake.decode(self._room):
                    self._rest()
                    break
            if self._running is not None and not self.closing:
                self._go_on_beside(self._running)
        finally:
            self._processing = False
        self.held = len(self.output) >= high_water
        if intake.ended and not (self.busy or self.closing or self._resting) and len(self.output) < high_water:
            self.close(CloseReason.PEER_CLOSED)  # all it asked for is answered

    def _take_up(self, request: Waiting | int) -> None:
        """Answer a request, or count those that ask for nothing."""
        self._owed = not isinstance(request, int)
        if isinstance(request, int):
            if self.tires(request):
                self.terms.gate.dispatch(self, [])  # which ends a stranger, and says so
        elif self.turned_away is not None:
            self.close(*self.turned_away)
        elif isinstance(request, bytes):
            self.reply(request)
        else:
            self.terms.gate.dispatch(self, request)

    def _rest(self) -> None:
        """Let the others have their turns, and go on in the next round."""
        self._resting = True
        self.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        self.process()

    def _go_on_beside(self, running: Running) -> None:
        """Take what the running handler gave, if there is room, and what came: what must not wait acts now."""
        if len(self.output) < self.high_water:
            self._add_part(running.call.take())
        intake, terms = self._intake, self.terms
        if intake.decode(self._room):
            intake.examine(lambda request: terms.gate.arrive(self, request))
            if intake.passed_over():  # there may be more to decode, which must not wait for more bytes
                self._rest()
        intake.weigh(terms.reserve, lambda: self.call_soon(self.process))

    # Owning thread only: the command in progress

    def begin(self, timeout: float | None = None, errand: Errand | None = None, call: Call | None = None) -> Call:
        """A handler is about to run elsewhere: later requests wait until `finish`.

        Args:
            timeout: seconds after which it is told to stop and the peer is answered `TIMEOUT`.
            errand: has it run; None where it cannot be taken back.
            call: joins both; one that is given has `process` called itself.
        """
        self._intake.began()  # also what came in the same read may be urgent
        self.activity.begun = self.terms.clock()
        call = call or Call(lambda: self.call_soon(self.process))
        self._running = Running(call, self.carrier, timeout, errand, self._answer_ended, self._abandon)
        return call

    def cancel(self, code: ErrorCode = ErrorCode.CANCELLED) -> bool:
        """Have the running command stop; whether there was one that is not answered."""
        if (running := self._running) is None or running.answered:
            return False
        running.cancel(code)
        return True

    def _answer_ended(self, call: Call) -> None:
        self._answer(call, self.ended_reply(call))

    def _abandon(self, call: Call) -> None:
        self.finish(call, self.ended_reply(call), self.terms.clock())

    def finish(self, call: Call, reply: bytes, now: float) -> None:
        """A handler is done, or left behind: send its encoded reply, unless it was answered, and go on."""
        if (running := self._running) is None or call is not running.call:  # it was left behind
            return
        running.end()
        self._running = None
        self.activity.last_active = now  # a long command is no idleness
        if not running.answered:
            self._answer(call, reply)
        if not self.closing:
            self.process()

    def _answer(self, call: Call, reply: bytes) -> None:
        """Send what a command answered, and what had to wait for that; nothing to a peer that is told the end."""
        if self.closing:
            return
        self._add_part(call.take())
        self.reply(reply)
        if self.messages is not None:
            for push in self.messages.held():
                self.output += self.codec.push(push)

    def waits_for(self, call: Call) -> bool:
        """Whether the peer still waits for what that call answers."""
        running = self._running
        return running is not None and call is running.call and not (running.answered or self.closing)

    def end(self) -> None:
        """The connection is over: nobody waits for the running command any more."""
        self._intake.drop()
        if self._running is not None:
            self._running.cancel(ErrorCode.CLOSED)

    # Owning thread only: what is said

    def notify(self, push: Push) -> None:
        """Send a message unasked. RESP2 and text peers, who cannot tell it from a reply, get it if they asked to."""
        if not self.takes_messages or len(self.output) >= self.high_water:
            return  # nor is a peer that does not read its replies given more to read
        if self._running is not None and not (self._running.answered or self.codec.interleaves):
            messages_of(self).hold(push)
        else:
            self.output += self.codec.push(push)

    def _notify_posted(self) -> None:
        for push in messages_of(self).posted():
            self.notify(push)

    def reply(self, encoded: bytes) -> None:
        """Add the reply to a request to the output, unless the peer wants none."""
        self._owed = False
        if self.unwanted:
            self.unwanted -= 1
        else:
            self.output += encoded

    def _add_part(self, streamed: bytes) -> None:
        """Add what comes before a reply, unless the peer does not want the reply either."""
        if not self.unwanted:
            self.output += streamed

    # Owning thread only: who it is, and its end

    def authenticate(self, principal: Principal) -> None:
        """The peer proved to be `principal`, and may ask for more."""
        super().authenticate(principal)
        self.cleared = NOTHING
        self._intake.limits, self._intake.most = self.terms.bounds(principal)

    def reset(self, now: float) -> None:
        """Make the session what it was when it was new: Redis' `RESET`."""
        self.forget(self.terms.language, now)
        self.cleared = NOTHING
        self._intake.limits, self._intake.most = self.terms.bounds(self.principal)

    def close(self, reason: CloseReason, detail: str = "", retry_after: int | None = None) -> None:
        """Say why (`Ending`), if it can be told from a reply or is awaited, and read no more. The first one stays."""
        if self.close_reason is not None:
            return
        self.close_reason = reason
        self._ending = True
        self.state = TRANSITIONS[self.state, Event.CLOSED]
        self.cleared = NOTHING
        awaited = self.notifications or self._owed + self._intake.unanswered > self.unwanted
        self.end()  # now, and not when the peer has taken the last words: it may never do so
        self.output += self.codec.close((reason, detail, retry_after), self.translate, awaited=awaited)

    def break_off(self, reason: CloseReason, detail: str = "") -> None:
        """Close, and end at once: what the peer does not take at this moment it will not get."""
        self.close(reason, detail)
        self.carrier.close(reason)

    def close_later(self, reason: CloseReason, detail: str = "", retry_after: int | None = None) -> None:
        """Close as soon as no request is running: after the reply to the present one, where there is one."""
        if self._closing_after is None or reason is not CloseReason.DRAINING:  # which may be taken back
            self._closing_after = reason, detail, retry_after
        self._ending = True
        self.cleared = NOTHING
        self.process()

    def stay(self) -> None:
        """Take back that it closes for a drain, where it has not yet."""
        if self._closing_after is not None and self._closing_after[0] is CloseReason.DRAINING:
            self._closing_after, self._ending = None, self._intake.ended or self.closing

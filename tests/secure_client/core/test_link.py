"""The link by itself: bytes and the time go in, bytes and results come out; no socket, no thread, no waiting."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_client.core import link as links
from secure_client.core.backoff import BASE
from secure_client.core.call import Call
from secure_client.core.endpoint import Endpoint
from secure_client.core.link import Link
from secure_client.core.login import Login
from secure_client.core.progress import Progress
from secure_client.core.status import State, Status
from secure_client.core.watch import Part, Watch
from secure_client.errors import (
    BannedError,
    ClientError,
    CommandFailed,
    ConnectError,
    ConnectionLostError,
    EndedByServerError,
    OutcomeUnknown,
    TooManyRequestsError,
)
from secure_protocol.limits import AUTHENTICATED
from secure_protocol.replies import Push
from secure_protocol.replies import Status as Word
from secure_protocol.resp_encoding import encode
from secure_protocol.resp_requests import RespRequestDecoder


class Listener:
    """Waits for one call, and keeps what comes."""

    def __init__(self) -> None:
        self.full = False
        self.given_up = False
        self.parts: list[object] = []
        self.told: list[Progress] = []
        self.outcomes: list[object] = []

    def begin(self) -> bool:
        """As a future: not once it was cancelled."""
        return not self.given_up

    def part(self, value: object, _size: int) -> None:
        """Keep it."""
        self.parts.append(value)

    def progress(self, progress: Progress) -> None:
        """Keep it."""
        self.told.append(progress)

    def succeed(self, reply: object) -> None:
        """Keep it."""
        self.outcomes.append(reply)

    def fail(self, error: ClientError) -> None:
        """Keep it."""
        self.outcomes.append(error)


class Far:
    """A link, and the server that it is connected to: what was asked, and what is answered."""

    def __init__(self, *, reconnect: bool = True, connected: bool = True) -> None:
        self.now = 1000.0
        self.link = Link(Login(Endpoint(), name="test"), lambda _low, high: high, reconnect=reconnect)
        self.link.start(self.now)
        self.decoder = RespRequestDecoder()
        if connected:
            self.connect()

    def connect(self) -> None:
        """Open a transport, and let the client in."""
        self.decoder = RespRequestDecoder()
        self.link.opened(None, self.now)
        assert self.asked() == [[b"HELLO", b"3", b"SETNAME", b"test"]]
        self.say({"id": 7, "user": "ana"})

    def asked(self, most: int = 2**30) -> list[list[bytes]]:
        """Take what the client has to send, at most so many bytes, and return the requests that are whole."""
        data = bytes(self.link.outgoing[:most])
        self.link.took(len(data))
        self.decoder.feed(data)
        return [words for words in self.decoder.decode(AUTHENTICATED, 1000) if isinstance(words, list)]

    def say(self, *replies: object) -> None:
        """Have the server say these."""
        for reply in replies:
            self.link.received(encode(reply, 3), self.now)

    def ask(self, *words: bytes, idempotent: bool = False, streaming: bool = False) -> tuple[Call, Listener]:
        """Submit a call."""
        return self.follow(Call(words, idempotent=idempotent, streaming=streaming))

    def follow(self, call: Call) -> tuple[Call, Listener]:
        """Submit one that is made already."""
        listener = Listener()
        call.receiver = listener
        self.link.submit(call, self.now)
        return call, listener

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.link.tick(self.now)


def test_requests_go_out_at_once_and_replies_come_in_their_order() -> None:
    """However the bytes are cut."""
    far = Far()
    _, first = far.ask(b"ECHO", b"one")
    _, second = far.ask(b"ECHO", b"two")
    assert far.asked() == [[b"ECHO", b"one"], [b"ECHO", b"two"]]
    for byte in encode("one", 3) + encode("two", 3):
        far.link.received(bytes([byte]), far.now)
    assert (first.outcomes, second.outcomes) == (["one"], ["two"])
    assert far.link.outstanding == 0


def test_what_waits_is_sent_once_somebody_is_there() -> None:
    """In the order in which it was submitted; nothing of what was given up meanwhile."""
    far = Far(connected=False)
    _, kept = far.ask(b"ONE")
    _, dropped = far.ask(b"TWO")
    dropped.given_up = True
    far.ask(b"THREE")
    far.link.opened(None, far.now)
    far.asked()
    far.say({"id": 1})
    assert far.asked() == [[b"ONE"], [b"THREE"]]
    far.say("done", "done")
    assert (kept.outcomes, dropped.outcomes) == (["done"], [])


def test_what_was_given_up_unsent_takes_no_room() -> None:
    """While there is no connection: whoever gives up and asks again is not told that too many wait."""
    far = Far(connected=False)
    for _ in range(3 * links.MOST_REQUESTS):
        call, listener = far.ask(b"ECHO")
        call.abandon()
        listener.given_up = True
        far.later(0)
    assert far.link.outstanding == 0
    _, kept = far.ask(b"ONE")
    far.connect()
    assert far.asked() == [[b"ONE"]]
    far.say("done")
    assert kept.outcomes == ["done"]


def test_a_call_that_was_given_up_is_ended_at_the_server() -> None:
    """By CANCEL, once, which nobody waits for; not while something that must not be lost waits behind it."""
    far = Far()
    call, listener = far.ask(b"SLOW")
    call.abandon()
    far.later(0)
    far.later(0)
    assert far.asked() == [[b"SLOW"], [b"CANCEL"]]
    far.link.received(b"-CANCELLED ended\r\n:1\r\n", far.now)
    assert isinstance(listener.outcomes[0], CommandFailed)
    assert far.link.outstanding == 0

    slow, _ = far.ask(b"SLOW")
    far.ask(b"DEPLOY")
    slow.abandon()
    far.later(0)
    assert far.asked() == [[b"SLOW"], [b"DEPLOY"]]


def test_nothing_is_sent_twice_unless_it_may_be() -> None:
    """What was not sent whole goes out again; what was fails, saying that it may have run, unless it is idempotent."""
    far = Far()
    _, may = far.ask(b"MAY", idempotent=True)
    _, sent = far.ask(b"SENT")
    _, half = far.ask(b"HALF")
    assert far.asked(len(far.link.outgoing) - 3) == [[b"MAY"], [b"SENT"]]
    far.link.lost(far.now, "cable")
    (error,) = sent.outcomes
    assert isinstance(error, OutcomeUnknown)
    assert error.sent
    assert "cable" in str(error)
    assert far.link.status.state is State.WAITING
    far.later(links.CONNECT_TIMEOUT)
    far.connect()
    assert far.asked() == [[b"MAY"], [b"HALF"]]
    far.link.lost(far.now)
    assert [type(outcome) for outcome in (*may.outcomes, *half.outcomes)] == [OutcomeUnknown] * 2


def test_where_there_is_no_next_connection_what_was_sent_may_have_run() -> None:
    """Also what might be repeated: whoever was kicked does not come back."""
    far = Far()
    _, sent = far.ask(b"MAY", idempotent=True)
    far.asked()
    _, unsent = far.ask(b"ALSO", idempotent=True)
    far.say(Push("closed", ("kicked", -1, "Bye")))
    assert isinstance(sent.outcomes[0], OutcomeUnknown)
    assert isinstance(unsent.outcomes[0], EndedByServerError)
    assert far.link.status.state is State.STOPPED


def test_a_streamed_answer_that_broke_off_is_not_repeated() -> None:
    """Though the command might be."""
    far = Far()
    _, listener = far.ask(b"TAIL", idempotent=True, streaming=True)
    far.asked()
    far.say(Push("stream", ("a",)), Push("progress", (0.5, "half")))
    assert listener.parts == ["a"]
    assert listener.told == [Progress(0.5, "half")]
    far.link.lost(far.now)
    assert "broke off" in str(listener.outcomes[0])


def test_a_reader_that_is_behind_stops_the_reading() -> None:
    """Of the oldest request alone."""
    far = Far()
    _, listener = far.ask(b"TAIL", streaming=True)
    assert far.link.reads
    listener.full = True
    assert not far.link.reads
    listener.full = False
    far.say(Word("OK"))
    assert far.link.reads


def test_a_job_is_followed_on_from_its_next_part() -> None:
    """Over a broken line, also where nothing else is reconnected; and ended by its number then."""
    far = Far(reconnect=False)
    call, listener = far.follow(Watch.start([b"DEPLOY"], "key"))
    assert far.asked() == [[b"JOB", b"START", b"--key", b"key", b"DEPLOY"]]
    far.say(Push("job", (12, "running", 0)), Push("stream", ("a",)))
    far.link.lost(far.now)
    far.later(60)
    far.connect()
    assert far.asked() == [[b"JOB", b"ATTACH", b"12", b"1"]]
    far.say(Push("job", (12, "running", 0)), Push("stream", ("a",)), Push("stream", ("b",)))
    assert [part for part in listener.parts if isinstance(part, Part)] == [Part(0, "a"), Part(1, "b")]
    call.abandon()
    far.later(0)
    assert far.asked() == [[b"JOB", b"CANCEL", b"12"]]


def test_a_greeting_has_its_deadline() -> None:
    """That of the whole try, which is told to whoever drives the link."""
    far = Far(connected=False, reconnect=False)
    assert far.link.deadline == far.now + links.CONNECT_TIMEOUT
    far.later(4)
    far.link.opened(None, far.now)
    far.later(links.CONNECT_TIMEOUT - 4.5)
    assert far.link.holds
    far.later(0.5)
    assert not far.link.holds
    assert isinstance(far.link.status.error, ConnectError)


def test_news_of_a_greeting_are_bounded_and_come_after_it() -> None:
    """Who has not said who it is tells little; what it told is heard once it has."""
    far = Far(connected=False)
    far.link.opened(None, far.now)
    far.say(Push("message", ("eve", "x")))
    assert list(far.link.news) == []
    far.say({"id": 1})
    assert [type(item) for item in far.link.news] == [Status, Push]
    far = Far(connected=False)
    far.link.opened(None, far.now)
    for _ in range(links.MOST_EARLY + 1):
        far.say(Push("message", ("eve", "x")))
    assert "nothing had asked for" in str(far.link.status.error)


@pytest.mark.parametrize(
    ("said", "kind", "state"),
    [
        (encode(Push("closed", ("kicked", -1, "Bye")), 3), EndedByServerError, State.STOPPED),
        (encode(Push("closed", ("draining", 5, "")), 3), EndedByServerError, State.WAITING),
        (encode(Push("closed", ("idle", -1, "")), 3), EndedByServerError, State.IDLE),
        (encode(Push("closed", ("kicked", 300, "Bye")), 3), EndedByServerError, State.WAITING),
        (encode(Push("closed", ("banned", -1, "Bye")), 3), BannedError, State.STOPPED),
        (encode(Push("closed", ("banned", 300, "Bye")), 3), BannedError, State.WAITING),
        (b"-CLOSED reason=kicked retry-after=-1 Go.\r\n", EndedByServerError, State.STOPPED),
        (b"+SURPRISE\r\n", ConnectionLostError, State.WAITING),
        (b"@what\r\n", ConnectionLostError, State.WAITING),
    ],
)
def test_ways_to_end(said: bytes, kind: type[ClientError], state: State) -> None:
    """Whoever drives the link has nothing to hold any more; what follows is the reason's."""
    far = Far()
    far.link.received(said, far.now)
    assert not far.link.holds
    assert isinstance(far.link.status.error, kind)
    assert far.link.status.state is state
    far.link.received(b"+late\r\n", far.now)
    assert far.link.status.state is state


@pytest.mark.parametrize(
    ("reason", "told", "kept"),
    [("kicked", 300, 300), ("kicked", 86_400, 86_400), ("banned", 10**9, 7 * 86_400), ("draining", 86_400, 3600)],
)
def test_who_was_sent_away_comes_back_then_and_not_before(reason: str, told: int, kept: int) -> None:
    """Whatever is asked for meanwhile; for so long a person may decide, and a server by itself for an hour."""
    far = Far()
    far.say(Push("closed", (reason, told, "Bye")))
    _, listener = far.ask(b"PING", idempotent=True)
    far.later(kept)
    before = far.link.status.state
    far.later(BASE)
    assert (before, far.link.status.state) == (State.WAITING, State.CONNECTING)
    far.connect()
    far.asked()
    far.say(Word("PONG"))
    assert listener.outcomes == ["PONG"]


def test_idle_ends_with_the_next_request() -> None:
    """It waits for a connection then; a link that has stopped takes none, until it is asked to try."""
    far = Far()
    far.say(Push("closed", ("idle", -1, "")))
    far.ask(b"PING")
    assert far.link.status.state is State.CONNECTING
    far.connect()
    assert far.asked() == [[b"PING"]]
    far.link.stop()
    with pytest.raises(ConnectionLostError):
        far.ask(b"PING")
    far.link.reconnect(far.now)
    far.connect()


def test_requests_are_bounded() -> None:
    """Whoever never reads answers is told."""
    far = Far()
    for _ in range(links.MOST_REQUESTS):
        far.ask(b"ECHO")
    with pytest.raises(TooManyRequestsError):
        far.ask(b"ECHO")


Step = tuple[str, int]


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["once", "again", "send", "run", "answer", "cut", "leave", "wait"]), st.integers(0, 40)
        ),
        max_size=60,
    )
)
def test_whatever_happens_each_call_ends_once_and_runs_once(steps: list[Step]) -> None:
    """No outcome twice, none of another's, no second run of what may not have one, and after the stop none is open."""
    far = Far()
    ran: Counter[bytes] = Counter()
    waiting: list[bytes] = []
    calls: list[tuple[bytes, Call, Listener]] = []

    def take(most: int) -> None:
        waiting.extend(words[-1] for words in far.asked(most))

    for number, (step, size) in enumerate(steps):
        connected = far.link.status.state is State.CONNECTED
        if step in ("once", "again"):
            name = b"%s-%d" % (step.encode(), number)
            calls.append((name, *far.ask(b"DO", name, idempotent=step == "again")))
        elif step == "send":
            take(size)
        elif step in ("run", "answer") and waiting and connected:
            name = waiting.pop(0)
            ran[name] += 1
            if step == "answer" or name == b"CANCEL":
                far.say(name.decode())
            else:
                waiting.clear()
                far.link.lost(far.now)
        elif step == "cut" and connected:
            waiting.clear()
            far.link.lost(far.now)
        elif step == "leave" and calls:
            calls[size % len(calls)][1].abandon()
            far.later(0)
        elif step == "wait":
            far.later(60)
        if far.link.status.state is State.CONNECTING:
            far.connect()
    far.link.stop()
    for name, _, listener in calls:
        (outcome,) = listener.outcomes
        assert isinstance(outcome, ClientError) or outcome == name.decode()
        assert ran[name] <= (2 if name.startswith(b"again") else 1)

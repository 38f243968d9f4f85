"""What waits behind a running command is weighed, and a session reads no more than it may keep waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from secure_protocol.limits import ARGUMENT_WEIGHT, AUTHENTICATED, BEFORE_AUTHENTICATION
from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_server.commands.context import Context
from secure_server.session.intake import Intake
from secure_server.session.reserve import PORTION_BYTES, Reserve
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host, taken

PIECE = 16 * 1024
"""What a connection reads at once."""
REQUESTS = {"argument": "64KB", "request": "64KB", "arguments": 1024}
ONE = 64 * 1024 + ARGUMENT_WEIGHT * 1025
"""What a request with these bounds may weigh."""
BIG = encode_request([b"ECHO", b"x" * 60_000])


class Held:
    """A command that runs until it is let go, in each session that asks for it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._release = threading.Semaphore(0)

        def hold(_context: Context) -> None:
            assert self._release.acquire(timeout=PATIENCE)

        host.command("HOLD", hold)

    def begin(self, session: Session) -> None:
        """Have it run."""
        assert self.host.send(session, encode_request([b"HOLD"])) == b""
        assert session.busy

    def end(self, count: int = 1) -> None:
        """Let it go."""
        for _ in range(count):
            self._release.release()


MakeHeld = Callable[..., Held]


@pytest.fixture
def make_held(make_host: MakeHost) -> MakeHeld:
    """Make a host with the command, and small bounds of one request."""

    def make(**limits: object) -> Held:
        return Held(make_host(requests=REQUESTS, limits=limits))

    return make


def pour(host: Host, session: Session, data: bytes) -> bytes:
    """Send as a connection would: by pieces, while the session wants them; return what it did not want."""
    while data and session.wants_input:
        piece, data = data[:PIECE], data[PIECE:]
        assert host.send(session, piece) == b""
    return data


def test_reading_pauses_when_much_waits(make_held: MakeHeld) -> None:
    """One request and what is allowed beyond it; then all is answered in order, and read again."""
    held = make_held(pending_bytes="256KB")
    host, session = held.host, held.host.program()
    held.begin(session)
    sent = BIG * 100
    rest = pour(host, session, sent)
    assert ONE + 256 * 1024 - 2 * ARGUMENT_WEIGHT < len(sent) - len(rest) <= ONE + 256 * 1024 + PIECE
    held.end()
    answer, answered = b"", 0
    while answered < 100:
        if rest and session.wants_input:
            answer += host.send(session, rest[:PIECE])
            rest = rest[PIECE:]
        else:
            host.turn()
            answer += taken(session)
        while not session.output and session.held:
            session.process()
            answer += taken(session)
        answered = answer.count(b"$60000\r\n")
    assert answer.startswith(b"_\r\n$60000\r\n")
    assert (session.wants_input, host.reserve.free) == (True, host.config.limits.pending_total)


def test_many_small_arguments_weigh_more_than_their_bytes(make_held: MakeHeld) -> None:
    """Each is an object; 128 requests of 1,000 would take a connection 7 MB."""
    held = make_held(pending_bytes="256KB")
    host, session = held.host, held.host.program()
    held.begin(session)
    sent = encode_request([b"ECHO"] + [b"ab"] * 1000) * 100
    assert len(sent) - len(pour(host, session, sent)) < (ONE + 256 * 1024) / 8 + PIECE
    held.end()


def test_the_largest_request_can_always_wait(make_held: MakeHeld) -> None:
    """Also where others have taken all that is shared; and a session that was behind reads it once it is not."""
    held = make_held(pending_bytes="64KB", pending_total="64KB")
    host = held.host
    greedy, modest = host.program(name="greedy"), host.program(name="modest")
    held.begin(greedy)
    pour(host, greedy, BIG * 5)
    assert host.reserve.free == 0
    held.begin(modest)
    largest = encode_request([b"ECHO", b"x" * (64 * 1024 - 4)])
    assert pour(host, modest, largest) == b""
    pour(host, modest, BIG * 5)
    assert host.reserve.waiting == 1
    held.end(2)


def test_paused_sessions_go_on_in_order_on_their_own_threads(make_held: MakeHeld) -> None:
    """What one gives back is handed to the first in line, by its loop's wakeup, and read there."""
    held = make_held(pending_bytes="64KB", pending_total="64KB")
    host = held.host
    first, second, third = (host.program(name=name) for name in ("first", "second", "third"))
    for session in (first, second, third):
        held.begin(session)
    rests = [pour(host, session, BIG * 5) for session in (first, second, third)]
    assert [session.wants_input for session in (first, second, third)] == [False] * 3
    first.close(CloseReason.KICKED)
    host.turn()
    assert (second.wants_input, third.wants_input) == (True, False)
    pour(host, second, rests[1])
    assert (second.wants_input, host.reserve.waiting) == (False, 1)
    second.close(CloseReason.KICKED)
    host.turn()
    assert third.wants_input
    held.end(3)


def test_whoever_ends_gives_all_back(make_held: MakeHeld) -> None:
    """Also a place in line, and what it was given while it ended."""
    held = make_held(pending_bytes="64KB", pending_total="64KB")
    host = held.host
    first, second, third = (host.program(name=name) for name in ("first", "second", "third"))
    for session in (first, second, third):
        held.begin(session)
        pour(host, session, BIG * 5)
    third.close(CloseReason.KICKED)
    assert host.reserve.waiting == 1
    first.close(CloseReason.KICKED)
    second.close(CloseReason.KICKED)  # before it hears of it
    host.turn()
    assert (host.reserve.free, host.reserve.waiting) == (PORTION_BYTES, 0)
    held.end(3)


def test_what_acts_at_once_weighs_what_its_reply_does(make_held: MakeHeld) -> None:
    """A request that is answered where it stands is replaced by its reply, and the account stays right."""
    held = make_held(pending_bytes="64KB")
    host, session = held.host, held.host.program()
    held.begin(session)
    host.send(session, encode_request([b"HOLD"]) + encode_request([b"CANCEL"]) * 50)
    held.end(2)
    answer = b""
    while session.busy or answer.count(b":") < 50:
        host.turn()
        answer += taken(session)
    assert session._intake._weight == session._intake._weighed == 0
    assert session.wants_input


def test_what_acts_later_weighs_what_its_reply_does() -> None:
    """When the next command begins, what was weighed already may act, too."""
    intake = Intake(AUTHENTICATED, 128)
    intake.begin(b"*")
    intake.feed(encode_request([b"ECHO", b"x" * 1000]) * 2)
    reserve = Reserve(PORTION_BYTES, PORTION_BYTES)
    assert intake.decode(128)
    intake.examine(lambda _request: None)
    intake.weigh(reserve, lambda: None)
    assert intake._weight == 2 * (1004 + 3 * ARGUMENT_WEIGHT)
    intake.began()
    intake.examine(lambda _request: b"+OK")
    assert intake._weight == 2 * (3 + ARGUMENT_WEIGHT)
    assert (intake.take(128), intake.take(128), intake._weight) == (b"+OK", b"+OK", 0)


def test_a_rest_is_seen_by_whoever_answers_the_short_way(host: Host) -> None:
    """The connection looks at the deadline after what is more than output."""
    session = host.program()
    echo = encode_request([b"ECHO", b"a"])
    host.send(session, echo)
    assert session.receive(echo, host.clock())
    assert not session.receive(echo + echo[:5], host.clock())
    assert session.half_sent_since == host.clock.now
    host.clock.now += 1
    session.receive(echo[5:] + echo[:5], host.clock())
    assert session.half_sent_since == host.clock.now
    session.receive(echo[5:], host.clock())
    assert session.half_sent_since == float("inf")


def test_the_weight_of_a_request_is_bounded_before_authentication(host: Host) -> None:
    """By its own limits, which are much smaller."""
    assert host.session()._intake.limits.weight == BEFORE_AUTHENTICATION.weight < 8192


def test_a_request_half_sent_is_noticed(make_held: MakeHeld) -> None:
    """From when it is begun; another one begins anew, and what is not read cannot be late."""
    held = make_held(pending_requests=2)
    host, session = held.host, held.host.program()
    assert session.half_sent_since == float("inf")
    for data, begun in (
        (b"*1\r\n$4\r\nPI", 1000.0), (b"N", 1000.0), (b"G\r\n", None), (b"*1\r\n$4\r\nPING\r\n*1", 1003.0),
        (b"\r\n$4\r\nPING\r\n*", 1004.0), (b"1\r\n$4\r\nHOLD\r\n*1", 1005.0), (b"\r\n$4\r\nPING\r\n*", 1006.0),
        (b"1\r\n$4\r\nPING\r\n*", None),
    ):  # fmt: skip
        host.send(session, data)
        assert session.half_sent_since == (begun or float("inf")), data
        host.clock.now += 1
    held.end()
    host.turn()
    assert session.half_sent_since == host.clock.now
    text = host.user("bob")
    for data, waits in ((b"PI", True), (b"NG\n", False), (b"PING\nP", True)):
        host.send(text, data)
        assert (text.half_sent_since < float("inf")) is waits

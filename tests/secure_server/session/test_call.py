"""What lies between a handler and its peer: bounded, and it ends when nobody waits any more."""

from __future__ import annotations

import threading

import pytest

from secure_protocol.errors import ErrorCode
from secure_server.session.call import ROOM_BYTES, Call, CallEndedError, Feed

PATIENCE = 30.0
"""Seconds for what comes at once on an idle machine."""


class Told:
    """Counts how often the loop was told that there is something to take."""

    def __init__(self) -> None:
        self.times = 0
        self.again = threading.Event()

    def __call__(self) -> None:
        """The loop is told."""
        self.times += 1
        self.again.set()


def test_what_is_sent_is_taken_in_order_and_told_once() -> None:
    """The loop is told when there is something new, not of each part."""
    told = Told()
    call = Call(told)
    call.send(b"a")
    call.send(b"b")
    assert (told.times, call.take(), call.take()) == (1, b"ab", b"")
    call.send(b"c")
    assert (told.times, call.take()) == (2, b"c")
    assert call.streamed


def test_a_full_call_makes_the_handler_wait_until_there_is_room() -> None:
    """Memory is bounded by the room and one part, however much is produced."""
    told = Told()
    call = Call(told)
    parts = 20
    done = threading.Event()

    def produce() -> None:
        for _ in range(parts):
            call.send(b"x" * (ROOM_BYTES // 4))
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    total = 0
    while total < parts * (ROOM_BYTES // 4):
        assert told.again.wait(PATIENCE)
        told.again.clear()
        taken = len(call.take())
        assert taken <= ROOM_BYTES + ROOM_BYTES // 4
        total += taken
    assert done.wait(PATIENCE)
    thread.join()


def test_cancelling_wakes_a_waiting_handler() -> None:
    """A handler that waits for room learns that nobody waits for it."""
    call = Call(Told())
    call.send(b"x" * ROOM_BYTES)
    ended = threading.Event()

    def produce() -> None:
        try:
            call.send(b"y")
        except CallEndedError:
            ended.set()

    thread = threading.Thread(target=produce)
    thread.start()
    call.cancel(ErrorCode.TIMEOUT)
    assert ended.wait(PATIENCE)
    thread.join()


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_wake_that_fails_does_not_keep_a_call_from_being_cancelled(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """It is the handler's own; whoever cancels has the peer to answer."""
    call = Call(Told())

    def wake() -> None:
        raise error("no bell")

    with call.on_cancel(wake):
        call.cancel(ErrorCode.CANCELLED)
    assert call.cancelled.is_set()
    assert "no bell" in caplog.text


def test_the_first_reason_stays() -> None:
    """A command that is out of time and then cancelled was out of time; and nothing can be sent any more."""
    call = Call(Told())
    call.cancel(ErrorCode.TIMEOUT)
    call.cancel(ErrorCode.CANCELLED)
    assert call.ended_by is ErrorCode.TIMEOUT
    assert call.cancelled.is_set()
    with pytest.raises(CallEndedError):
        call.send(b"x")


def test_what_is_sent_when_it_has_its_answer_waits_for_nobody() -> None:
    """A thread that a handler left behind goes on telling: it is told so, also where it waits for room."""
    call, ended = Call(Told()), threading.Event()
    call.send(b"x" * ROOM_BYTES)

    def more() -> None:
        with pytest.raises(CallEndedError):
            call.send(b"more")
        ended.set()

    thread = threading.Thread(target=more, daemon=True)
    thread.start()
    assert call.settle()
    assert ended.wait(PATIENCE)
    with pytest.raises(CallEndedError):
        call.send(b"again")
    assert len(call.take()) == ROOM_BYTES


def test_output_is_told_of_once_and_asked_for_when_it_was_taken() -> None:
    """However much comes before it is taken."""
    heard: list[str] = []
    feed = Feed(lambda: heard.append("output"), lambda: heard.append("room"))
    for data in (b"", b"one ", b"", b"two"):
        feed.offer(data)
    assert (heard, feed.room, feed.streamed) == (["output"], ROOM_BYTES - 7, True)
    assert (feed.take(), feed.take()) == (b"one two", b"")
    assert (heard, feed.room) == (["output", "room"], ROOM_BYTES)
    feed.offer(b"more")
    assert heard == ["output", "room", "output"]


def test_nothing_offered_is_nothing_streamed() -> None:
    """A failure has no other form for it."""
    feed = Feed(lambda: None, lambda: None)
    feed.offer(b"")
    assert not feed.streamed

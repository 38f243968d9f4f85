"""Answers that come in parts: as they arrive, in bounded memory, ended on request, and never begun again."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Generator

import pytest

from secure_client import Client, CommandFailed, ConnectionLostError, NoAnswerError, TooLongError
from secure_client.answers.columns import columns_of
from secure_client.connection.parts import Parts
from secure_client.core import call
from secure_client.core.progress import Progress, weight
from secure_client.terminal.progress import ProgressBar, line
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_encoding import encode
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer

Stream = Generator[object, None, object]


def three(_peer: Peer, _arguments: list[str]) -> Stream:
    """Three parts, and nothing more to say."""
    yield "one"
    yield 2
    yield {"three": [3]}
    return None


def test_parts_come_one_by_one_and_the_reply_last(client: Client, server: ScriptedServer) -> None:
    """Each when it is there: the second is sent only after the first was seen."""
    seen: list[object] = []
    first = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> Stream:
        yield "one"
        assert first.wait(PATIENCE)
        yield "two"
        return "that was all"

    def look(part: object) -> None:
        seen.append(part)
        first.set()

    server.handlers["SLOW"] = slow
    assert client.execute("SLOW", on_part=look) == "that was all"
    assert seen == ["one", "two"]


def test_without_a_listener_the_parts_are_collected(client: Client, server: ScriptedServer) -> None:
    """As RESP2 has it; a last word of the command's own stands at the end."""
    server.handlers["THREE"] = three
    assert client.execute("THREE") == ["one", 2, {"three": [3]}]
    assert client.submit(["THREE"]).result(PATIENCE) == ["one", 2, {"three": [3]}]

    def with_last_word(peer: Peer, arguments: list[str]) -> Stream:
        yield from three(peer, arguments)
        return 7

    server.handlers["THREE"] = with_last_word
    assert client.execute("THREE") == ["one", 2, {"three": [3]}, 7]


def test_what_is_too_long_to_be_collected_is_ended(
    client: Client, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is asked to stop, and the connection goes on."""
    monkeypatch.setattr(call, "MOST_COLLECTED", 1000)

    def endless(peer: Peer, _arguments: list[str]) -> Stream:
        for _ in range(20):
            yield "x" * 100
        return peer.wait_for_cancel()

    server.handlers["ENDLESS"] = endless
    with pytest.raises(TooLongError, match="on_part"):
        client.execute("ENDLESS")
    assert client.execute("ECHO", "x") == "x"


def test_progress_is_told_on_the_way(client: Client, server: ScriptedServer) -> None:
    """A fraction and words; what is no number is passed over. The answer is the usual one."""
    told: list[tuple[float, str]] = []
    seen = threading.Event()

    def work(_peer: Peer, _arguments: list[str]) -> Stream:
        yield Push("progress", ("half", "nonsense"))
        yield Push("progress", (0.5, "half"))
        assert seen.wait(PATIENCE)
        return "done"

    def look(fraction: float, text: str) -> None:
        told.append((fraction, text))
        seen.set()

    server.handlers["WORK"] = work
    assert client.execute("WORK", on_progress=look) == "done"
    assert told == [(0.5, "half")]


def test_a_slow_reader_stops_the_server_and_grows_no_queue(client: Client, server: ScriptedServer) -> None:
    """The client reads no more from the socket, so the server cannot write more, until the reader goes on."""
    total, part = 400, encode(Push("stream", ("x" * 100_000,)), 3)
    written = 0
    blocked = threading.Event()

    def flood(peer: Peer, _arguments: list[str]) -> object:
        nonlocal written
        peer.socket.settimeout(0.3)  # a write that waits longer waits for the reader
        for _ in range(total):
            left = memoryview(part)
            while left:
                try:
                    left = left[peer.socket.send(left) :]
                except TimeoutError:
                    blocked.set()
            written += 1
        peer.socket.settimeout(None)
        return "done"

    server.handlers["FLOOD"] = flood
    asked = client.submit(["FLOOD"], streaming=True)
    assert blocked.wait(PATIENCE)
    assert written < total
    assert asked.parts._bytes < call.ROOM_BYTES + 2 * 1024 * 1024
    seen = 0

    def count(_part: object) -> None:
        nonlocal seen
        seen += 1

    assert client.result(asked, on_part=count) == "done"
    assert seen == total


def test_a_command_is_ended_on_request(client: Client, server: ScriptedServer) -> None:
    """CANCEL goes out behind it; its own reply is swallowed, and the next command gets its own."""
    begun = threading.Event()

    def forever(peer: Peer, _arguments: list[str]) -> Stream:
        yield "begun"
        begun.set()
        return peer.wait_for_cancel()

    server.handlers["FOREVER"] = forever
    asked = client.submit(["FOREVER"], streaming=True)
    assert begun.wait(PATIENCE)
    assert asked.abandon() is False
    with pytest.raises(CommandFailed) as failure:
        client.result(asked)
    assert failure.value.code == "CANCELLED"
    assert client.execute("ECHO", "next") == "next"
    assert server.names() == ["FOREVER", "CANCEL", "ECHO"]


def test_what_must_not_be_lost_is_never_ended_by_mistake(client: Client, server: ScriptedServer) -> None:
    """No CANCEL while a command with effects waits behind: it may be what runs when CANCEL arrives."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> object:
        assert release.wait(PATIENCE)
        return "slow"

    server.handlers["SLOW"] = slow
    first = client.submit(["SLOW"])
    server.wait_for(lambda: "SLOW" in server.names())
    second = client.submit(["COUNT"], idempotent=False)
    while not second.running():
        pass
    first.abandon()
    third = client.submit(["ECHO", "x"], idempotent=True)
    while not third.running():  # before it is sent, it was seen that the first is wanted no more
        pass
    release.set()
    assert (second.result(PATIENCE), third.result(PATIENCE)) == (1, "x")
    assert "CANCEL" not in server.names()


def test_a_listener_that_fails_ends_the_command(client: Client, server: ScriptedServer) -> None:
    """Its own exception comes out, the server is asked to stop, and the connection goes on."""

    def endless(peer: Peer, _arguments: list[str]) -> Stream:
        yield "one"
        return peer.wait_for_cancel()

    def fail(_part: object) -> None:
        raise TimeoutError("the listener's own")

    server.handlers["ENDLESS"] = endless
    with pytest.raises(TimeoutError, match="listener's own"):
        client.execute("ENDLESS", on_part=fail)
    assert client.execute("ECHO", "x") == "x"
    assert "CANCEL" in server.names()


def test_no_sign_in_time_ends_the_command_too(client: Client, server: ScriptedServer) -> None:
    """Each part begins the time anew; silence is what is bounded."""

    def silent(peer: Peer, _arguments: list[str]) -> Stream:
        yield "one"
        return peer.wait_for_cancel()

    server.handlers["SILENT"] = silent
    seen: list[object] = []
    with pytest.raises(NoAnswerError, match="told to end"):
        client.execute("SILENT", timeout=0.3, on_part=seen.append)
    assert seen == ["one"]
    assert client.execute("ECHO", "x") == "x"


def test_a_stream_is_never_begun_again(client: Client, server: ScriptedServer) -> None:
    """Not even of an idempotent command: its parts were shown already. The error says that it was sent."""

    def cut(peer: Peer, _arguments: list[str]) -> Stream:
        yield "one"
        peer.cut()
        return None

    server.handlers["TAIL"] = cut
    seen: list[object] = []
    with pytest.raises(ConnectionLostError, match="broke off") as failure:
        client.execute("TAIL", idempotent=True, on_part=seen.append)
    assert failure.value.sent
    assert seen == ["one"]
    assert client.execute("ECHO", "x") == "x"
    assert server.names().count("TAIL") == 1


def test_what_was_given_up_is_not_sent_to_the_next_connection(client: Client, server: ScriptedServer) -> None:
    """Idempotent or not; who waits for it is told."""

    def cut(peer: Peer, _arguments: list[str]) -> object:
        while ["CANCEL"] not in peer.waiting:
            assert peer.read()
        peer.cut()
        return None

    server.handlers["SLOW"] = cut
    asked = client.submit(["SLOW"], idempotent=True)
    server.wait_for(lambda: "SLOW" in server.names())
    asked.abandon()
    with pytest.raises(ConnectionLostError, match="may have run"):
        client.result(asked, PATIENCE)
    assert client.execute("ECHO", "x") == "x"
    assert server.names().count("SLOW") == 1


def test_given_up_between_two_connections(client: Client, server: ScriptedServer) -> None:
    """It was to be sent again; then nobody wanted it any more."""

    def stop(_peer: Peer, _arguments: list[str]) -> object:
        threading.Thread(target=server.cut).start()
        return None

    server.handlers["SLOW"] = stop
    server.refusal = ErrorReply("DRAINING", "Later.")
    asked = client.submit(["SLOW"], idempotent=True)
    client._link.wait_for(lambda status: status.session is None, PATIENCE)
    assert asked.abandon() is False
    server.refusal = None
    client.reconnect()
    with pytest.raises(ConnectionLostError) as failure:
        client.result(asked, PATIENCE)
    assert failure.value.sent
    assert server.names().count("SLOW") == 1


def test_a_stream_push_that_belongs_to_nothing_is_a_push(client: Client, server: ScriptedServer) -> None:
    """A server's fault; it is shown as any unknown push is."""
    arrived = threading.Event()
    pushes: list[Push] = []

    def listen(push: Push) -> None:
        pushes.append(push)
        arrived.set()

    client.on_push = listen
    server.push("stream", "stray")
    assert arrived.wait(PATIENCE)
    assert pushes == [Push("stream", ("stray",))]


def test_parts_are_taken_in_order_and_counted() -> None:
    """Full by bytes, room again when taken, nothing after the end, and the newest progress alone."""
    room = threading.Event()
    waiting = Parts()
    waiting.on_room = room.set
    waiting.put("x", call.ROOM_BYTES - 1)
    assert not waiting.full
    waiting.put({"a": [1, 2]}, 1)
    assert waiting.full
    waiting.tell(Progress(0.1, "a"))
    waiting.tell(Progress(0.2, "b"))
    taken, progress, ended = waiting.take()
    assert (taken[1], progress, ended) == ({"a": [1, 2]}, Progress(0.2, "b"), False)
    assert room.is_set()
    assert not waiting.full
    assert waiting.take() == ([], None, False)
    waiting.put("y", 1)
    waiting.drop()
    waiting.put("z", 1)
    waiting.tell(Progress(0.3, "c"))
    assert waiting.take() == ([], None, False)
    waiting.end()
    assert waiting.wait(0)
    assert waiting.take() == ([], None, True)
    assert waiting.wait(0), "the end is there for whoever asks again"
    assert weight({"a": [1, "b"]}) > weight([]) > 0


@pytest.mark.parametrize(
    ("items", "progress"),
    [
        ((0.25, "x"), Progress(0.25, "x")),
        ((1,), Progress(1.0, "")),
        ((7.0, "x"), Progress(1.0, "x")),
        ((10**400, "x"), Progress(1.0, "x")),
        ((-1, "x"), Progress(0.0, "x")),
        ((float("nan"), "x"), None),
        (("0.5", "x"), None),
        ((), None),
    ],
)
def test_progress_from_the_wire(items: tuple[object, ...], progress: Progress | None) -> None:
    """Bounded, and none where the server tells no number."""
    assert Progress.from_items(items) == progress


@pytest.mark.parametrize("columns", [200, 80, 40, 20, 6])
def test_the_bar_fits_the_window(columns: int) -> None:
    """Bar, percentage, words; the words give way first, then the bar. No control character gets through."""
    shown = line(0.5, "pulling 再起動\x1b[2J" + "x" * 100, columns)
    assert columns_of(shown) <= columns
    assert "50 %" in shown
    assert "\x1b" not in shown


def test_the_bar_makes_room_and_goes() -> None:
    """Whole lines are written where it was; in the end nothing of it is left. Nothing at all without a terminal."""
    stream = io.StringIO()
    bar = ProgressBar(stream, shown=True)
    bar.show(0.5, "half")
    with bar.above():
        stream.write("news\n")
    bar.clear()
    bar.clear()
    drawn = stream.getvalue()
    assert drawn.count("50 % half") == 2
    assert "\r" + " " * columns_of("x" * 10) in drawn
    assert drawn.endswith("\r")
    silent = io.StringIO()
    hidden = ProgressBar(silent, shown=False)
    hidden.show(0.5, "half")
    hidden.clear()
    assert silent.getvalue() == ""


def test_the_bar_goes_by_the_window_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that became narrower holds the next one; what takes it away stays on its line, and takes a `^C` along."""
    stream, window = io.StringIO(), [80]
    monkeypatch.setattr("secure_client.terminal.progress.screen", lambda: os.terminal_size((window[0], 24)))
    bar = ProgressBar(stream, shown=True)
    shows: list[Callable[[], None]] = [lambda: bar.show(0.5, "x" * 100), lambda: bar.tell("x" * 100)]
    for show in shows:
        window[0] = 80
        show()
        drawn = stream.getvalue()
        assert columns_of(drawn.rpartition("\r")[2]) == 77, "the terminal writes ^C behind it, on the same line"
        window[0] = 40
        with bar.above():
            assert stream.getvalue() == drawn + "\r" + " " * 39 + "\r"
        assert 35 < columns_of(stream.getvalue().rpartition("\r")[2]) < 38
        bar.clear()


def test_a_ctrl_c_that_a_wait_swallowed_is_heeded_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come between Python's last look at signals and the wait, which then lasts its time: so that is short."""
    waited: list[float] = []

    class Deaf:
        """A lock that nobody opens, and no signal disturbs."""

        def acquire(self, timeout: float) -> bool:
            waited.append(timeout)
            return False

    waiting = Parts()
    monkeypatch.setattr(waiting, "_news", Deaf())
    assert not waiting.wait(29.5)
    assert sum(waited) == 29.5
    assert max(waited) <= 1

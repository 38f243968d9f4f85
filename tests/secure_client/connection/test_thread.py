"""The link's own rules: when it tries again, what it does with requests, and that it can be woken."""

from __future__ import annotations

import selectors
import socket
import sys
import threading

import pytest

from secure_client import ConnectionLostError, EndedByServerError, Login, State, Status, TooManyRequestsError
from secure_client.connection.thread import LinkThread
from secure_client.connection.wakeup import Waker
from secure_client.core.backoff import Backoff
from secure_client.core.endpoint import Endpoint
from secure_client.core.link import MOST_REQUESTS
from secure_client.core.trust import Trust
from secure_protocol import replies
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer


@pytest.fixture
def login(server: ScriptedServer, authority: Authority, token: Token) -> Login:
    """What `server` accepts."""
    return Login(Endpoint("localhost", server.port), Trust(ca=authority.ca), token)


def wait(link: LinkThread, *states: State) -> Status:
    """Wait for one of `states`."""
    status = link.wait_for(lambda status: status.state in states, PATIENCE)
    assert status.state in states
    return status


def test_the_backoff_doubles_to_its_cap_and_begins_again() -> None:
    """Full jitter: anything from 0 to the bound."""
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high / 2

    backoff = Backoff(uniform, base=1.0, cap=5.0)
    assert [backoff.next() for _ in range(5)] == [0.5, 1.0, 2.0, 2.5, 2.5]
    backoff.reset()
    assert backoff.next() == 0.5
    assert {low for low, _ in bounds} == {0.0}


def test_a_waker_wakes_a_wait_or_the_next_one() -> None:
    """Any number of wake-ups are one; after `close` they are nothing."""
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    assert waker.wait(None, 0, None) is False
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")
        assert waker.wait(near, selectors.EVENT_READ, PATIENCE) is True
        waker.forget()
    waker.close()
    waker.wake()


def test_the_server_may_say_how_long_to_stay_away(server: ScriptedServer, login: Login) -> None:
    """`draining` with retry-after: no try before that, whatever the backoff says."""
    now = [1000.0]
    link = LinkThread(login, clock=lambda: now[0], uniform=lambda _low, high: high)
    link.start()
    wait(link, State.CONNECTED)
    server.close_all("draining", 60, "Going down.")
    status = wait(link, State.WAITING)
    assert status.until == 1000.0 + 60.0 + 0.25
    assert isinstance(status.error, EndedByServerError)
    now[0] = 1061.0
    link.reconnect()
    wait(link, State.CONNECTED)
    link.stop()
    assert link.status.state is State.STOPPED


def test_an_unknown_reason_means_later(server: ScriptedServer, login: Login) -> None:
    """A newer server's word does not stop an older client."""
    link = LinkThread(login, uniform=lambda _low, _high: 0.0)
    link.start()
    wait(link, State.CONNECTED)
    server.close_all("earthquake")
    server.wait_for(lambda: server.sessions == 2)
    wait(link, State.CONNECTED)
    link.stop()


def test_a_short_connection_does_not_reset_the_backoff(server: ScriptedServer, login: Login) -> None:
    """A server that accepts and drops is not hammered; one that lasted is tried quickly again."""
    now = [0.0]
    statuses: list[Status] = []
    link = LinkThread(login, clock=lambda: now[0], uniform=lambda _low, high: high, on_status=statuses.append)
    link.start()
    waits = []
    for lasted in (0.0, 0.0, 100.0):
        wait(link, State.CONNECTED)
        now[0] += lasted
        server.cut()
        status = wait(link, State.WAITING)
        waits.append(status.until - now[0])
        now[0] = status.until
        link.reconnect() if lasted else link._waker.wake()
    wait(link, State.CONNECTED)
    link.stop()
    assert waits == [0.25, 0.5, 0.25]
    assert State.CONNECTING in {status.state for status in statuses}


def test_requests_are_bounded(server: ScriptedServer, login: Login) -> None:
    """Whoever never reads answers is told, instead of filling the memory."""
    release = threading.Event()

    def slow(_peer: Peer, _arguments: list[str]) -> object:
        assert release.wait(PATIENCE)
        return "late"

    server.handlers["SLOW"] = slow
    link = LinkThread(login)
    link.start()
    first = link.submit([b"SLOW"])
    for _ in range(MOST_REQUESTS - 1):
        last = link.submit([b"ECHO", b"x"])
    with pytest.raises(TooManyRequestsError):
        link.submit([b"ECHO"])
    release.set()
    assert first.result(PATIENCE) == "late"
    assert last.result(PATIENCE) == "x"
    link.stop()


def test_stopping_fails_what_is_outstanding(server: ScriptedServer, login: Login) -> None:
    """No caller waits for ever; and a stopped link takes nothing more."""
    release = threading.Event()
    server.handlers["SLOW"] = lambda _peer, _arguments: release.wait(PATIENCE) and None
    link = LinkThread(login)
    link.start()
    slow = link.submit([b"SLOW"])
    behind = link.submit([b"ECHO"])
    server.wait_for(lambda: "SLOW" in server.names())
    link.stop()
    release.set()
    for request in (slow, behind):
        assert isinstance(request.exception(PATIENCE), ConnectionLostError)
    with pytest.raises(ConnectionLostError):
        link.submit([b"ECHO"])


def test_stopping_works_in_every_state(server: ScriptedServer, login: Login) -> None:
    """While the server is down, while connecting to a silent one, before the start, and twice."""
    link = LinkThread(login)
    link.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = LinkThread(Login(Endpoint("127.0.0.1", silent.getsockname()[1])), connect_timeout=PATIENCE)
        link.start()
        link.stop()
        assert not link._thread.is_alive()
    server.stop()
    link = LinkThread(login, uniform=lambda _low, _high: PATIENCE)
    link.start()
    wait(link, State.WAITING)
    link.stop()
    link.stop()
    assert not link._thread.is_alive()


def test_a_reply_that_nobody_asked_for_ends_the_connection(server: ScriptedServer, login: Login) -> None:
    """Answers might be mixed up from there on."""
    link = LinkThread(login, reconnect=False)
    link.start()
    wait(link, State.CONNECTED)
    with server._changed:
        server._peers[0].socket.sendall(b"+SURPRISE\r\n")
    status = wait(link, State.STOPPED)
    assert "nothing had asked for" in str(status.error)
    link.stop()


def test_what_is_no_reply_ends_the_connection(server: ScriptedServer, login: Login) -> None:
    """Said so; what was in flight may have run."""
    link = LinkThread(login, reconnect=False)
    link.start()

    def garbage(peer: Peer, _arguments: list[str]) -> object:
        peer.socket.sendall(b"@what\r\n")
        return None

    server.handlers["GARBAGE"] = garbage
    error = link.submit([b"GARBAGE"]).exception(PATIENCE)
    assert isinstance(error, ConnectionLostError)
    assert error.sent
    assert "is no reply" in str(error)
    link.stop()


def test_an_error_reply_may_announce_the_end(server: ScriptedServer, login: Login) -> None:
    """`-CLOSED`, as servers say it to RESP2."""
    link = LinkThread(login)
    link.start()
    wait(link, State.CONNECTED)
    with server._changed:
        server._peers[0].socket.sendall(b"-CLOSED reason=kicked retry-after=-1 Go away.\r\n")
    status = wait(link, State.STOPPED)
    assert isinstance(status.error, EndedByServerError)
    assert status.error.reason == "kicked"
    link.stop()


def test_a_goodbye_is_the_end(server: ScriptedServer, login: Login) -> None:
    """After EXIT the client does not come back by itself."""
    link = LinkThread(login)
    link.start()
    assert link.submit([b"exit"]).result(PATIENCE) == "Goodbye."
    status = wait(link, State.STOPPED)
    assert isinstance(status.error, EndedByServerError)
    assert status.error.reason == "goodbye"
    link.stop()


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="needs TCP_CORK, to put two records into one segment")
def test_an_end_that_comes_with_the_answer_is_noticed(server: ScriptedServer, login: Login) -> None:
    """The answer and close_notify read at once, and nothing after: the socket never becomes readable again."""

    def leave(peer: Peer, _arguments: list[str]) -> object:
        if sys.platform != "linux":
            pytest.skip("Linux only")
        peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # goes out by itself after 200 ms
        return replies.Status("Goodbye.")

    server.handlers["EXIT"] = leave
    link = LinkThread(login, reconnect=False)
    link.start()
    try:
        link.submit([b"EXIT"])
        assert isinstance(wait(link, State.STOPPED).error, EndedByServerError)
    finally:
        link.stop()


def test_a_large_request_and_a_large_reply_go_through(server: ScriptedServer, login: Login) -> None:
    """Both are cut into many writes and reads."""
    link = LinkThread(login)
    link.start()
    text = b"x" * 500_000
    requests = [link.submit([b"ECHO", text]) for _ in range(4)]
    assert [len(str(request.result(PATIENCE))) for request in requests] == [500_000] * 4
    link.stop()


def test_a_callback_that_fails_ends_no_connection(
    server: ScriptedServer, login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    """As a listener's fault, it is logged; the next callback is called, and the link goes on."""
    added, called = threading.Event(), threading.Event()
    server.handlers["SLOW"] = lambda _peer, _arguments: added.wait(PATIENCE)

    def fails(_request: object) -> None:
        raise ValueError("of the program's own")

    link = LinkThread(login)
    link.start()
    request = link.submit([b"SLOW"])
    request.add_done_callback(fails)
    request.add_done_callback(lambda _request: called.set())
    added.set()
    assert called.wait(PATIENCE)
    assert link.submit([b"ECHO", b"two"]).result(PATIENCE) == "two"
    request.add_done_callback(fails)  # which is called at once, on this thread
    assert caplog.text.count("a callback failed") == 2
    link.stop()

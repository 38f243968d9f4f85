"""Loops, lines and sockets of their own for each test, which end with it."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator

import pytest

from secure_server.config.file import load
from secure_server.net import event_loop
from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import SelectorsPoller
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.line import Line, MakeLine
from tests.secure_server.net.turning import TurningClock


@pytest.fixture(autouse=True, params=["best", "select"])
def _poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it on the system's best poller, and on the one that every system has."""
    if request.param == "select":
        monkeypatch.setattr(event_loop, "new_poller", lambda: SelectorsPoller(selectors.SelectSelector()))


@pytest.fixture
def clock() -> TurningClock:
    """The loop's time; it moves when told."""
    return TurningClock()


@pytest.fixture
def loop(clock: TurningClock) -> Iterator[EventLoop]:
    """A running loop."""
    running = EventLoop("test", clock)
    running.start()
    yield running
    running.stop()
    assert not running._thread.is_alive()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets: ours, non-blocking, and the peer's, with a bounded wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), PATIENCE)
        ours, _ = listener.accept()
    ours.settimeout(0)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def make_line(make_host: MakeHost) -> Iterator[MakeLine]:
    """Make a line with settings of its own, as in the configuration file."""
    with contextlib.ExitStack() as stack:

        def make(**overrides: object) -> Line:
            line = Line(make_host(**overrides), load(None, overrides))
            stack.callback(line.stop)
            return line

        yield make


@pytest.fixture
def line(make_line: MakeLine) -> Line:
    """With the defaults."""
    return make_line()

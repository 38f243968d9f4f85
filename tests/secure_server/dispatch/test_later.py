"""Work that a worker does before an answer: begun where somebody waits, and told of where nobody does after all."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.dispatch.later import LATER_SECONDS
from secure_server.session.call import Later
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host, taken


class Login:
    """Work whose end the test decides, and what became of it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.later: Later[Any] = Later(
            self._work, self._then, lambda: self.done.append("undo"), lambda what: self.done.append(f"unheard {what}")
        )

    def _work(self) -> str:
        self.began.set()
        self.done.append("work")
        assert self.go_on.wait(PATIENCE)
        return "spent"

    def _then(self, what: str) -> str:
        self.done.append("then")
        return what


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host with one worker."""
    return make_host(threads={"workers": 1})


@pytest.fixture
def login(host: Host) -> Login:
    """The command LOGIN."""
    login = Login()
    host.command("LOGIN", lambda _context: login.later, inline=True)
    return login


def keep_busy(host: Host) -> threading.Event:
    """Keep the worker until this is set."""
    held = threading.Event()

    def wait() -> None:
        held.wait(PATIENCE)

    host.workers.submit(wait)
    return held


def test_what_was_done_is_answered(host: Host, login: Login) -> None:
    """Where the peer still waits."""
    login.go_on.set()
    assert host.ask(host.user(), "LOGIN") == "spent\n"
    assert login.done == ["work", "then"]


def test_what_was_done_for_nobody_is_told(host: Host, login: Login) -> None:
    """The session ended while the worker was at it: whoever did it hears that it was for nobody."""
    session = host.user()
    host.send(session, b"LOGIN\n")
    assert login.began.wait(PATIENCE)
    session.close(CloseReason.KICKED)
    login.go_on.set()
    host.turn()
    assert login.done == ["work", "unheard spent"]
    assert host.commands[-1] == (session.number, "LOGIN", "CLOSED")


def test_what_nobody_waits_for_is_not_begun(host: Host, login: Login) -> None:
    """The session ended before a worker was free."""
    held = keep_busy(host)
    session = host.user()
    host.send(session, b"LOGIN\n")
    session.close(CloseReason.KICKED)
    held.set()
    host.turn()
    assert login.done == []
    assert host.commands[-1] == (session.number, "LOGIN", "CLOSED")


def test_what_waited_too_long_for_a_worker_is_not_begun(host: Host, login: Login) -> None:
    """Its peer is told to come again, and what it took is given back."""
    held = keep_busy(host)
    session = host.user()
    host.send(session, b"LOGIN\n")
    host.clock.now += LATER_SECONDS + 1
    held.set()
    host.turn()
    assert taken(session) == b"ERROR: THROTTLED The server has too much to do; try again in a moment.\n"
    assert login.done == ["undo"]

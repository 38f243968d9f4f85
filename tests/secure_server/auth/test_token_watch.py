"""The thread that makes changes to tokens take effect."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_protocol.token import Token
from secure_server.auth.authenticator import Ended, TokenAuthenticator
from secure_server.auth.errors import StorageError
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.token_watch import TokenWatch
from secure_server.auth.tokens import Tokens

from .conftest import Clock

NEVER = 3600.0
"""Seconds between steps in tests that must not depend on them."""


@pytest.fixture
def bia(tokens: Tokens) -> Token:
    """A token good for 100 seconds."""
    return tokens.create("bia", lifetime=100)


@pytest.fixture
def authenticator(bia: Token, storage: SQLiteTokenStorage, clock: Clock) -> TokenAuthenticator:
    """Knows the token of `bia`."""
    return TokenAuthenticator(storage, clock)


def test_a_step_reports_and_writes(
    authenticator: TokenAuthenticator, bia: Token, tokens: Tokens, elsewhere: Tokens, clock: Clock
) -> None:
    """What another process revoked is reported once; what was used is written; nothing to say says nothing."""
    reports: list[list[Ended]] = []
    watch = TokenWatch(authenticator, reports.append)
    authenticator.authenticate(bia, name=None, address="a")
    watch.step()
    assert reports == []
    assert tokens.list()[0].last_used == clock.now
    elsewhere.revoke("bia")
    watch.step()
    watch.step()
    assert reports == [[Ended(bia.id, TokenState.REVOKED)]]


def test_a_revocation_acts_within_a_second(authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens) -> None:
    """The promise, kept by the thread at its real interval."""
    reports: queue.SimpleQueue[list[Ended]] = queue.SimpleQueue()
    watch = TokenWatch(authenticator, reports.put)
    watch.start()
    try:
        elsewhere.revoke("bia")
        assert reports.get(timeout=1) == [Ended(bia.id, TokenState.REVOKED)]
    finally:
        watch.stop()


def test_wake_makes_a_step_now(authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens) -> None:
    """For an admin command in the same process."""
    reports: queue.SimpleQueue[list[Ended]] = queue.SimpleQueue()
    watch = TokenWatch(authenticator, reports.put, interval=NEVER)
    watch.start()
    try:
        elsewhere.revoke("bia")
        watch.wake()
        assert reports.get(timeout=30) == [Ended(bia.id, TokenState.REVOKED)]
    finally:
        watch.stop()


def test_a_step_waits_for_another_threads_step(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens
) -> None:
    """Whoever changed a token has it act before going on, beside the watch; nothing is reported twice."""
    reports: list[list[Ended]] = []

    def report(ended: list[Ended]) -> None:
        reports.append(ended)
        if len(reports) == 1:
            beside.start()
            beside.join(0.05)  # it cannot end before this one does; were it not to wait, it would by now

    watch = TokenWatch(authenticator, report)
    beside = threading.Thread(target=watch.step)
    elsewhere.revoke("bia")
    watch.step()
    beside.join()
    assert reports == [[Ended(bia.id, TokenState.REVOKED)]]


def test_stop_is_prompt_and_writes_the_last_uses(
    authenticator: TokenAuthenticator, bia: Token, tokens: Tokens, clock: Clock
) -> None:
    """It waits for no interval, and nothing is left unwritten."""
    watch = TokenWatch(authenticator, lambda _: None, interval=NEVER)
    watch.start()
    authenticator.authenticate(bia, name=None, address="a")
    before = time.monotonic()
    watch.stop()
    assert time.monotonic() - before < 10
    assert tokens.list()[0].last_used == clock.now
    watch.stop()


def test_it_survives_a_storage_that_fails(
    authenticator: TokenAuthenticator, bia: Token, clock: Clock, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged when it begins and when it ends, and expiry is kept to meanwhile."""
    reports: list[list[Ended]] = []
    watch = TokenWatch(authenticator, reports.append)
    hidden = path.with_name("hidden")
    path.rename(hidden)
    with caplog.at_level(logging.INFO, "secure_server.auth"):
        watch.step()
        clock.now += 100
        watch.step()
        assert reports == [[Ended(bia.id, TokenState.EXPIRED)]]
        hidden.rename(path)
        watch.step()
        watch.step()
    assert [item.levelname for item in caplog.records] == ["ERROR", "WARNING"]
    assert "is gone" in caplog.messages[0]


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_it_survives_a_step_that_fails(
    authenticator: TokenAuthenticator,
    bia: Token,
    elsewhere: Tokens,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    """Whatever it was, it is told once with its traceback, and the thread takes up changes once that is over."""
    failed, reported = threading.Semaphore(0), threading.Event()

    def fail() -> list[Ended]:
        failed.release()
        raise error("unforeseen")

    watch = TokenWatch(authenticator, lambda _ended: reported.set(), interval=0.01)
    with monkeypatch.context() as broken:
        broken.setattr(authenticator, "reload", fail)
        watch.start()
        assert all(failed.acquire(timeout=30) for _ in range(3)), "the thread has ended"
    elsewhere.revoke("bia")
    assert reported.wait(10)
    watch.stop()
    assert caplog.text.count(f"{error.__name__}: unforeseen") == 1
    assert "the token database works again" in caplog.text


def failing_once(reports: list[list[Ended]]) -> Callable[[list[Ended]], None]:
    """A receiver that fails the first time."""

    def receive(ended: list[Ended]) -> None:
        reports.append(ended)
        if len(reports) == 1:
            raise RuntimeError("the receiver broke")

    return receive


def test_a_receiver_that_fails_is_told_again(
    authenticator: TokenAuthenticator, bia: Token, elsewhere: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    """A session of a revoked token must not live on because closing it failed once."""
    reports: list[list[Ended]] = []
    watch = TokenWatch(authenticator, failing_once(reports))
    elsewhere.revoke("bia")
    for _ in range(3):
        watch.step()
    assert reports == [[Ended(bia.id, TokenState.REVOKED)]] * 2
    assert ["trying again" in message for message in caplog.messages] == [True]


def test_what_stands_beside_the_tokens_fails_alone(
    authenticator: TokenAuthenticator,
    bia: Token,
    elsewhere: Tokens,
    storage: SQLiteTokenStorage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither its storage's failure nor its bug keeps tokens from ending, and neither goes unsaid; and vice versa."""
    reports: list[list[Ended]] = []
    failures: list[Exception] = [StorageError("the disk is gone"), ValueError("a bug")]
    steps: list[None] = []

    def beside() -> None:
        steps.append(None)
        if failures:
            raise failures.pop(0)

    watch = TokenWatch(authenticator, reports.append, beside=beside)
    watch.step()
    assert "changes to tokens do not take effect: the disk is gone" in caplog.text
    elsewhere.revoke("bia")
    watch.step()
    assert "a step beside the tokens failed" in caplog.text
    assert reports == [[Ended(bia.id, TokenState.REVOKED)]]
    storage.close()
    watch.step()
    assert len(steps) == 3

"""Who watches: what it is given, and what becomes of the job, or of the watching alone, when it cancels."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from secure_server.commands.command import Command
from secure_server.commands.context import Context
from secure_server.jobs.job import Job, JobState
from tests.secure_server.host import Host
from tests.secure_server.jobs.desk import Desk

CANCELLED = b"-CANCELLED The job was cancelled by ada.\r\n"


@pytest.fixture
def waits(host: Host) -> Iterator[Command]:
    """A job that lasts until it is told to stop, or the test is over."""
    over = threading.Event()

    def wait(context: Context) -> None:
        while not (over.is_set() or context.cancelled.wait(0.005)):
            pass

    yield host.command("WAITS", wait, job=True)
    over.set()


def test_who_started_it_and_cancels_hears_its_end(desk: Desk, waits: Command) -> None:
    """When it has ended, and not before."""
    session = desk.session()
    watcher = desk.start(waits, session=session)
    desk.tell(watcher)
    session.cancel()
    assert not watcher.gone
    assert desk.ended(1).state is JobState.CANCELLED
    assert desk.tell(watcher).endswith(CANCELLED)


def test_who_cancels_while_it_is_being_started_ends_it(
    desk: Desk, waits: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is on disk already, and has no number yet for who cancels."""
    session, add = desk.session(), desk.kept.add

    def cancelled_meanwhile(job: Job) -> Job:
        added = add(job)
        session.cancel()
        return added

    monkeypatch.setattr(desk.kept, "add", cancelled_meanwhile)
    watcher = desk.start(waits, session=session)
    assert not watcher.leaving
    assert desk.ended(1).cancelled_by == "ada"
    assert desk.tell(watcher).endswith(CANCELLED)


def test_who_goes_leaves_it_alone(desk: Desk, waits: Command) -> None:
    """It runs on, and is watched by nobody."""
    session = desk.session()
    watcher = desk.start(waits, session=session)
    session.end()
    assert watcher.gone
    assert desk.states() == [JobState.RUNNING]

"""Process groups of a server that was killed: ended where it is sure whose they are, and left alone else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from secure_server.jobs import leftovers
from secure_server.jobs.leftovers import end, identify

if sys.platform == "win32":
    pytest.skip("programs are run on POSIX systems only", allow_module_level=True)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def program() -> Iterator[subprocess.Popen[bytes]]:
    """A program that leads a group, and has a child in it."""
    script = "trap '' TERM; sleep 600 & echo go; wait; sleep 600"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as made:
        assert made.stdout is not None
        made.stdout.readline()
        try:
            yield made
        finally:
            if leftovers._there(made.pid):
                os.killpg(made.pid, signal.SIGKILL)


def test_a_group_is_ended_though_it_ignores_sigterm(
    program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it."""
    monkeypatch.setattr(leftovers, "TERM_SECONDS", 0.1)
    found = identify(program.pid)
    assert found.started > 0
    assert end([found]) == [True]
    assert end([found]) == [True], "it is gone"


@pytest.mark.parametrize("other", [{"boot_id": "another"}, {"started": 1}])
def test_a_number_that_is_anothers_now_proves_the_end(
    program: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    """And harms nobody."""
    assert end([replace(identify(program.pid), **other)]) == [True]
    assert program.poll() is None


def test_a_group_without_its_leader_proves_nothing() -> None:
    """Its number may be that of the job's group, or of another's; nobody can tell."""
    script = "sleep 600 & echo $!"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as made:
        assert made.stdout is not None
        found = identify(made.pid)
        child = int(made.stdout.readline())
    assert end([found]) == [False]
    os.kill(child, signal.SIGKILL)


def test_what_nobody_could_identify_proves_nothing(program: subprocess.Popen[bytes]) -> None:
    """No start, or no boot."""
    assert end([replace(identify(program.pid), started=0)]) == [False]
    assert program.poll() is None


def test_many_are_ended_in_the_time_of_one(program: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A start does not wait for one after the other."""
    monkeypatch.setattr(leftovers, "TERM_SECONDS", 0.1)
    gone = replace(identify(program.pid), pid=2**22 + 7)
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as other:
        strange = replace(identify(other.pid), boot_id="another")
        assert end([identify(program.pid), gone, strange]) == [True, True, True]
        assert other.poll() is None
        other.kill()


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """Another server, as far as anybody can tell."""
    with subprocess.Popen(["/bin/sleep", "600"]) as made:
        yield made.pid, leftovers._started(made.pid) or 0
        made.kill()


def test_what_another_server_started_is_its_own_while_that_runs(
    program: subprocess.Popen[bytes], server: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup was restored beside it, say, and has its jobs as running: here they are over, and there they go on."""
    monkeypatch.setattr(leftovers, "DYING_SECONDS", 0.0)
    monkeypatch.setattr(leftovers, "TERM_SECONDS", 0.1)
    theirs = replace(identify(program.pid), server=server)
    assert end([theirs, theirs]) == [True, True]
    assert program.poll() is None
    with subprocess.Popen(["/bin/sleep", "600"]) as reused:  # another program has the number of the server
        assert end([replace(theirs, server=(reused.pid, 1))]) == [True]
        reused.kill()
    assert program.wait() == -signal.SIGKILL


def test_a_server_that_is_about_to_die_has_nothing_of_its_own(
    program: subprocess.Popen[bytes], server: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed, and the next one was quicker: also where its parent has not heard of its end."""
    monkeypatch.setattr(leftovers, "TERM_SECONDS", 0.1)
    threading.Timer(0.05, os.kill, (server[0], signal.SIGKILL)).start()
    assert end([replace(identify(program.pid), server=server)]) == [True]
    assert program.wait() == -signal.SIGKILL

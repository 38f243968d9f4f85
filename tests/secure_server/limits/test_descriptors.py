"""Descriptors: what the server asks for, what it makes of less, and what it says then."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.limits import descriptors
from secure_server.limits.descriptors import (
    JOB,
    LEAST_CONNECTIONS,
    PROGRAM,
    Shares,
    TooFewDescriptorsError,
    applied,
    fit,
    open_already,
    shortage,
    wanted,
    within,
)

CONFIG = load(None, {})
ASKED = wanted(CONFIG, already=6, leaving=2048, admin_workers=2)


def taken(shares: Shares) -> int:
    """What all that there may be takes, beside the server's own."""
    connections = shares.clients + shares.strangers + shares.administrators + shares.leaving
    return connections + PROGRAM * shares.programs + JOB * shares.jobs


OWN = ASKED.descriptors - taken(ASKED)
"""What the server itself takes."""


def test_the_settings_are_what_is_asked_for() -> None:
    """And each descriptor has a name: whatever is configured higher asks for as many more."""
    limits, threads = CONFIG.limits, CONFIG.threads
    assert (ASKED.clients, ASKED.strangers) == (limits.max_clients, limits.max_unauthenticated)
    assert (ASKED.administrators, ASKED.workers) == (limits.max_admin_clients, threads.workers)
    assert ASKED.jobs == threads.jobs
    more = load(None, {"limits": {"max_clients": limits.max_clients + 7}, "threads": {"workers": threads.workers + 1}})
    assert wanted(more, 6, 2048, 2).descriptors == ASKED.descriptors + 7 + PROGRAM
    assert wanted(load(None, {"threads": {"spare": threads.spare + 1}}), 6, 2048, 2).programs == ASKED.programs + 2
    jobs = load(None, {"threads": {"jobs": threads.jobs + 3}})
    assert wanted(jobs, 6, 2048, 2).descriptors == ASKED.descriptors + 3 * JOB
    assert wanted(CONFIG, 10, 2048, 2).descriptors == ASKED.descriptors + 4
    assert 80 < OWN < 120


@pytest.mark.parametrize("limit", [ASKED.descriptors, ASKED.descriptors + 1, 1_000_000])
def test_where_there_are_enough_all_is_as_configured(limit: int) -> None:
    """Not a word is said then."""
    given = within(limit, ASKED)
    assert given == ASKED
    assert applied(CONFIG, given) == CONFIG
    assert shortage(ASKED, given) == ""


@pytest.mark.parametrize("limit", [181, 200, 256, 512, 1024, 4096, ASKED.descriptors - 1])
def test_less_is_shared_and_never_more_than_there_is(limit: int) -> None:
    """The server's own comes first; everybody gets something, and nobody more than asked for."""
    given = within(limit, ASKED)
    assert OWN + taken(given) <= limit
    assert given.administrators >= min(32, limit // 8)
    assert given.workers >= 1
    assert JOB * given.jobs <= max(JOB, limit // 8)
    assert given.strangers >= 4
    assert given.clients >= given.strangers
    for kind in ("clients", "strangers", "administrators", "leaving", "workers", "jobs"):
        assert 0 < getattr(given, kind) <= getattr(ASKED, kind)
    assert min(1, limit // 512) <= given.spare <= ASKED.spare


def test_strangers_get_what_few_clients_leave() -> None:
    """Nothing lies idle."""
    few = wanted(load(None, {"limits": {"max_clients": 5}}), 6, 2048, 2)
    given = within(1024, few)
    assert given.clients == 5
    assert given.strangers > 500


def test_too_few_to_start_with_are_told_with_how_many_it_takes() -> None:
    """And so many are enough."""
    with pytest.raises(
        TooFewDescriptorsError, match=r"^Only 64 files may be open, .* at least (\d+); raise"
    ) as refused:
        within(64, ASKED)
    least = int(str(refused.value).split("at least ")[1].split(";")[0])
    given = within(least, ASKED)
    assert given.clients + given.strangers + given.leaving >= LEAST_CONNECTIONS
    with pytest.raises(TooFewDescriptorsError):
        within(least - 8, ASKED)


def test_the_configuration_gets_what_there_is_and_the_log_one_line() -> None:
    """One source's part shrinks with all strangers'; the line has how many, instead of how many, and what to do."""
    given = replace(ASKED, clients=30, strangers=10, workers=5, jobs=2, descriptors=200)
    config = applied(CONFIG, given)
    assert (config.limits.max_clients, config.limits.max_unauthenticated) == (30, 10)
    assert config.limits.unauthenticated_per_source == 6
    assert (config.limits.max_admin_clients, config.threads.workers, config.threads.jobs) == (32, 5, 2)
    assert shortage(ASKED, given) == (
        "only 200 files may be open, so limits.max_clients is 30 instead of 10000, limits.max_unauthenticated is 10 "
        "instead of 1000, threads.workers is 5 instead of 8, threads.jobs is 2 instead of 8; for all of them raise the "
        f"limit to {ASKED.descriptors} (`ulimit -n`, or LimitNOFILE= in a systemd unit)"
    )


def test_what_an_event_loop_can_watch_bounds_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `select`, with which no limit that could be raised helps; the lower of the two counts."""
    monkeypatch.setattr(descriptors, "raise_limit", lambda _wanted: 4096)
    fitted = fit(CONFIG, 1024, 2, 1024)
    assert fitted.config.limits.max_clients < 700
    assert fitted.shortage.startswith("`select`, by which this system watches them, takes 1024 descriptors, so ")
    assert fit(CONFIG, 1024, 2).shortage.startswith("only 4096 files may be open")
    monkeypatch.setattr(descriptors, "raise_limit", lambda _wanted: None)
    assert fit(CONFIG, 1024, 2, 1024).config == fitted.config
    assert fit(CONFIG, 1024, 2).config == CONFIG


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the system does not tell what is open")
def test_what_is_open_already_is_counted() -> None:
    """Whatever it is, and whoever opened it."""
    with ExitStack() as opened:
        before = open_already()
        for _ in range(5):
            opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        assert open_already() == before + 5


START = """
import resource, shutil, sys
from secure_server.commands.programs.launching import Rights
from secure_server.commands.programs.process import Process
from secure_server.limits.descriptors import open_already

cat, has = shutil.which("cat"), open_already()
for room in map(int, sys.argv[1:]):
    resource.setrlimit(resource.RLIMIT_NOFILE, (has + room, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        with Process(
            [cat], directory=None, environment={}, errors=False, stdin=b"x", rights=Rights(umask=0o77),
            before=lambda _: None,
        ) as process:
            print(list(process.lines()), open_already() - has)
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="the launcher waits for its end by a descriptor on Linux"
)
def test_a_program_takes_no_more_than_is_counted_for_it() -> None:
    """With all that may be said of one; what it takes while it runs leaves room for the output of a job."""
    argv = [sys.executable, "-c", START, str(PROGRAM), str(PROGRAM - 1)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["[b'x'] 5", os.strerror(errno.EMFILE)]


RAISE = """
import resource
from secure_server.limits.descriptors import raise_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 200))
print(raise_limit(32), raise_limit(128), raise_limit(10_000))
"""


def test_the_limit_is_raised_as_far_as_allowed_and_never_lowered() -> None:
    """In a process of its own: the soft limit follows what is wanted up to the hard one."""
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", RAISE], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == ["64", "128", "200"]


def test_a_system_that_allows_less_than_it_says_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS names no hard limit, and takes no more than 10240; a sandbox may forbid any change."""
    resource = pytest.importorskip("resource")
    asked: list[int] = []
    allowed = descriptors.OPEN_MAX

    def set_limit(_kind: int, limits: tuple[int, int]) -> None:
        asked.append(limits[0])
        if limits[0] > allowed:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert descriptors.raise_limit(13_000) == descriptors.OPEN_MAX
    assert asked == [13_000, descriptors.OPEN_MAX]
    allowed = 0
    assert descriptors.raise_limit(13_000) == 256

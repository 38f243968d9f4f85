"""The process groups of jobs: known well enough to end them after a crash, and to harm nobody else's."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from secure_server.jobs.job import Process

TERM_SECONDS = 2.0
"""What a group has to end by itself after SIGTERM, as for any program; then SIGKILL ends it."""
KILL_SECONDS = 2.0
"""How long is waited until a killed group is gone; one that is stuck in the kernel stays, and holds its lock."""
DYING_SECONDS = 1.0
"""How long is waited for the end of the server that started them: one that was just killed may be there still."""
_POLL = 0.02
"""Seconds between two looks: nobody tells of the end of a process that is not a child."""

_PROC = Path("/proc")


def identify(pid: int) -> Process:
    """Return who a process is that this one has just started, and that leads a group of its own."""
    return Process(boot_id(), pid, _started(pid) or 0, (os.getpid(), _started(os.getpid()) or 0))


def boot_id() -> str:
    """Return what names the system's run; empty where it does not tell."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def end(processes: Sequence[Process], clock: Callable[[], float] = time.monotonic) -> list[bool]:
    """End what is left of groups, all at once; whether it is proved of each that nothing is.

    Those of a server that runs still are left alone, and nothing of ours: what names them is a copy of its data.

    Args:
        processes: who led them.
        clock: monotonic seconds.
    """
    others = _serving(processes, clock)
    found = [process.server in others or _proved(process) for process in processes]
    left = {process.pid for process, proved in zip(processes, found, strict=True) if proved is None}
    for name, seconds in (("SIGTERM", TERM_SECONDS), ("SIGKILL", KILL_SECONDS)):
        for pid in left:
            _signal(pid, name)
        deadline = clock() + seconds
        while (left := {pid for pid in left if _there(pid)}) and clock() < deadline:
            time.sleep(_POLL)
    return [item.pid not in left if proved is None else proved for item, proved in zip(processes, found, strict=True)]


def _serving(processes: Sequence[Process], clock: Callable[[], float]) -> set[tuple[int, int]]:
    """Return which of the servers that started them run still."""
    now = boot_id()
    found = {item.server for item in processes if item.boot_id == now and item.server[0] not in (0, os.getpid())}
    deadline = clock() + DYING_SECONDS
    while (found := set(filter(_runs, found))) and clock() < deadline:
        time.sleep(_POLL)
    return found


def _runs(server: tuple[int, int]) -> bool:
    """Whether that very process runs, and does not merely wait to be reaped."""
    fields = _stat(server[0])
    return bool(fields) and int(fields[19]) == server[1] and fields[0] not in "ZX"


def _signal(pid: int, name: str) -> None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):  # it is over, or runs as somebody else
            os.killpg(pid, signal.Signals[name])


def _proved(process: Process) -> bool | None:
    """Whether it is proved that nothing of a group is left, before anything is done; None: it is there."""
    if not _there(process.pid):
        return True
    now = boot_id()
    if now and process.boot_id and now != process.boot_id:
        return True  # the system started anew since: whoever has that number is somebody else
    started = _started(process.pid)
    if started is not None and process.started and started != process.started:
        return True  # its number is another's now, which it is not while any of the group is there
    if started is None or not process.started or not now:
        return False  # its leader is gone, or cannot be told from another's: nobody knows whose group that is
    return None


def _there(pid: int) -> bool:
    """Whether there is such a group, of whomever."""
    if sys.platform == "win32":  # which has no programs, see `declare`
        return False
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _only_zombies(pid)


def _only_zombies(pid: int) -> bool:
    """Whether all that is left of a group waits to be reaped; somebody else will."""
    if sys.platform != "linux":
        return False
    members = [state for group, state in map(_group, _pids()) if group == pid]
    return bool(members) and all(state == "Z" for state in members)


def _pids() -> list[int]:
    with suppress(OSError):
        return [int(path.name) for path in _PROC.iterdir() if path.name.isdecimal()]
    return []


def _group(pid: int) -> tuple[int, str]:
    fields = _stat(pid)
    return (int(fields[2]), fields[0]) if fields else (0, "")


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks since the system did; None where there is none, or nobody tells."""
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """Return the fields of proc(5) `stat` behind the command's name, which may hold anything."""
    with suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []

"""What a process has used, as Linux tells it, and what machine this is."""

from __future__ import annotations

import os
import platform
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NOT_HERE = "the benchmarks measure by what Linux tells of processes"
PROC = Path("/proc")
_SCHEDULED = 2
"""The kind of clock: CPUCLOCK_SCHED in the kernel's include/linux/posix-timers.h."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of a process: all its threads, those that ended too.

    By its clock, which counts nanoseconds; `/proc` counts hundredths of a second. The clock's number is made as
    clock_getcpuclockid(3) does.
    """
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has in RAM (proc(5), `statm`)."""
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    return int((PROC / str(pid) / "statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Used:
    """CPU and wall seconds of a part of a process's life; of no meaning before the block has ended."""

    cpu: float = 0.0
    wall: float = 0.0


@contextmanager
def used_by(pid: int) -> Iterator[Used]:
    """Measure what a process uses during the block."""
    used, cpu, began = Used(), cpu_seconds(pid), time.perf_counter()
    yield used
    used.wall = time.perf_counter() - began
    used.cpu = cpu_seconds(pid) - cpu


def describe() -> dict[str, str]:
    """Return what a figure depends on: the machine and the versions."""
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    model = ""
    cpuinfo = PROC / "cpuinfo"
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{model or platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{memory:.1f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "OpenSSL": ssl.OPENSSL_VERSION,
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }

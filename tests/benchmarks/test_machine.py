"""What this very process has used."""

from __future__ import annotations

import os
import sys
import time

import pytest

from benchmarks.machine import cpu_seconds, describe, resident_bytes, used_by

if sys.platform == "win32":
    pytest.skip("the benchmarks measure on Linux", allow_module_level=True)


def test_cpu_of_this_process_is_what_its_own_clock_says() -> None:
    """Between two looks at the own clock, the clock of the pid shows something between them."""
    before = time.process_time()
    seen = cpu_seconds(os.getpid())
    assert before <= seen <= time.process_time()


def test_cpu_used_during_a_block_is_what_was_used_in_it() -> None:
    """Not what was used before."""
    before = time.process_time()
    with used_by(os.getpid()) as used:
        sum(range(10_000))
    assert 0 < used.cpu <= time.process_time() - before
    assert used.wall > 0


def test_resident_memory_is_below_its_own_peak() -> None:
    """And above what no Python goes below."""
    import resource  # noqa: PLC0415 - POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 4 * 2**20 < resident_bytes(os.getpid()) <= peak + 2**20  # the kernel counts both in batches of pages


def test_the_machine_is_described() -> None:
    """Nothing is left empty."""
    assert all(describe().values())

"""What redis-benchmark prints is read, or refused."""

from __future__ import annotations

import pytest

from benchmarks.children import ChildError
from benchmarks.redis_benchmark import Report, read_report

HEADER = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"'
)


def test_csv_is_read_by_its_headings_and_warnings_are_passed_over() -> None:
    """A name of a test may hold a comma."""
    row = '"ECHO a,b","15748.03","1.6","0.1","0.439","1.5","51.9","86"'
    assert read_report(f"WARNING: Could not fetch server CONFIG\n{HEADER}\n{row}\n") == Report(15748.03, 0.439, 51.9)


@pytest.mark.parametrize("text", ["", HEADER, "Error from server: NOAUTH", f'{HEADER}\n"ECHO","x"\n', '"rps"\n"1"\n'])
def test_what_is_no_table_is_an_error(text: str) -> None:
    """It says so instead of a KeyError."""
    with pytest.raises(ChildError, match="no table"):
        read_report(text)

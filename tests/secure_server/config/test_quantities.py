"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest

from secure_server.config.quantities import Duration, Size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("10s", 10), ("1.5m", 90), ("2h", 7200), ("1d", 86400), (" 3 S ", 3), (5, 5), (0.25, 0.25)],
)
def test_durations_are_read_as_people_write_them(written: object, seconds: float) -> None:
    """Each unit, blanks and capitals, and a bare number of seconds."""
    assert Duration.parse(written) == seconds


@pytest.mark.parametrize("written", ["", "s", "-1s", "1w", "1s2", "1_0s", "nan", "inf", True, None, [], "9" * 13])
def test_what_is_no_duration_is_refused_with_an_example(written: object) -> None:
    """The error shows what was found, and what would do."""
    with pytest.raises(ValueError, match="expected a duration such as") as caught:
        Duration.parse(written)
    assert repr(written) in str(caught.value)


@pytest.mark.parametrize(
    ("written", "size"), [("4KB", 4096), ("16mb", 16 << 20), ("1GB", 1 << 30), ("7B", 7), ("1.5kb", 1536), (10, 10)]
)
def test_sizes_are_read_as_people_write_them(written: object, size: int) -> None:
    """Each unit, and a bare number of bytes."""
    assert Size.parse(written) == size


@pytest.mark.parametrize("written", ["", "KB", "-1", "1.5", "0.3kb", "4 potatoes", False, None])
def test_what_is_no_size_is_refused_with_an_example(written: object) -> None:
    """Half a byte is none."""
    with pytest.raises(ValueError, match="expected a size such as"):
        Size.parse(written)


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [
        (Duration(86400), "1d"),
        (Duration(5400), "90m"),
        (Duration(7200), "2h"),
        (Duration(90), "90s"),
        (Duration(0), "0s"),
        (Duration(0.25), "0.25s"),
        (Size(3 << 30), "3GB"),
        (Size(262144), "256KB"),
        (Size(1 << 20), "1MB"),
        (Size(1000), "1000B"),
        (Size(0), "0B"),
    ],
)
def test_quantities_are_shown_in_the_largest_whole_unit(quantity: Duration | Size, shown: str) -> None:
    """And what is shown reads back as the same."""
    assert str(quantity) == shown
    assert type(quantity).parse(shown) == quantity

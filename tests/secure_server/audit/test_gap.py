"""What is known of records that were lost."""

from __future__ import annotations

import pytest

from secure_server.audit.gap import Gap


@pytest.mark.parametrize(
    ("now", "until"), [(99.5, 99.5), (101.0, 100.0), (90.25, 98.0)], ids=["at once", "later", "set back"]
)
def test_it_ends_before_it_is_told(now: float, until: float) -> None:
    """Its file has whole seconds, and the last may not be over; after a clock that was set back it has no length."""
    noted = Gap.parse(str(Gap(3, 98.7, 99.2)))
    assert noted == Gap(3, 98, 100)
    assert noted.up_to(now) == Gap(3, 98, until)

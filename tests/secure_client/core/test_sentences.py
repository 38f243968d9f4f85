"""What sentences say of seconds."""

from __future__ import annotations

import pytest

from secure_client.errors import lasting, not_ended, spoken


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.05, "0.05"), (0.3, "0.3"), (1.0, "1"), (2.54, "2.5"), (9.96, "10"), (10.4, "10"), (60.0, "60"), (3600, "3600")],
)
def test_seconds_are_said_as_they_were_meant(seconds: float, said: str) -> None:
    """None is rounded to nothing, and none has more digits than anybody reads."""
    assert spoken(seconds) == said


def test_a_job_was_waited_for_so_long() -> None:
    """The sentence has the number."""
    assert "within 0.3 s" in str(not_ended(7, 0.3))


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "1 s"), (119, "119 s"), (120, "2 min"), (301, "6 min"), (7200, "2 h"), (90_000, "25 h")]
)
def test_a_wait_is_said_as_one_plans_by_it(seconds: float, said: str) -> None:
    """Rounded up, for it ends no sooner."""
    assert lasting(seconds) == said

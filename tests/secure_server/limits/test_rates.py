"""Which bucket a token draws from."""

from __future__ import annotations

import gc

import pytest

from secure_server.config.settings import Limits
from secure_server.limits import rates as module
from secure_server.limits.rate import Rate
from secure_server.limits.rates import Rates, default_rate
from tests.secure_server.host import Clock

SLOW = Rate(1.0, 2)


def test_a_name_has_one_bucket() -> None:
    """Shared by all its sessions and by tokens that replace one another; another name, or another rate, has its own."""
    rates = Rates(None, Clock())
    bucket = rates.bucket("ada", SLOW)
    assert bucket is rates.bucket("ada", SLOW)
    assert bucket is not rates.bucket("bob", SLOW)
    assert bucket is not rates.bucket("ada", Rate(2.0, 2))


def test_without_a_rate_there_is_no_bucket() -> None:
    """Unless the configuration has one for everybody; a token's own goes before it."""
    assert default_rate(Limits()) is None
    assert Rates(None, Clock()).bucket("ada", None) is None
    default = default_rate(Limits(commands_per_second=5, commands_burst=7))
    rates = Rates(default, Clock())
    bucket, own = rates.bucket("ada", None), rates.bucket("ada", SLOW)
    assert bucket is not None
    assert own is not None
    assert (bucket.per_second, bucket.burst, own.burst) == (5, 7, 2)


def test_a_bucket_outlives_its_sessions_until_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnecting gives nobody a new burst, and what has rested is forgotten, so that memory is bounded."""
    monkeypatch.setattr(module, "SWEEP", 4)
    clock = Clock()
    rates = Rates(None, clock)
    bucket = rates.bucket("ada", SLOW)
    assert bucket is not None
    for _ in range(2):
        assert bucket.take(clock.now) == 0
    del bucket
    for number in range(20):
        rates.bucket(f"n{number}", SLOW)
    gc.collect()
    assert len(rates._kept) <= 4
    bucket = rates.bucket("ada", SLOW)
    assert bucket is not None
    assert bucket.take(clock.now) == 1.0
    clock.now += 2
    del bucket
    for number in range(20):
        rates.bucket(f"n{number}", SLOW)
    gc.collect()
    assert "ada" not in {name for name, _ in rates._shared}


def test_a_full_bucket_in_use_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions of a token always share one, whatever was swept between."""
    monkeypatch.setattr(module, "SWEEP", 2)
    rates = Rates(None, Clock())
    held = rates.bucket("ada", SLOW)
    for number in range(10):
        rates.bucket(f"n{number}", SLOW)
    assert rates.bucket("ada", SLOW) is held

"""How fast somebody may do something."""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """How fast a token may run commands."""

    per_second: float
    burst: int
    """Commands at once, before the rate is felt."""

"""How much is measured: thoroughly, or in about a minute."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of everything.

    Attributes:
        rounds: that count.
        warm_ups: rounds before them that do not.
        requests: of a client load, by pipeline depth.
        connections: how many are idle, step by step.
        load_seconds: of a storm, of logins, and of a paced load.
        iterations: of each codec.
    """

    rounds: int
    warm_ups: int
    requests: dict[int, int]
    connections: tuple[int, ...]
    load_seconds: float
    iterations: int


FULL = Scale(
    rounds=5,
    warm_ups=1,
    requests={1: 50_000, 16: 500_000},
    connections=(1_000, 5_000, 10_000),
    load_seconds=5.0,
    iterations=200_000,
)
QUICK = Scale(
    rounds=2,
    warm_ups=0,
    requests={1: 8_000, 16: 80_000},
    connections=(1_000,),
    load_seconds=0.5,
    iterations=10_000,
)

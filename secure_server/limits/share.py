"""How much of what there is one may take, so that something is left for who comes with nothing."""

from __future__ import annotations


def may_take(held: int, free: int) -> bool:
    """Whether who holds so many may take one more of those that are left: one who holds more than is left may not.

    So no share has to be configured: one alone gets about half of what there is, two get a third each (the dynamic
    threshold of Choudhury and Hahne, 1998).
    """
    return held <= free > 0

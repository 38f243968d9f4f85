"""How far a command is, and what an answer weighs."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from secure_protocol.resp_replies import ELEMENT_BYTES


class Progress(NamedTuple):
    """How far a command is.

    Attributes:
        fraction: from 0 to 1.
        text: what is being done; as the server sent it.
    """

    fraction: float
    text: str

    @classmethod
    def from_items(cls, items: tuple[object, ...]) -> Self | None:
        """Read the push `progress <fraction> <text>`; None where it tells no number."""
        fraction = items[0] if items else None
        if not isinstance(fraction, int | float) or fraction != fraction:  # noqa: PLR0124 - only NaN is not itself
            return None
        within = float(min(1, max(0, fraction)))  # in this order: an integer may be too large for a fraction
        return cls(within, str(items[1]) if len(items) > 1 else "")


def weight(value: object) -> int:
    """Return about how many bytes a decoded value takes."""
    if isinstance(value, str | bytes):
        return len(value) + ELEMENT_BYTES
    inner: Iterable[object] = ()
    if isinstance(value, dict):
        inner = (item for pair in value.items() for item in pair)
    elif isinstance(value, list | tuple):
        inner = value
    return ELEMENT_BYTES + sum(map(weight, inner))

"""How wide text is in a terminal."""

from __future__ import annotations


def columns_of(text: str) -> int:
    """Return how many columns a terminal needs for `text`."""
    from prompt_toolkit.utils import get_cwidth  # noqa: PLC0415 - slow, and most commands tell no progress

    return get_cwidth(text)

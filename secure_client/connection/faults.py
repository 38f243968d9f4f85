"""Where faults of ours, and of those whom we call, are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


def logger() -> logging.Logger:
    """Return the log of this room."""
    import logging  # noqa: PLC0415 - it brings much, for what should never be needed

    return logging.getLogger(__package__)

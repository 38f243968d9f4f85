"""How a program is there at once, and gone at once: for all of them, the server's, too."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage in this block: what is imported stays, and each look would go through more of it."""
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looks:
            gc.enable()


def ending() -> None:
    """Look for no garbage when the interpreter ends, which would go through all that was imported once more.

    Whatever has to be ended in order has been by now: a file that is to be written is closed by whom it belongs to.
    """
    gc.freeze()

"""What a child that somebody forks must not keep: listeners, peers' sockets, programs' pipes, the loops' descriptors.

A handler may fork, and its child may live on, without a program of its own that would have closed them. Then a
listener would keep its port when the server has stopped, a connection would not end for its peer, and a program not
find the end of its input. So a child closes them first thing. That ends nothing for the server, which has descriptors
of its own; to close a copy tells the other end nothing.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Protocol, TypeVar


class Closable(Protocol):
    """A socket, or whatever holds descriptors."""

    def close(self) -> None:
        """Close them; more than once does no harm."""


Held = TypeVar("Held", bound=Closable)

_held: weakref.WeakSet[Closable] = weakref.WeakSet()


def not_for_children(item: Held) -> Held:
    """Return what no child may keep; it is closed there as soon as there is one. Any thread.

    Args:
        item: forgotten when it is gone.
    """
    _held.add(item)
    return item


def _close_all() -> None:
    for item in list(_held):
        with contextlib.suppress(Exception):  # the thread that owns it may have been half way through anything
            item.close()


if hasattr(os, "register_at_fork"):  # where there is no fork, there is nothing to do
    os.register_at_fork(after_in_child=_close_all)

"""From when on a changed setting holds, once the configuration was reloaded."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Meta


class Taken(StrEnum):
    """From when on a changed setting holds, once the configuration was reloaded."""

    AT_ONCE = "at once"
    CONNECTIONS = "for new connections"
    LOGINS = "for new logins"
    RESTART = "after a restart"


# Each table says that of its settings; one for which it is otherwise says so itself.
AT_ONCE = Meta(extra={"taken": Taken.AT_ONCE})
CONNECTIONS = Meta(extra={"taken": Taken.CONNECTIONS})
LOGINS = Meta(extra={"taken": Taken.LOGINS})
RESTART = Meta(extra={"taken": Taken.RESTART})

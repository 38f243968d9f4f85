"""Who did it, as the log and the trail have it."""

from __future__ import annotations

from typing import NamedTuple


class Who(NamedTuple):
    """The facts that every record tells of whoever acted.

    Attributes:
        session: its number; 0 where there is none.
        principal: the name that it proved, empty for a stranger.
        address: where from: `127.0.0.1:40312`, or `unix`.
        netblock: what limits take that for; empty where there is none.
        transport: what carries the session, for statistics; empty where there is none.
    """

    session: int
    principal: str
    address: str
    netblock: str = ""
    transport: str = ""

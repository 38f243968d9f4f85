"""The settings of jobs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from secure_server.config.bounds import KB, TB, Bytes, Count
from secure_server.config.quantities import Duration, Size
from secure_server.config.taken import Taken


class Jobs(Struct, frozen=True, forbid_unknown_fields=True):
    """Jobs: runs that outlive their connection, and what is kept of them in the data directory."""

    taken: ClassVar = Taken.AT_ONCE

    queue: Annotated[Count, Meta(description="Jobs that wait for others, of all clients; the next is refused.")] = 100
    output: Annotated[
        Bytes,
        Meta(
            description="Of one job; beyond it the middle is dropped, for the beginning says what was done and the end "
            "how it went."
        ),
    ] = Size(10 * 1024 * 1024)
    disk: Annotated[
        Size,
        Meta(
            extra={"least": Size(KB), "most": Size(TB)},
            description="The output of all jobs together; where it is full, a running one goes on and its output says "
            "what is missing.",
        ),
    ] = Size(1024 * 1024 * 1024)
    keep: Annotated[
        Count,
        Meta(description="Jobs kept after their end; beyond it, whoever has most of them loses the first to end."),
    ] = 1_000
    keep_for: Annotated[
        Duration,
        Meta(
            extra={"least": Duration(1), "most": Duration(3650 * 86400)},
            description="For which one is kept after its end; people ask about last week, seldom about last year.",
        ),
    ] = Duration(30 * 86400)

"""The page in the browser, and HTTP."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from secure_server.config.bounds import Line
from secure_server.config.taken import Taken


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """The page in the browser, and HTTP, on the port that everybody uses."""

    taken: ClassVar = Taken.RESTART

    enabled: Annotated[
        bool,
        Meta(description="Whether browsers are served. It takes the extra `web`."),
    ] = False
    origins: Annotated[
        tuple[Line, ...],
        Meta(
            description='Pages besides our own whose scripts may connect, such as `["https://ops.example.org"]`: what '
            "browsers call this server behind a proxy."
        ),
    ] = ()

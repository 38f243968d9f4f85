"""What stands where a session would: a job goes on without one, and nobody is there to be answered at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from secure_server.auth.principal import Principal
from secure_server.session.codecs import KEPT
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from secure_server.session.standing import Standing


class Unattended(Standing):
    """Who started a job, without the connection by which that was done.

    Its number is 0, which no session has. A handler reads `principal`, `language` and `address` of its context; what
    else it asks a session for is not there.

    Args:
        principal: who started it, with what that allows now.
        language: in which it is told what fails.
        address: where it was started from.
        clock: monotonic seconds.
    """

    def __init__(
        self, principal: Principal | None, language: str, address: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(0, Peer(address, transport=""), language, clock(), principal)
        self.codec = KEPT

    def __getattr__(self, name: str) -> object:
        raise AttributeError(
            f"a job has no session, and so no session.{name}: its connection may have ended; "
            "use context.principal, context.language and context.address"
        )

    @property
    def as_session(self) -> Session:
        """Itself, where a context wants a session; handlers are told what a job's lacks when they use it."""
        return cast("Session", self)

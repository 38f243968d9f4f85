"""What all sessions of a server have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import RequestLimits
from secure_protocol.resp_requests import Arguments
from secure_protocol.text_requests import Request
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.principal import Principal
from secure_server.config.settings import Config
from secure_server.session.reserve import Reserve

Asking_contra = TypeVar("Asking_contra", contravariant=True)
"""A session, which knows its terms, so that these cannot know it."""


class Gate(Protocol[Asking_contra]):
    """Judges and answers requests; see `secure_server.dispatch`."""

    def dispatch(self, session: Asking_contra, request: Request | ProtocolError) -> None:
        """Take a request of this session, or what came instead of one, and answer it now or later."""

    def arrive(self, session: Asking_contra, request: Request) -> bytes | None:
        """Return the encoded reply of one that acts at once although another runs; None for all others."""
        ...

    def answer_cleared(self, session: Asking_contra, name: bytes, requests: Sequence[Arguments]) -> int:
        """Answer requests that need no judgement any more, from the front, and return how many that were."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What all sessions of a server have in common.

    Attributes:
        gate: judges and answers requests.
        language: to begin with.
        clock: monotonic seconds.
        strange: bounds of one request before authentication.
        known: likewise after it.
        most_waiting: requests decoded ahead, after authentication.
        reserve: for what waits beyond one request of each.
        high_water: bytes of output above which nothing more is done for a peer.
        admin_networks: from where an admin is one.
    """

    gate: Gate[Any]
    language: str
    clock: Callable[[], float]
    strange: RequestLimits
    known: RequestLimits
    most_waiting: int
    reserve: Reserve
    high_water: int
    admin_networks: AdminNetworks

    def bounds(self, principal: Principal | None) -> tuple[RequestLimits, int]:
        """How much a peer may ask for: how long a request may be, and how many are decoded ahead.

        Before AUTH one: what follows it is judged by the limits it earns.
        """
        return (self.strange, 1) if principal is None else (self.known, self.most_waiting)

    @classmethod
    def of(
        cls,
        config: Config,
        gate: Gate[Any],
        language: str,
        clock: Callable[[], float],
        admin_networks: AdminNetworks | None = None,
    ) -> Terms:
        """Take the bounds from the configuration; None takes the networks from it, too."""
        requests, limits = config.requests, config.limits
        return cls(
            gate,
            language,
            clock,
            requests.unauthenticated,
            requests.authenticated,
            limits.pending_requests,
            Reserve(int(limits.pending_total), int(limits.pending_bytes)),
            int(limits.output_high_water),
            admin_networks or AdminNetworks(config.admin.networks),
        )

    def by(self, config: Config, language: str) -> Terms:
        """Return the same by another configuration; what all sessions share is the same, and told by itself."""
        requests, limits = config.requests, config.limits
        return replace(
            self,
            language=language,
            strange=requests.unauthenticated,
            known=requests.authenticated,
            most_waiting=limits.pending_requests,
            high_water=int(limits.output_high_water),
        )

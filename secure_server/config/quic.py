"""Sessions over QUIC."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from secure_server.config.bounds import Line
from secure_server.config.endpoint import ENDPOINTS_MAX, Endpoint
from secure_server.config.taken import Taken


class Quic(Struct, frozen=True, forbid_unknown_fields=True):
    """Sessions over QUIC, which stay when a client's network changes; docs/quic.md tells of it."""

    taken: ClassVar = Taken.RESTART

    enabled: Annotated[
        bool,
        Meta(description="Whether clients are served over QUIC (UDP), too. It takes the extra `quic`."),
    ] = False
    addresses: Annotated[
        tuple[Line, ...],
        Meta(
            description='Where, such as `["0.0.0.0:5000"]`; empty: where TLS is listened for, on UDP ports of the same '
            f"numbers. At most {ENDPOINTS_MAX}."
        ),
    ] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where to listen; none where that is where TLS is."""
        return tuple(map(Endpoint.parse, self.addresses))

"""The page in the browser, and HTTP."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from secure_server.config.bounds import Line
from secure_server.config.endpoint import Endpoint
from secure_server.config.taken import Taken


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    """The page in the browser, and HTTP, on the port that everybody uses; docs/web.md tells of it."""

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
    addresses: Annotated[
        tuple[Line, ...],
        Meta(
            description='Further addresses, such as `["127.0.0.1:5443"]`, where all speak HTTP over TLS, also '
            "who names no protocol (ALPN), as proxies do (nginx, Caddy); on the port for everybody it has to be."
        ),
    ] = ()
    url: Annotated[
        Line,
        Meta(
            description='Where browsers find the page, such as `"https://ops.example.org"` behind a proxy: links lead '
            "there, and it counts as one of `origins`. Empty: where the server listens, by a name in its certificate."
        ),
    ] = ""
    proxies: Annotated[
        tuple[Line, ...],
        Meta(
            description='The proxies before the page, such as `["127.0.0.1", "10.0.0.2"]`: of their requests the last '
            "address in `X-Forwarded-For` counts as the peer's, for everything. From anybody else such a header means "
            "that the peer is not on this machine."
        ),
    ] = ()
    health_networks: Annotated[
        tuple[Line, ...],
        Meta(
            description='From where `/healthz` and `/readyz` are answered, such as `["10.0.0.0/8"]`, besides this '
            "machine; elsewhere there are none."
        ),
    ] = ()
    bearer: Annotated[
        bool,
        Meta(
            description='Whether tokens come whole from the page although `authentication.mechanisms = "scram"`: it '
            "can show them only so, and the server does not start with `scram` and the page unless this says that it "
            "is meant."
        ),
    ] = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where HTTP alone is spoken."""
        return tuple(map(Endpoint.parse, self.addresses))

    @property
    def pages(self) -> tuple[str, ...]:
        """All that browsers call this server, or pages besides our own, other than by its certificate."""
        return (self.url, *self.origins) if self.url else self.origins


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """What Prometheus reads, at `/metrics`, where `web.enabled` has HTTP served. It takes the extra `metrics`."""

    taken: ClassVar = Taken.AT_ONCE

    networks: Annotated[
        tuple[Line, ...],
        Meta(
            description='From where they are read without a token, such as `["127.0.0.0/8", "10.0.0.5"]`. An '
            "administrator's token reads them from wherever it is one's."
        ),
    ] = ()

"""Where the server listens, and what it speaks there."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from secure_server.config.bounds import Deadline, Line, Port
from secure_server.config.endpoint import ENDPOINTS_MAX, Endpoint
from secure_server.config.quantities import Duration
from secure_server.config.taken import Taken


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens."""

    taken: ClassVar = Taken.RESTART

    host: Annotated[
        Line,
        Meta(
            min_length=1, description="Address or name; loopback until you decide otherwise. `::` takes IPv4 as well."
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="TCP port; 0 lets the system choose one.")] = 5000
    addresses: Annotated[
        tuple[Line, ...],
        Meta(
            description='In place of `host` and `port`, several: `["127.0.0.1:5000", "[::1]:5000"]`. '
            f"At most {ENDPOINTS_MAX}, for each is a socket to watch; an IPv6 address of these takes IPv6 alone."
        ),
    ] = ()
    backlog: Annotated[
        int,
        Meta(
            ge=1, le=65535, description="Connections the kernel holds while newcomers are served; 500 may come at once."
        ),
    ] = 1024

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where to listen, at least one: the addresses listed, or else host and port."""
        return tuple(map(Endpoint.parse, self.addresses)) or (Endpoint(self.host, self.port),)


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS."""

    taken: ClassVar = Taken.RESTART

    minimum: Annotated[
        Literal["1.2", "1.3"], Meta(description="Oldest TLS version spoken; 1.2 only for peers that cannot do better.")
    ] = "1.3"
    certificate: Annotated[
        Line, Meta(description="Certificate chain (PEM); empty: `server.pem` in the certificates' directory.")
    ] = ""
    key: Annotated[Line, Meta(description="Private key (PEM); empty: `server-key.pem` beside it.")] = ""
    renew: Annotated[
        Literal["on", "off"],
        Meta(
            description="Renew the certificates' directory at two thirds of their life; never those named above, "
            "which somebody else manages."
        ),
    ] = "on"
    watch: Annotated[
        Deadline, Meta(description="Between looks at the certificate's files; a changed one is taken up by itself.")
    ] = Duration(2)
    client_certificates: Annotated[
        Literal["off", "optional", "required"],
        Meta(
            description="Whether clients show a certificate of their own; without a table `[certificates.NAME]` it is "
            "asked for besides a token."
        ),
    ] = "off"
    client_ca: Annotated[
        Line,
        Meta(
            description="CAs that sign the clients' certificates (PEM); empty: `ca.pem` in the certificates' directory."
        ),
    ] = ""

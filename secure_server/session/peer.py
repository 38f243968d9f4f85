"""The other end of a session: who the transport says it is, and what it did so far."""

from __future__ import annotations

from dataclasses import dataclass

from secure_server.auth.principal import ClientCertificate
from secure_server.pki.preflight import CertificateFacts


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end as the transport knows it.

    Attributes:
        address: `127.0.0.1:40312`, `[::1]:40312`, or `unix`.
        local: our end of it.
        transport: what carries the session: `tls`, `quic`, `unix`, `websocket` or `http`.
        tls: `TLSv1.3`, or empty where there is no TLS.
        cipher: the cipher suite's name, or empty.
        netblock: its IPv4 address or IPv6 /64, by which penalties and places are counted; empty where there is none.
        served: the certificate that this connection was served; None where there is no TLS.
        certificate: the one that the peer showed, and the handshake verified; None where it showed none.
        stays: it is one session until it goes; else each connection logs in anew, and what a login uses up is refused.
        admin: it came by the admin socket, which is outside the limits for clients and is never idle.
    """

    address: str
    local: str = ""
    transport: str = "tls"
    tls: str = ""
    cipher: str = ""
    netblock: str = ""
    served: CertificateFacts | None = None
    certificate: ClientCertificate | None = None
    stays: bool = True
    admin: bool = False


@dataclass(slots=True)
class Activity:
    """What a session did so far, for lists. Written by the owning thread, read by any.

    Attributes:
        connected: when, Unix seconds; to be shown, for that clock may leap.
        since: the same moment, monotonic seconds.
        last_active: monotonic seconds.
        commands: dispatched, refused ones included.
        received, sent: protocol bytes, without TLS.
        last_command: the name of the last one, upper case.
        begun: when the one that runs elsewhere began, or the last that did, monotonic seconds.
    """

    connected: float
    since: float
    last_active: float
    commands: int = 0
    received: int = 0
    sent: int = 0
    last_command: str = ""
    begun: float = 0.0

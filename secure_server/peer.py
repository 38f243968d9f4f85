"""The other end of a session: who the transport says it is, and what it did so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end as the transport knows it.

    Attributes:
        address: `127.0.0.1:40312`, `[::1]:40312`, or `unix`.
        local: our end of it.
        tls: `TLSv1.3`, or empty where there is no TLS.
        cipher: the cipher suite's name, or empty.
    """

    address: str
    local: str = ""
    tls: str = ""
    cipher: str = ""


@dataclass(slots=True)
class Activity:
    """What a session did so far, for lists. Written by the owning thread, read by any.

    Attributes:
        connected: Unix seconds.
        last_active: monotonic seconds.
        commands: dispatched, refused ones included.
        received, sent: protocol bytes, without TLS.
        last_command: the name of the last one, upper case.
    """

    connected: float
    last_active: float
    commands: int = 0
    received: int = 0
    sent: int = 0
    last_command: str = ""

"""What a link is doing, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from secure_client.core.login import Session
from secure_client.errors import ClientError


class State(Enum):
    """What the link is doing."""

    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()
    IDLE = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """The link's state and its reason.

    Attributes:
        state: what it is doing.
        session: of the connection while CONNECTED, else None.
        error: why it is not connected; None while all is well.
        until: monotonic second of the next try, while WAITING.
    """

    state: State
    session: Session | None = None
    error: ClientError | None = None
    until: float = 0.0

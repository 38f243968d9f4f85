"""What a link is doing, and why."""

from enum import Enum, auto
from typing import NamedTuple

from secure_client.core.login import Session
from secure_client.errors import ClientError


class State(Enum):
    """What the link is doing."""

    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()
    IDLE = auto()
    STOPPED = auto()


class Way(NamedTuple):
    """By what a connection goes.

    Attributes:
        transport: `tls`, `quic` or `unix`; empty before there was one.
        moved_to: the address of this machine that it went on from, after a change of network; empty where none was.
    """

    transport: str = ""
    moved_to: str = ""


class Status(NamedTuple):
    """The link's state and its reason.

    Attributes:
        state: what it is doing.
        session: of the connection while CONNECTED, else None.
        error: why it is not connected; None while all is well.
        until: monotonic second of the next try, while WAITING.
        way: of the connection while CONNECTED.
    """

    state: State
    session: Session | None = None
    error: ClientError | None = None
    until: float = 0.0
    way: Way = Way()


def settled(status: Status, deadline: float) -> bool:
    """Say whether a first try has ended, one way or another.

    A server that tells newcomers when to come again is waited for, if that is before `deadline`, in monotonic seconds.
    """
    if status.state is State.WAITING:
        told_when = status.error is not None and status.error.retry_after is not None
        return not (told_when and status.until < deadline)
    return status.state is not State.CONNECTING

"""The states of a session and the only ways between them."""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    """Where a session is."""

    UNAUTHENTICATED = auto()
    AUTHENTICATED = auto()
    CLOSING = auto()
    """Nothing more is read; what was answered is still sent."""


class Event(Enum):
    """What moves it."""

    AUTHENTICATED = auto()
    RESET = auto()
    CLOSED = auto()


TRANSITIONS = {
    (State.UNAUTHENTICATED, Event.AUTHENTICATED): State.AUTHENTICATED,
    (State.UNAUTHENTICATED, Event.RESET): State.UNAUTHENTICATED,
    (State.UNAUTHENTICATED, Event.CLOSED): State.CLOSING,
    # Who showed a certificate may show a token, too, and be whoever that says.
    (State.AUTHENTICATED, Event.AUTHENTICATED): State.AUTHENTICATED,
    (State.AUTHENTICATED, Event.RESET): State.UNAUTHENTICATED,
    (State.AUTHENTICATED, Event.CLOSED): State.CLOSING,
    (State.CLOSING, Event.CLOSED): State.CLOSING,
}
"""What is not here does not happen: it is a bug, and raises KeyError."""

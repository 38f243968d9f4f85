"""The lines that are typed together at the prompt, and what comes after each."""

from __future__ import annotations

from enum import Enum, auto

from secure_client.errors import ClientError, ConnectionLostError, DeclinedError
from secure_client.terminal.oneshot import GOES_ON


class After(Enum):
    """What is to come after a line."""

    NEXT = auto()
    """The next one."""
    LOST = auto()
    """Nothing of what came with it: there is no connection. It is being replaced."""
    STOP = auto()
    """Nothing of what came with it: the user broke it off, or nothing can be run any more."""
    GOODBYE = auto()
    """The end."""


class StoppedError(ClientError):
    """A command was typed although the client has stopped."""

    def __init__(self, sentence: str, cause: ClientError) -> None:
        super().__init__(sentence)
        self.code = cause.code


def after(error: ClientError) -> After:
    """Return what is to come after a line that failed."""
    if isinstance(error, ConnectionLostError):
        return After.LOST
    return After.NEXT if isinstance(error, GOES_ON) and not isinstance(error, DeclinedError) else After.STOP


def lines_of(text: str) -> list[str]:
    """Part what was typed or pasted into its lines, without blank ones and `#` comments."""
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]

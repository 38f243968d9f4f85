"""`-c COMMAND …`: run them, in order, and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.errors import (
    ClientError,
    CommandFailed,
    DetachedError,
    NotSentError,
    SetupError,
    TooLongError,
)
from secure_client.terminal.manner import USUAL, Manner
from secure_client.terminal.running import Told, run_line
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions

GOES_ON = (CommandFailed, SetupError, TooLongError, NotSentError)
"""Errors of one command alone; all others end the program."""


def run_commands(
    client: Client,
    commands: Sequence[str],
    renderer: Renderer,
    complain: Callable[[str], None],
    precautions: Precautions,
    manner: Manner = USUAL,
) -> int:
    """Run each command, also after one that failed, unless that is to be the last. Return the exit code.

    Args:
        client: connected.
        commands: lines, quoted as at the prompt.
        renderer: writes the answers.
        complain: writes a sentence to stderr.
        precautions: taken before each is sent.
        manner: how they are run.

    Raises:
        InterruptedByUser: Ctrl-C; what ran was ended first, and what would follow is not run.
    """
    status = 0
    for text in commands:
        told = Told(renderer, complain, text)
        try:
            line = Line.parse(text)
            if line is not None and run_line(client, line, renderer, told, precautions, manner):
                break
        except ClientError as error:
            told(error)
            if not isinstance(error, GOES_ON):
                return ended(client, error)
            status = after(status, error)
            if manner.stop_on_error and not isinstance(error, DetachedError):
                return status
    return status


def after(status: int, error: ClientError) -> int:
    """Return the exit code when one more command has ended with an error.

    What was not sent at all weighs more than what failed; and to be detached from is no failure.
    """
    own = isinstance(error, NotSentError | DetachedError)
    return max(status, error.exit_code if own else CommandFailed.exit_code)


def ended(client: Client, error: ClientError) -> int:
    """Return the exit code for an error that ended the connection: that of the reason, where it is known."""
    reason = client.status.error
    return reason.exit_code if reason is not None else error.exit_code

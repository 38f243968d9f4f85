"""`-c COMMAND …`: run them, in order, and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from secure_client.client import Client
from secure_client.errors import ClientError, CommandFailed, SetupError, TooLongError
from secure_client.terminal.lines import Line
from secure_client.terminal.rendering import Renderer
from secure_client.terminal.running import run_line

GOES_ON = (CommandFailed, SetupError, TooLongError)
"""Errors of one command alone; all others end the program."""


def run_commands(client: Client, commands: Sequence[str], renderer: Renderer, complain: Callable[[str], None]) -> int:
    """Run each command; one that fails does not keep the next from running. Return the exit code.

    Args:
        client: connected.
        commands: lines, quoted as at the prompt.
        renderer: writes the answers.
        complain: writes a sentence to stderr.

    Raises:
        InterruptedByUser: Ctrl-C; what ran was ended first, and what would follow is not run.
    """
    status = 0
    for text in commands:

        def fail(error: ClientError, text: str = text) -> None:
            renderer.failure(text, error)
            complain(str(error))

        try:
            line = Line.parse(text)
            if line is not None and run_line(client, line, renderer, fail):
                break
        except ClientError as error:
            fail(error)
            if not isinstance(error, GOES_ON):
                return ended(client, error)
            status = CommandFailed.exit_code
    return status


def ended(client: Client, error: ClientError) -> int:
    """Return the exit code for an error that ended the connection: that of the reason, where it is known."""
    reason = client.status.error
    return reason.exit_code if reason is not None else error.exit_code

"""`-c COMMAND …`: run them, in order, and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from secure_client.client import Client
from secure_client.errors import ClientError, CommandFailed, SetupError
from secure_client.terminal.lines import Line, run_line
from secure_client.terminal.rendering import Renderer


def run_commands(client: Client, commands: Sequence[str], renderer: Renderer, complain: Callable[[str], None]) -> int:
    """Run each command; one that fails does not keep the next from running. Return the exit code.

    Args:
        client: connected.
        commands: lines, quoted as at the prompt.
        renderer: writes the answers.
        complain: writes a sentence to stderr.
    """
    status = 0
    for text in commands:
        try:
            line = Line.parse(text)
            if line is not None and run_line(client, line, renderer):
                break
        except (CommandFailed, SetupError) as error:
            renderer.failure(text, error)
            complain(str(error))
            status = CommandFailed.exit_code
        except ClientError as error:
            renderer.failure(text, error)
            complain(str(error))
            return ended(client, error)
    return status


def ended(client: Client, error: ClientError) -> int:
    """Return the exit code for an error that ended the connection: that of the reason, where it is known."""
    reason = client.status.error
    return reason.exit_code if reason is not None else error.exit_code

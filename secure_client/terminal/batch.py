"""Commands from a file or a pipe: one a line, each answered before the next is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from secure_client.client import Client
from secure_client.errors import ClientError, CommandFailed, SetupError
from secure_client.terminal.lines import Line, run_line
from secure_client.terminal.oneshot import ended
from secure_client.terminal.rendering import Renderer

MOST_LINE_BYTES = 1024 * 1024
"""What a server takes as one request."""


def run_batch(client: Client, stream: BinaryIO, renderer: Renderer, complain: Callable[[str], None]) -> int:
    """Run every line; blank ones and `#` comments are passed over. Return the exit code.

    Args:
        client: connected.
        stream: the lines.
        renderer: writes the answers, each flushed: whoever writes the lines may wait for it.
        complain: writes a sentence to stderr.
    """
    status, number = 0, 0
    while data := stream.readline(MOST_LINE_BYTES):
        number += 1
        text = data.decode("utf-8", "surrogateescape").strip()
        if not text or text.startswith("#"):
            continue
        try:
            line = Line.parse(text)
            if line is not None and run_line(client, line, renderer):
                break
        except (CommandFailed, SetupError) as error:
            renderer.failure(text, error)
            complain(f"line {number}: {error}")
            status = CommandFailed.exit_code
        except ClientError as error:
            renderer.failure(text, error)
            complain(f"line {number}: {error}")
            return ended(client, error)
    return status

"""Commands from a file or a pipe: one a line, each answered before the next is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.errors import ClientError, DetachedError, TooLongError
from secure_client.i18n import _
from secure_client.terminal.manner import USUAL, Manner
from secure_client.terminal.oneshot import GOES_ON, after, ended
from secure_client.terminal.running import Told, run_line
from secure_client.typed.line import Line
from secure_client.typed.precautions import Precautions

MOST_LINE_BYTES = 1024 * 1024
"""What a server takes as one request. Of a longer line nothing is sent, for its end is no command, look as it may."""


def run_batch(
    client: Client,
    stream: BinaryIO,
    renderer: Renderer,
    complain: Callable[[str], None],
    precautions: Precautions,
    manner: Manner = USUAL,
) -> int:
    """Run every line; blank ones and `#` comments are passed over. Return the exit code.

    Args:
        client: connected.
        stream: the lines.
        renderer: writes the answers, each flushed: whoever writes the lines may wait for it.
        complain: writes a sentence to stderr.
        precautions: taken before each line is sent.
        manner: how they are run.

    Raises:
        InterruptedByUser: Ctrl-C; what ran was ended first, and what would follow is not run.
    """
    status, number = 0, 0
    while data := stream.readline(MOST_LINE_BYTES + 1):
        number += 1
        too_long = len(data) > MOST_LINE_BYTES and not data.endswith(b"\n")
        if too_long:
            _pass_over(stream)
        text = data.decode("utf-8", "surrogateescape").strip()
        if not text or text.startswith("#"):
            continue
        told = Told(renderer, complain, text, _("line {number}: {error}").format(number=number, error="{error}"))
        try:
            if too_long:
                sentence = _("The line is longer than {limit} bytes; nothing of it was sent.")
                raise TooLongError(sentence.format(limit=MOST_LINE_BYTES))
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


def _pass_over(stream: BinaryIO) -> None:
    """Read to the end of a line that is too long."""
    while (data := stream.readline(MOST_LINE_BYTES)) and not data.endswith(b"\n"):
        pass

"""What a person is told without having asked: how the connection fares, and what the server pushes."""

from __future__ import annotations

import shutil
import textwrap

from secure_client.answers.colours import Colour
from secure_client.core.closing import sent_away
from secure_client.core.status import State, Status
from secure_client.errors import EndedByServerError, lasting
from secure_client.i18n import _
from secure_protocol import text_replies
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push

MESSAGE = "message"
"""The push with words of another person: `message <from> <text>`."""
PUSH_WORDS = 64
"""Of a push, shown; with the bound on a line it is what keeps those that wait for the prompt small."""


def of_connection(before: Status, status: Status, where: str, user: str) -> str:
    """Return the line to show above the prompt for a change of state, or an empty one.

    Args:
        before: the last status that was told to the user.
        status: the new one.
        where: the endpoint.
        user: the principal's name.
    """
    if status.state is State.CONNECTED:
        if before.state is State.CONNECTED:
            return ""  # the first one: whoever waited for it may listen before the link's thread has told of it
        return _("Connected again to {endpoint} as {user}.").format(endpoint=where, user=user or "admin")
    if status.error is None or status.state is State.CONNECTING:
        return ""
    if isinstance(status.error, EndedByServerError) and status.error.reason == CloseReason.GOODBYE:
        return ""  # the answer was the goodbye
    if before.state is status.state and str(before.error) == str(status.error):
        return ""  # every try fails alike: the toolbar counts, and one line is enough
    if status.state is State.STOPPED:
        what_next = _("When that is mended, \\reconnect tries again.")
    elif status.state is State.IDLE:
        what_next = _("The next command connects again.")
    elif (seconds := sent_away(status.error)) is not None:
        what_next = _("Connecting again in {time}; \\reconnect tries now.").format(time=lasting(seconds))
    else:
        what_next = _("Reconnecting in the background.")
    return f"{status.error} {what_next}"


def colour_of(status: Status) -> Colour:
    """Return the colour for a line of `of_connection`."""
    return {State.CONNECTED: Colour.GOOD, State.STOPPED: Colour.ERROR}.get(status.state, Colour.WAITING)


def of_push(push: Push) -> str:
    """Return a push as people read it: a message with its sender, any other with its kind."""
    words = [text_replies.cell(item) for item in push.items[:PUSH_WORDS]]
    if push.kind == MESSAGE and len(words) >= 2:
        line = f"[{words[0]}] {' '.join(words[1:])}"
    else:
        line = " ".join([text_replies.cell(push.kind), *words])
    return printable(line, text_replies.CELL_CHARACTERS)


def folded(text: str) -> str:
    """Return sentences folded to the terminal's width, between words alone."""
    columns = shutil.get_terminal_size().columns
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False) for line in lines)

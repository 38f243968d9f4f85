"""The line at the bottom: what the command wants, and who, where, and connected or not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from secure_client.catalogue import Catalogue
from secure_client.core.status import State, Status
from secure_client.errors import RevokedError
from secure_client.i18n import _
from secure_client.terminal.progress import columns_of
from secure_client.typed.arguments import call_of
from secure_protocol.printable import printable

if TYPE_CHECKING:  # slow, and programs tell of their connections by this file, too
    from prompt_toolkit.formatted_text import StyleAndTextTuples

HINT_CHARACTERS = 300

STYLES = {
    State.CONNECTED: "class:toolbar.connected",
    State.STOPPED: "class:toolbar.stopped",
}
"""Colours help those who see them; the words say it all."""


def state_words(status: Status, now: float) -> str:
    """Return the state for the toolbar.

    Args:
        status: of the link.
        now: monotonic seconds.
    """
    if status.state is State.WAITING:
        return _("reconnecting in {seconds} s").format(seconds=max(0, math.ceil(status.until - now)))
    if status.state is State.STOPPED:
        return _("stopped: {why}").format(why=_stop_word(status))
    if status.state is State.IDLE:
        return _("idle: the next command connects")
    return _("connected") if status.state is State.CONNECTED else _("connecting")


def _stop_word(status: Status) -> str:
    reason = getattr(status.error, "reason", "")
    if isinstance(status.error, RevokedError) or reason:
        return str(reason)
    return status.error.code.lower() if status.error is not None else "closed"


def hint(catalogue: Catalogue, text: str) -> str:
    """Return syntax and summary of the command that is being typed, or nothing."""
    call = call_of(catalogue, text.encode("utf-8", "surrogatepass").split())
    if call is None:
        return ""
    told = filter(None, (call.description.syntax, call.description.summary))
    return printable(" — ".join(told), HINT_CHARACTERS)


def layout(left: str, right: str, style: str, columns: int) -> StyleAndTextTuples:
    """Return both sides on one line; the left one gives way where there is no room."""
    state = _cut(right, columns - 2)
    room = columns - 2 - columns_of(state)
    shown = _cut(left, room - 1) if room > 1 else ""
    gap = room - columns_of(shown)
    return [("", f" {shown}{' ' * gap}"), (style, state), ("", " ")]


def _cut(text: str, columns: int) -> str:
    if columns_of(text) <= columns:
        return text
    if columns < 1:
        return ""
    kept, width = "", 1  # the ellipsis
    for char in text:
        width += columns_of(char)
        if width > columns:
            break
        kept += char
    return f"{kept}…"

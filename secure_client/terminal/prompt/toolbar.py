"""The line at the bottom: what the command wants, and who, where, and connected or not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from secure_client.answers.columns import columns_of
from secure_client.core.endpoint import TransportChoice
from secure_client.core.status import State, Status, Way
from secure_client.errors import RevokedError
from secure_client.i18n import _
from secure_client.terminal.prompt.hint import Hint, cut

if TYPE_CHECKING:  # slow, and programs tell of their connections by this file, too
    from prompt_toolkit.formatted_text import StyleAndTextTuples

HINT_COLUMNS = 32
"""What is left to a hint, where there is one, before who and where are shown."""

STYLES = {
    State.CONNECTED: "class:toolbar.connected",
    State.CONNECTING: "class:toolbar.waiting",
    State.WAITING: "class:toolbar.waiting",
    State.STOPPED: "class:toolbar.stopped",
}
"""Colours help those who see them; the words say it all."""


def state_words(status: Status, now: float, choice: TransportChoice = TransportChoice.TLS) -> str:
    """Return the state for the toolbar.

    Args:
        status: of the link.
        now: monotonic seconds.
        choice: by what to connect; where it was not just TLS, it is said what it became.
    """
    if status.state is State.WAITING:
        return _("reconnecting in {seconds} s").format(seconds=max(0, math.ceil(status.until - now)))
    if status.state is State.STOPPED:
        return _("stopped: {why}").format(why=_stop_word(status))
    if status.state is State.IDLE:
        return _("idle: the next command connects")
    return _connected(status.way, choice) if status.state is State.CONNECTED else _("connecting")


def _connected(way: Way, choice: TransportChoice) -> str:
    if choice is TransportChoice.TLS or not way.transport:
        return _("connected")
    if way.moved_to:
        return _("connected ({transport}), moved to {address}").format(transport=way.transport, address=way.moved_to)
    return _("connected ({transport})").format(transport=way.transport)


def _stop_word(status: Status) -> str:
    reason = getattr(status.error, "reason", "")
    if isinstance(status.error, RevokedError) or reason:
        return str(reason)
    return status.error.code.lower() if status.error is not None else "closed"


def layout(left: Hint, extra: Sequence[str], state: str, style: str, columns: int) -> StyleAndTextTuples:
    """Return both sides on one line.

    Args:
        left: of what is typed. It gives way to the right side, but not all the way.
        extra: what stands before the state, the most dispensable first; where there is something to say at the left, it
            is left out as far as there is too little room for that.
        state: of the connection, always in view.
        style: its style.
        columns: of the terminal.
    """
    shown = list(filter(None, extra))
    while shown and (left.pieces or left.fault) and columns - 2 - columns_of("  ".join([*shown, state])) < HINT_COLUMNS:
        del shown[0]
    state = cut(state, columns - 2)
    before = cut("  ".join(shown), columns - 4 - columns_of(state))
    right = "  ".join(filter(None, (before, state)))
    room = columns - 2 - columns_of(right)
    hint = left.fitted(room - 2) if room > 2 else []
    gap = room - sum(columns_of(text) for _style, text, *_more in hint)
    return [("", " "), *hint, ("", " " * gap), (style, right), ("", " ")]

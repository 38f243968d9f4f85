"""What a client knows of the server's commands, and what it makes of words because of that."""

from __future__ import annotations

from collections.abc import Sequence

from secure_client.catalogue import Catalogue
from secure_client.core.call import Call
from secure_client.core.login import Login, Session
from secure_client.core.status import Status
from secure_client.core.watch import Watch
from secure_client.errors import ClientError, ConnectionLostError, NoAnswerError, spoken
from secure_client.i18n import _
from secure_protocol.description import CommandDescription

Word = str | bytes | int
"""Of a command: its name, or an argument."""


class Known:
    """The catalogue, and the session that told it: another may have another role.

    Attributes:
        catalogue: as last told; empty at first.
    """

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self._told_to: Session | None = None

    def is_told(self, session: Session | None) -> bool:
        """Whether what is known is what this session was told."""
        return session is not None and session is self._told_to

    @property
    def was_asked_for(self) -> bool:
        """Whether somebody wanted to know."""
        return self._told_to is not None

    def take(self, session: Session | None, told: object) -> None:
        """Take the answer to COMMANDS."""
        self.catalogue = Catalogue.from_wire(told)
        self._told_to = session

    def forget(self) -> None:
        """Ask again before it is believed."""
        self._told_to = None

    def find(self, words: Sequence[Word]) -> CommandDescription | None:
        """Return what is known of the command that these words call."""
        return self.catalogue.find([word.decode("utf-8", "replace") for word in encoded(words[:2])])

    def call(self, words: Sequence[Word], *, idempotent: bool | None = None, streaming: bool = False) -> Call:
        """Return a call, which may be repeated if the server says so of its command, where the caller says nothing."""
        if idempotent is None:
            known = self.find(words)
            idempotent = known is not None and known.idempotent
        return Call(encoded(words), idempotent=idempotent, streaming=streaming)


def encoded(words: Sequence[Word]) -> list[bytes]:
    """Return words as they go over the wire."""
    return [word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogateescape") for word in words]


def too_late(login: Login, status: Status, call: Call, timeout: float, *, unsent: bool) -> ClientError:
    """Return what to raise where a call was given up after `timeout` seconds without a sign of it.

    Args:
        login: where to.
        status: the link's.
        call: that was given up: left, if it follows a job that has begun, and abandoned otherwise.
        timeout: seconds.
        unsent: nothing of it was or will be sent.
    """
    names = {"endpoint": login.endpoint, "seconds": spoken(timeout)}
    if isinstance(call, Watch) and call.begun:
        silent = NoAnswerError(_("{endpoint} said nothing for {seconds} s.").format(**names))
        return call.stopped(status.error or silent)
    if unsent:
        why = f" {status.error}" if status.error is not None else ""
        sentence = _("Not connected to {endpoint} within {seconds} s; the command was not sent.")
        return ConnectionLostError(sentence.format(**names) + why)
    sentence = _("{endpoint} gave no answer within {seconds} s and was told to end the command, which may still run.")
    return NoAnswerError(sentence.format(**names))

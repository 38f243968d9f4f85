"""What can go wrong, said in a stable code for programs and a sentence for people.

    Failure
    ├── ProtocolError   the bytes are not the protocol; `fatal` ones end the connection
    └── CommandError    the request was understood and is refused or did not work

Sentences are English templates; the server translates the template and then fills in the values.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class ErrorCode(StrEnum):
    """Stable, upper-case, never translated; Redis' own where one exists."""

    ERR = "ERR"
    NOAUTH = "NOAUTH"
    WRONGPASS = "WRONGPASS"
    NOPERM = "NOPERM"
    NOPROTO = "NOPROTO"
    NOMECHANISM = "NOMECHANISM"
    BANNED = "BANNED"
    THROTTLED = "THROTTLED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    UNAVAILABLE = "UNAVAILABLE"
    DRAINING = "DRAINING"
    BUSY = "BUSY"
    DETACHED = "DETACHED"
    LOST = "LOST"
    CLOSED = "CLOSED"


class Failure(Exception):  # noqa: N818 - a failure is what it is; its two kinds are the errors
    """A code and a sentence.

    Args:
        template: the English sentence, with `{name}` where a value goes.
        code: what a program decides by.
        values: what fills the template; made printable by whoever passes what a peer sent.
    """

    def __init__(self, template: str, *, code: ErrorCode = ErrorCode.ERR, **values: object) -> None:
        super().__init__(template)
        self.template = template
        self.code = code
        self.values = values

    def sentence(self, translate: Callable[[str], str] = str) -> str:
        """Return the sentence in the language of `translate`, one line; a broken translation falls back to English."""
        text = translate(self.template)
        if not self.values:
            return text
        try:
            return text.format(**self.values)
        except (LookupError, ValueError):  # the translation names other values: it must not hide the failure
            return self.template.format(**self.values)

    def __str__(self) -> str:
        return f"{self.code} {self.sentence()}"


class ProtocolError(Failure):
    """What a peer sent is no request.

    Attributes:
        fatal: where the next request begins is unknown, so the connection ends.
    """

    def __init__(self, template: str, *, fatal: bool = True, **values: object) -> None:
        super().__init__(template, code=ErrorCode.ERR, **values)
        self.fatal = fatal


class CommandError(Failure):
    """A command was refused or failed; the connection goes on."""

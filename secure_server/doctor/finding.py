"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from secure_protocol.sentence import Sentence, said

T = TypeVar("T")

COLUMNS = ("severity", "about", "finding", "remedy")
"""Of a table of findings."""
NAMED = 5
"""Of things of one kind that a sentence names; the number of the others follows."""


class Severity(StrEnum):
    """How bad it is; in the order in which findings are told."""

    ERROR = "error"
    """Something does not work, or not as it should."""
    WARNING = "warning"
    """It will not, if nobody does anything."""
    NOTE = "note"
    """Worth knowing."""


class Finding(NamedTuple):
    """One thing that is wrong, or will be.

    Attributes:
        severity: how bad it is.
        about: a word for the subject: `certificate`, `disk`, ….
        sentence: what is wrong, a `Sentence`.
        remedy: what to do, likewise.
    """

    severity: Severity
    about: str
    sentence: str
    remedy: str

    def row(self, translate: Callable[[str], str]) -> tuple[str, str, str, str]:
        """Return it as a table has it."""
        return str(self.severity), self.about, said(self.sentence, translate), said(self.remedy, translate)


Check = Callable[[T], Iterable[Finding]]
"""Looks at one thing."""


def examine(checks: Sequence[Check[T]], subject: T) -> Iterator[Finding]:
    """Make all checks; one that cannot be made is a finding as well."""
    for check in checks:
        try:
            yield from check(subject)
        except OSError as error:
            yield Finding(
                Severity.ERROR,
                "files",
                Sentence("{path} cannot be read ({why}).", path=error.filename or "?", why=error.strerror or error),
                Sentence("See to it that this user may read it, or run this as the server's user."),
            )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return them, the worst first."""
    return sorted(findings, key=lambda finding: list(Severity).index(finding.severity))


def named(names: Sequence[str]) -> str:
    """Return some of many names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", … (+{more})" if more > 0 else "")

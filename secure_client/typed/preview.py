"""What a command would choose, shown before it is asked about; and the line that chooses that and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

from secure_client.answers.columns import screen
from secure_client.catalogue import Catalogue
from secure_client.core.expected import table_of
from secure_client.errors import CommandFailed
from secure_client.i18n import _
from secure_client.typed.arguments import Call
from secure_client.typed.line import Line
from secure_protocol.description import SHOWN
from secure_protocol.printable import printable

ROWS = 15
"""Shown of what is chosen; the question is to be seen with them. The others are counted."""
KEY_CHARACTERS = 100
"""Of what tells a row from others."""

Execute = Callable[..., object]
"""Runs a command that changes nothing, given its words, and returns its reply; raises ClientError."""


def _about(call: Call, failed: CommandFailed) -> CommandFailed:
    """Return an error with the name of the command that was typed, where it names the preview, which nobody typed."""
    preview, name = call.description.preview, call.description.name
    text = failed.text.replace(preview, name).replace(preview.lower(), name.lower())
    return CommandFailed(failed.code, text)


class Preview(NamedTuple):
    """What a line would choose.

    Attributes:
        shown: a table of it, and how many more there are; printable lines.
        keys: of all that is chosen.
    """

    shown: str
    keys: tuple[str, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, call: Call, line: Line, execute: Execute) -> Self | None:
        """Ask the server; None where there is nothing to be asked about.

        Raises:
            ClientError: it does not tell, such as where nothing is chosen.
        """
        name = call.description.preview.split()
        try:
            rows = execute(*name, *line.words[call.start :])
        except CommandFailed as failed:
            raise _about(call, failed) from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row for row in rows) or not rows:
            return None
        from secure_client.answers.tables import draw  # noqa: PLC0415 - brings rich, and most commands ask nothing

        lines = draw(table_of(rows[:ROWS], catalogue.find(name)), screen().columns)
        if len(rows) > ROWS:
            lines += "\n" + _("… and {count} more").format(count=len(rows) - ROWS)
        return cls(lines, tuple(printable(str(next(iter(row.values()))), KEY_CHARACTERS) for row in rows))

    def held_to(self, line: Line, call: Call) -> Line:
        """Return the line that chooses what was shown, whatever has come since; its text stays as typed.

        It stays as it is where the command has no option for that: what it was shown for is no choice of some.
        """
        if all(argument.name != SHOWN for argument in call.description.arguments):
            return line
        option = f"--{SHOWN}={','.join(self.keys)}".encode()
        return line._replace(words=(*line.words[: call.start], option, *line.words[call.start :]))

"""What stands in the toolbar of the line that is typed: its syntax, and more of the argument at the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secure_client.answers.columns import columns_of
from secure_client.catalogue import Catalogue
from secure_client.i18n import _
from secure_client.typed.arguments import assigned, call_of
from secure_client.typed.checking import LINE_CHARACTERS, first_fault
from secure_client.typed.line import typed_words
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.printable import printable

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

PIECE_CHARACTERS = 120
"""Of one argument's syntax; choices may be many."""
TOLD_CHARACTERS = 300

PRESENT, FAULT = "class:hint.present", "class:hint.fault"


@dataclass(frozen=True, slots=True)
class Hint:
    """What is to be shown.

    Attributes:
        pieces: the command's name, and each of its arguments.
        present: which of them the cursor is at; None: none.
        told: what there is to say of that, or of the command.
        fault: what is wrong with the line, in place of all else.
    """

    pieces: tuple[str, ...] = ()
    present: int | None = None
    told: str = ""
    fault: str = ""

    def fitted(self, columns: int) -> StyleAndTextTuples:
        """Return it in at most so many columns: the present argument is in view; what is far from it is left out."""
        if self.fault:
            return [(FAULT, cut(self.fault, columns))]
        if not self.pieces:
            return []
        first, last = self._window(columns)
        shown: StyleAndTextTuples = [("", "… " if first else "")]
        for index in range(first, last):
            shown += [
                ("", " " if index > first else ""),
                (PRESENT if index == self.present else "", self.pieces[index]),
            ]
        shown.append(("", " …" if last < len(self.pieces) else ""))
        room = columns - sum(columns_of(text) for _style, text, *_more in shown)
        if room < 0:  # the present one alone is too long
            return [(PRESENT if self.present is not None else "", cut(self.pieces[first], columns))]
        if self.told and room > len(" — …"):
            shown.append(("", cut(f" — {self.told}", room)))
        return shown

    def _window(self, columns: int) -> tuple[int, int]:
        """Return from which piece to which they are shown."""
        widths = [columns_of(piece) + 1 for piece in self.pieces]
        if sum(widths) - 1 <= columns:
            return 0, len(self.pieces)
        first = self.present or 0
        last, used = first + 1, widths[first] + len("… ") + len(" …")
        while last < len(widths) and used + widths[last] <= columns:  # what comes next is of more use than what was
            used, last = used + widths[last], last + 1
        while first > 0 and used + widths[first - 1] <= columns:
            first, used = first - 1, used + widths[first - 1]
        return first, last


def hint_of(catalogue: Catalogue, line: str, cursor: int) -> Hint:
    """Return what is to be said of a line.

    Args:
        catalogue: the server's commands.
        line: one line.
        cursor: how many characters are before it.
    """
    fault = first_fault(catalogue, line, cursor)
    if fault is not None and not fault.unfinished:
        return Hint(fault=fault.sentence)
    if len(line) > LINE_CHARACTERS:
        return Hint()
    words = [value for _start, _end, value in typed_words(line)]
    call = call_of(catalogue, words)
    if call is None:
        return Hint()
    before = [value for start, _end, value in typed_words(line) if start < cursor]
    if not before or line[cursor - 1 : cursor].isspace():
        before.append(b"")  # the word that may be typed there
    present = _present(call.description, before, call.start)
    described = call.description
    pieces = tuple(
        printable(piece, PIECE_CHARACTERS)
        for piece in (described.name, *(argument.syntax for argument in described.arguments))
    )
    if present is None:
        return Hint(pieces, None, printable(described.summary, TOLD_CHARACTERS))
    argument = described.arguments[present]
    told = _of_argument(argument) or (described.summary if len(before) <= call.start + 1 else "")
    if fault is not None:
        told = ", ".join(filter(None, (fault.sentence, told)))
    return Hint(pieces, present + 1, printable(told, TOLD_CHARACTERS))


def _present(command: CommandDescription, words: Sequence[bytes], start: int) -> int | None:
    """Return the index of the argument that the last word is given for."""
    index = len(words) - 1
    if index < start:
        return None
    given = [item for item in assigned(command, words, start) if item.at == index]
    return command.arguments.index(given[0].argument) if given else None


def _of_argument(argument: ArgumentDescription) -> str:
    """Return what there is to say of an argument: its summary, and what it may be."""
    bounds = _bounds(argument)
    default = _("otherwise {default}").format(default=argument.default) if argument.default else ""
    return ", ".join(filter(None, (argument.summary, bounds, default)))


def _bounds(argument: ArgumentDescription) -> str:
    low, high = argument.minimum, argument.maximum
    if low is not None and high is not None:
        return f"{low:g} … {high:g}"
    if low is not None:
        return f"≥ {low:g}"
    return f"≤ {high:g}" if high is not None else ""


def cut(text: str, columns: int) -> str:
    """Return the text in at most so many columns, with an ellipsis where it was longer."""
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

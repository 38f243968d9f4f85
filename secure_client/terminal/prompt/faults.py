"""Faults of the line that is typed, marked where they stand."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from secure_client.catalogue import Catalogue
from secure_client.typed.checking import faults


class MarkFaults(Processor):
    """Underlines what is surely wrong.

    Args:
        catalogue: gives the commands as they are known now.
        stands_for: what the first word of a line means that is none of the server's; None where it means nothing else.
    """

    def __init__(self, catalogue: Callable[[], Catalogue], stands_for: Callable[[str], str | None]) -> None:
        self._catalogue = catalogue
        self._stands_for = stands_for

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Mark, and change no character (prompt-toolkit's interface)."""
        text = fragment_list_to_text(transformation_input.fragments)
        document = transformation_input.document
        here = document.cursor_position_row == transformation_input.lineno
        cursor = document.cursor_position_col if here else -1
        ours = self._stands_for(text) is not None
        found = [] if ours else list(faults(self._catalogue(), text, cursor))
        if not found:
            return Transformation(transformation_input.fragments)
        shown: StyleAndTextTuples = []
        behind = 0
        for fault in found:
            style = "class:unfinished" if fault.unfinished else "class:fault"
            shown += [("", text[behind : fault.start]), (style, text[fault.start : fault.end])]
            behind = fault.end
        shown.append(("", text[behind:]))
        return Transformation(shown)

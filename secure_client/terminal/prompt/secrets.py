"""Secrets on the screen: stars in their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from secure_client.catalogue import Catalogue
from secure_client.terminal.prompt.history import is_secret
from secure_client.typed.line import holds_secret, secret_spans

_TOKEN = re.compile(r"scs_\S+")
_WORD = re.compile(r"\S+")
WORDS_BEFORE = 4
"""Words of one of the terminal's own commands behind which another command may begin, or among which it may."""


def masked(catalogue: Catalogue, line: str) -> str:
    """Return a line with stars in the place of secrets, as wide as before."""
    hidden = _TOKEN.sub(lambda found: f"scs_{'*' * (len(found[0]) - 4)}", line)
    for begin in commands_in(line):
        for start, end in secret_spans(catalogue, line[begin:]):
            hidden = f"{hidden[: begin + start]}{'*' * (end - start)}{hidden[begin + end :]}"
    return hidden


def may_hold_secret(catalogue: Catalogue, line: str) -> bool:
    """Say whether a line may hold a secret, so that it is kept nowhere."""
    return is_secret(line) or any(holds_secret(catalogue, line[begin:]) for begin in commands_in(line))


def commands_in(line: str) -> list[int]:
    r"""Return where in a line a command may begin: in one of the terminal's own behind its first words.

    As in `\watch 2 COMMAND` and `\alias NAME = COMMAND`; and in `run COMMAND`.
    """
    if [word.lower() for word in line.split(maxsplit=1)[:1]] == ["run"]:
        return [0, *(found.start() for found in islice(_WORD.finditer(line), 1, 2))]
    if not line.lstrip().startswith("\\"):
        return [0]
    return [found.start() for found in islice(_WORD.finditer(line), 1, 1 + WORDS_BEFORE)]


class HideSecrets(Processor):
    """Shows stars instead of a token, and of an argument that is a secret, while it is typed or pasted.

    Args:
        catalogue: gives the commands as they are known now.
    """

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Mask; as wide as before, so that the cursor stays right (prompt-toolkit's interface)."""
        text = fragment_list_to_text(transformation_input.fragments)
        hidden = masked(self._catalogue(), text)
        return Transformation(transformation_input.fragments if hidden == text else [("", hidden)])

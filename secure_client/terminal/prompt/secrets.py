"""Secrets on the screen: stars in their place."""

from __future__ import annotations

import re
from collections.abc import Callable

from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from secure_client.catalogue import Catalogue
from secure_client.typed.line import secret_spans

_TOKEN = re.compile(r"scs_\S+")


def masked(catalogue: Catalogue, line: str) -> str:
    """Return a line with stars in the place of secrets, as wide as before."""
    hidden = _TOKEN.sub(lambda found: f"scs_{'*' * (len(found[0]) - 4)}", line)
    for start, end in secret_spans(catalogue, line):
        hidden = f"{hidden[:start]}{'*' * (end - start)}{hidden[end:]}"
    return hidden


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

"""Placeholders: `{name}` in a text stands for an argument's value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from secure_protocol.printable import printable

WORD_CHARACTERS = 100
"""How much of a value stands in a name that is made of it."""

PLACEHOLDER = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}|\{([a-z][a-z0-9_]*)\}")
"""`{name}` is replaced, `{{name}}` means `{name}` itself; other braces mean nothing."""


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders in a text, in order."""
    return tuple(match[2] for match in PLACEHOLDER.finditer(text) if match[2])


def filled(text: str, values: Mapping[str, str]) -> str | None:
    """Return a text with values, in which braces mean nothing, in place of placeholders; None where one is missing."""
    if any(name not in values for name in names_in(text)):
        return None
    return PLACEHOLDER.sub(lambda match: values[match[2]] if match[2] else f"{{{match[1]}}}", text)


def part_of_name(value: bytes) -> str:
    """Return a value as a part of a name that people read; another value is another part.

    What is too long, or cannot be shown as it is, has a digest of the whole beside what can be shown.
    """
    part = printable(value, WORD_CHARACTERS)
    return part if part.encode() == value else f"{part}~{sha256(value).hexdigest()[:16]}"

"""Sentences that remember their template, so that they can be said again in another language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self


class Sentence(str):
    """An English sentence, or a clause of one, as text: for logs, and for whoever asks no further.

    Raised as an error's one argument and translated where it is shown, so that logs stay English.

    Args:
        template: the English sentence, with `{name}` where a value goes.
        values: what fills the template; one that is a sentence, or an error that says one, is translated as well.
    """

    __slots__ = ("template", "values")

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Fill the template in."""
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template = template
        made.values = values
        return made

    def into(self, translate: Callable[[str], str]) -> str:
        """Return it in the language of `translate`; a translation that cannot be filled in falls back to English."""
        text = translate(self.template)
        if not self.values:
            return text
        try:
            return text.format(**{name: _value(value, translate) for name, value in self.values.items()})
        except (LookupError, ValueError):  # the translation names other values: it must not hide the sentence
            return str(self)


def said(what: object, translate: Callable[[str], str]) -> str:
    """Return a sentence, or what an error says, in the language of `translate`; anything else as it is."""
    return str(_value(what, translate))


def _value(value: object, translate: Callable[[str], str]) -> object:
    if isinstance(value, Exception) and value.args and isinstance(value.args[0], Sentence):
        value = value.args[0]
    return value.into(translate) if isinstance(value, Sentence) else value

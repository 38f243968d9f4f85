"""Sentences that are English as text, and can be said again in another language."""

from __future__ import annotations

import pytest

from secure_protocol.sentence import Sentence, said

PORTUGUESE = {
    "The door is {state}.": "A porta está {state}.",
    "open": "aberta",
    "{what} It creaks.": "{what} Ela range.",
    "Broken {x}.": "Quebrado {y}.",
    "Braces {}.": "Chaves {}.",
}


def translate(english: str) -> str:
    """Portuguese, where there is some."""
    return PORTUGUESE.get(english, english)


def test_it_is_english_text() -> None:
    """Logs and comparisons see the sentence with its values."""
    sentence = Sentence("The door is {state}.", state="open")
    assert sentence == "The door is open."
    assert f"{sentence} {sentence!r}" == "The door is open. 'The door is open.'"


def test_it_is_said_in_another_language_with_its_values() -> None:
    """A value that is text stays; one that is a sentence is translated too, at any depth."""
    assert Sentence("The door is {state}.", state="open").into(translate) == "A porta está open."
    inner = Sentence("The door is {state}.", state=Sentence("open"))
    assert Sentence("{what} It creaks.", what=inner).into(translate) == "A porta está aberta. Ela range."


def test_an_error_says_its_sentence() -> None:
    """Raised with a sentence it speaks the language, alone and as a value; any other error is what it was."""
    error = ValueError(Sentence("The door is {state}.", state=Sentence("open")))
    assert str(error) == "The door is open."
    assert said(error, translate) == "A porta está aberta."
    assert said(Sentence("{what} It creaks.", what=error), translate) == "A porta está aberta. Ela range."
    assert said(ValueError("open"), translate) == "open"
    assert said(OSError(2, "No such file"), translate) == "[Errno 2] No such file"
    assert said("open", translate) == "open"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [(Sentence("Broken {x}.", x=1), "Broken 1."), (Sentence("Braces {}."), "Chaves {}."), (Sentence("New."), "New.")],
)
def test_what_cannot_be_translated_is_still_said(sentence: Sentence, shown: str) -> None:
    """A translation with other values does not hide the sentence; without values braces are only characters."""
    assert sentence.into(translate) == shown

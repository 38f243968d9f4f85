"""What a peer sent, fit for a terminal or a log."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_protocol.printable import printable


@given(st.text() | st.binary(), st.integers(0, 50))
def test_nothing_unsafe_survives(text: str | bytes, limit: int) -> None:
    """Whatever came, the result holds no control, format, surrogate or line character, and can be written."""
    shown = printable(text, limit)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert shown.encode().decode() == shown
    assert printable(shown, len(shown)) == shown


@given(st.text(st.characters(whitelist_categories=["L", "N", "P", "S", "Zs"])))
def test_honest_text_is_left_alone(text: str) -> None:
    """Letters, digits, signs and blanks of any language stay, as text and as UTF-8."""
    assert printable(text, len(text)) == text
    assert printable(text.encode(), len(text)) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\x1b[2J", "a\\x0ab\\x1b[2J"),
        ("\u202egnp", "\\u202egnp"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("\x85\u2028", "\\x85\\u2028"),
        (b"\xff\xfeok", "\\xff\\xfeok"),
        (b"ol\xc3\xa1\r", "olá\\x0d"),
    ],
)
def test_what_is_escaped_can_be_read(text: str | bytes, shown: str) -> None:
    """Escapes name the character by its code, in the width it needs."""
    assert printable(text) == shown


def test_what_is_too_long_is_cut_and_marked() -> None:
    """The limit counts characters; an ellipsis says that something is missing, and nothing else is added."""
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 200 + "…"
    assert printable("é".encode() * 6, 5) == "é" * 5 + "…"
    assert printable("\U0001f600".encode() * 6, 5) == "\U0001f600" * 5 + "…"


def test_what_is_kept_is_kept_alone() -> None:
    """A tab may pass where asked for, and only it."""
    assert printable("a\tb\n", keep="\t") == "a\tb\\x0a"

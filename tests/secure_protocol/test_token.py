"""The credential: its form, its checksum, and that it hides its secret."""

from __future__ import annotations

import copy
import pickle
import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from secure_protocol.token import BASE62, CRC_LENGTH, ID_LENGTH, SECRET_LENGTH, Token, TokenFormatError, redact

base62 = st.sampled_from(BASE62)
tokens = st.builds(
    Token,
    st.text(base62, min_size=ID_LENGTH, max_size=ID_LENGTH),
    st.text(base62, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH),
)


def test_a_token_has_the_published_form() -> None:
    """Other programs and leak scanners rely on this form; the checksum of a known token never changes."""
    assert re.fullmatch(r"scs_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", Token.generate().reveal())
    assert Token("0" * 10, "0" * 43).reveal() == f"scs_{'0' * 10}_{'0' * 43}_1sHHV6"


def test_the_lengths_hold_what_they_must() -> None:
    """A secret holds 256 bits, a checksum 32, and an alphabet character is never the separator."""
    assert 62**SECRET_LENGTH >= 2**256
    assert 62**CRC_LENGTH >= 2**32
    assert set(BASE62) == set(string.ascii_letters + string.digits)
    assert len(BASE62) == 62


def test_generated_tokens_differ() -> None:
    """No id and no secret comes twice."""
    made = [Token.generate() for _ in range(1000)]
    assert len({token.id for token in made}) == len({token.secret for token in made}) == 1000


@given(tokens, st.sampled_from(["", " ", "\n", "\t\r\n", "\u00a0"]), st.sampled_from(["", " ", "\r\n"]))
def test_what_is_revealed_is_read_back(token: Token, before: str, after: str) -> None:
    """A token survives being pasted with white space around it."""
    assert Token.parse(before + token.reveal() + after) == token


@given(tokens, st.data())
def test_one_wrong_character_is_noticed(token: Token, data: st.DataObject) -> None:
    """A typo anywhere is told offline: CRC32 finds every error in one character."""
    text = token.reveal()
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from(BASE62 + "_-é\0"))
    assume(wrong != text[place])
    with pytest.raises(TokenFormatError):
        Token.parse(text[:place] + wrong + text[place + 1 :])


@given(tokens, st.data())
def test_a_cut_token_is_noticed(token: Token, data: st.DataObject) -> None:
    """A truncated paste is told offline."""
    text = token.reveal()
    with pytest.raises(TokenFormatError):
        Token.parse(text[: data.draw(st.integers(0, len(text) - 1))])


@given(st.one_of(st.text(), st.text(alphabet=BASE62 + "_").map(lambda tail: "scs_" + tail)))
def test_text_is_a_token_or_a_format_error(text: str) -> None:
    """No text makes the parser fail in another way, and what it accepts it writes the same way again."""
    try:
        token = Token.parse(text)
    except TokenFormatError:
        return
    assert token.reveal() == text.strip()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with scs_"),
        ("ghp_0000000000", "begins with scs_"),
        ("SCS_" + "0" * 10, "begins with scs_"),
        ("scs_0000000000", "copy it whole"),
        (f"scs_{'0' * 10}_{'0' * 43}_1sHHV6_", "copy it whole"),
        (f"scs_{'é' * 10}_{'0' * 43}_1sHHV6", "character"),
        (f"scs_{'0' * 10}_{'0' * 43}_1sHHV7", "checksum"),
    ],
)
def test_the_error_says_what_is_wrong(text: str, reason: str) -> None:
    """Each way to be no token has its own sentence."""
    with pytest.raises(TokenFormatError, match=reason):
        Token.parse(text)


@given(tokens, st.integers(0, 62))
def test_no_error_repeats_the_text(token: Token, place: int) -> None:
    """What is nearly a token is a secret too: the error and its causes do not hold it."""
    text = token.reveal()
    wrong = text[:place] + "~" + text[place + 1 :]
    with pytest.raises(TokenFormatError) as caught:
        Token.parse(wrong)
    assert token.secret[-20:] not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@given(tokens)
def test_every_way_to_print_it_is_masked(token: Token) -> None:
    """`str`, `repr` and formatting show the id alone."""
    assert str(token) == f"{token}" == f"scs_{token.id}_…"
    assert token.id in repr(token)
    for shown in (str(token), repr(token), f"{token!r}", repr([token]), f"{token!s:>80}"):
        assert token.secret not in shown


def test_a_token_is_a_value() -> None:
    """Equal by content, hashable, unchangeable, and whole after a copy or a pickle."""
    token = Token.generate()
    assert token == Token(token.id, token.secret)
    assert token != Token(token.id, Token.generate().secret)
    assert {token: 1}[copy.deepcopy(token)] == 1
    assert pickle.loads(pickle.dumps(token)) == token  # noqa: S301 - pickled in this line
    with pytest.raises(AttributeError):
        token.secret = "x"  # it cannot be assigned


@given(tokens, st.integers(4, 62), st.sampled_from(["", "~", "_", "é"]))
def test_redaction_leaves_nothing_of_a_secret(token: Token, place: int, inserted: str) -> None:
    """Whole, cut short or mistyped: at most the ten characters where the id stands are left, and the text around."""
    text = token.reveal()
    for written in (text, text[:place], text[:place] + inserted + text[place:], text[:place] + text[place + 1 :]):
        shown = redact(f"before {written} after")
        assert shown.startswith("before scs_")
        assert shown.endswith("_… after")
        assert len(shown) <= len("before scs_0123456789_… after")
        assert redact(shown) == shown


def test_redaction_leaves_the_rest_alone() -> None:
    """Fingerprints, ids and words are no tokens."""
    text = "SHA-256 0f1e2d, id 0123456789, disc_scan scs, begins with scs_."
    assert redact(text) == text

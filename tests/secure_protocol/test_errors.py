"""Failures: a stable code, and a sentence in the reader's language."""

from __future__ import annotations

import pytest

from secure_protocol.errors import CommandError, ErrorCode, Failure, ProtocolError


def test_a_failure_says_its_code_and_sentence() -> None:
    """Programs read the code, people the sentence, logs both."""
    failure = CommandError("No command {name}.", code=ErrorCode.NOPERM, name="X")
    assert failure.sentence() == "No command X."
    assert str(failure) == "NOPERM No command X."
    assert isinstance(failure, Failure)


def test_the_template_is_translated_before_it_is_filled() -> None:
    """One entry of a catalogue serves every value."""
    failure = CommandError("No command {name}.", name="X")
    assert failure.sentence({"No command {name}.": "Comando {name} não existe."}.__getitem__) == "Comando X não existe."


def test_values_are_never_read_as_templates() -> None:
    """What a peer sent may hold braces; without values a sentence may, too."""
    assert CommandError("Not {name}.", name="{0.__class__} {x").sentence() == "Not {0.__class__} {x."
    assert CommandError("Use { and }.").sentence() == "Use { and }."


@pytest.mark.parametrize("broken", ["Nada {nome}.", "Nada {}.", "Nada {", "Nada {name:d}."])
def test_a_broken_translation_falls_back_to_english(broken: str) -> None:
    """A slip in a catalogue never hides the failure it should tell of."""
    assert CommandError("No {name}.", name="X").sentence(lambda _: broken) == "No X."


def test_protocol_errors_are_fatal_unless_said() -> None:
    """Where the next request begins is usually unknown."""
    assert ProtocolError("x").fatal
    assert not ProtocolError("x", fatal=False).fatal
    assert ProtocolError("{n} bytes", n=3).sentence() == "3 bytes"
    assert ProtocolError("x").code is ErrorCode.ERR


@pytest.mark.parametrize("code", ErrorCode)
def test_codes_are_stable_upper_case_words(code: ErrorCode) -> None:
    """A code is one upper-case word that equals its name, so that clients may compare it."""
    assert str(code) == code.name
    assert code.isalpha()
    assert code.isupper()


def test_redis_own_codes_are_there() -> None:
    """Redis clients raise their own exceptions for these."""
    assert {"ERR", "NOAUTH", "WRONGPASS", "NOPERM", "NOPROTO"} <= {*ErrorCode}

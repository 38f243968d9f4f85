"""Patterns that a whole argument must match.

RE2 alone reads and runs them: its time grows with the argument's length, whatever the pattern, where Python's `re` may
take seconds for a line (nested repetition), and a peer chooses the argument. The package is an extra, `patterns`;
without it nothing but patterns is missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from secure_protocol.sentence import Sentence

Matches = Callable[[bytes], bool]
"""Whether an argument, the whole of it, is what the pattern says; bytes that are not UTF-8 match none."""


class PatternError(ValueError):
    """The pattern cannot be used; a sentence without its end says why, for the operator at the start."""


def matcher(pattern: str) -> Matches:
    """Return what tells whether an argument matches.

    Args:
        pattern: as https://github.com/google/re2/wiki/Syntax has it.

    Raises:
        PatternError: RE2 is not installed, or does not take the pattern.
    """
    re2 = _re2()
    if re2 is None:
        raise PatternError(
            Sentence("its pattern {pattern!r} needs the package google-re2: pip install google-re2", pattern=pattern)
        )
    options = re2.Options()
    options.never_capture = True  # which groups match what is nobody's question, and would cost
    options.log_errors = False  # told in the sentence instead
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise PatternError(
            Sentence(
                "its pattern {pattern!r} is none that RE2 takes, which has no look-around and no back-references: "
                "{error}; see https://github.com/google/re2/wiki/Syntax",
                pattern=pattern,
                error=_text(error),
            )
        ) from None
    return lambda argument: compiled.fullmatch(argument) is not None


def _re2() -> Any:  # noqa: ANN401 - a module that need not be installed and ships no types
    """Return the module; None where it is not there, or is another package's of that name, which falls back to `re`."""
    try:
        re2 = importlib.import_module("re2")
    except ImportError:
        return None
    return re2 if hasattr(getattr(re2, "Options", None), "never_capture") else None


def _text(error: Exception) -> str:
    """What RE2 says, which it says in bytes."""
    said = error.args[0] if error.args else b""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)

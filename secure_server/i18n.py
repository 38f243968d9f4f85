"""Sentences for people in their language: gettext catalogs, chosen per session, and by the program's environment.

Error codes, log lines and log keys stay English; only what a person reads is translated. `scripts/translations.py`
gathers the sentences from the code, those of `secure_protocol` included, and compiles what was translated.
"""

from __future__ import annotations

import functools
import gettext
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from secure_protocol.sentence import said

Translate = Callable[[str], str]

LANGUAGES = ("en", "pt_BR")
DOMAIN = "secure_server"
_LOCALE_DIR = Path(__file__).parent / "locale"


def N_(sentence: str) -> str:  # noqa: N802 - gettext's established name, which extraction looks for
    """Mark a sentence for translation where it stands as data; it is translated where it is shown."""
    return sentence


def _(text: str) -> str:
    """Return an English sentence in the language of the environment: for the program, which has no session."""
    return translator(language_of())(text)


def shown(what: object) -> str:
    """Return a `Sentence`, or what an error says, in the language of the environment; anything else as it is."""
    return said(what, translator(language_of()))


ELSEWHERE = (N_("a token begins with scs_"),)
"""What a person is told in sentences that are put together from parts, so that none stands whole in the code."""


def match_language(locale: str) -> str | None:
    """Return the language that serves a locale such as `pt_BR.UTF-8`, `pt-PT` or `en`; None where there is none."""
    wanted = locale.partition(".")[0].partition("@")[0].replace("-", "_").casefold()
    for language in LANGUAGES:
        if wanted == language.casefold():
            return language
    tongue = wanted.partition("_")[0]
    return next((language for language in LANGUAGES if language.partition("_")[0] == tongue), None)


def language_of(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language that the environment asks for, as gettext reads it; English where it asks for no other."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(variable):
            return match_language(environment[variable]) or "en"
    return "en"


@functools.cache
def translator(language: str) -> Translate:
    """Return what turns English sentences into `language`.

    Args:
        language: one of `LANGUAGES`.
    """
    if language == "en":
        return str
    gettext_ = gettext.translation(DOMAIN, _LOCALE_DIR, [language], fallback=True).gettext
    return lambda sentence: gettext_(sentence) if sentence else ""  # gettext answers "" with the catalog's header

"""What a person reads, in the language that the environment asks for: LC_ALL before LC_MESSAGES before LANG.

Codes, keys of JSON and what programs decide by stay English. Sentences of the server come in the session's language,
which `LANG` sets there. `scripts/translations.py` gathers the sentences of this package, and compiles what was
translated.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path

LANGUAGES = ("en", "pt_BR")
DOMAIN = "secure_client"
_LOCALE_DIR = Path(__file__).parent / "locale"


def N_(sentence: str) -> str:  # noqa: N802 - gettext's established name, which extraction looks for
    """Mark a sentence for translation where it stands as data; it is translated where it is shown."""
    return sentence


def _(sentence: str) -> str:
    """Return an English sentence in the language of the environment."""
    return translator(chosen())(sentence)


def chosen(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language to speak: that of the locale, another of the same tongue, else English.

    The first of the variables that is set decides (POSIX.1-2017, section 8.2).
    """
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    wanted = locale.partition(".")[0].partition("@")[0].replace("-", "_").casefold()
    tongue = wanted.partition("_")[0]
    found = [language for language in LANGUAGES if language.casefold().partition("_")[0] == tongue]
    return found[0] if found else "en"


@functools.cache
def translator(language: str) -> Callable[[str], str]:
    """Return what turns English sentences into `language`, one of `LANGUAGES`."""
    if language == "en":
        return str
    import gettext  # noqa: PLC0415 - English needs none

    gettext_ = gettext.translation(DOMAIN, _LOCALE_DIR, [language], fallback=True).gettext
    return lambda sentence: gettext_(sentence) if sentence else ""  # gettext answers "" with the catalog's header


def translate_click() -> None:
    """Have click's own words in the same language; for programs, as it changes gettext's settings of the process."""
    import gettext  # noqa: PLC0415 - as above

    gettext.bindtextdomain(DOMAIN, _LOCALE_DIR)
    gettext.textdomain(DOMAIN)
    os.environ["LANGUAGE"] = chosen()  # gettext would not take our Portuguese for Portugal's


OF_CLICK = (
    N_("Usage:"),
    N_("Options"),
    N_("Commands"),
    N_("Error: {message}"),
    N_("Show this message and exit."),
    N_("Try '{command} {option}' for help."),
    N_("Missing argument"),
    N_("Missing command."),
    N_("No such command {name!r}."),
    N_("No such option: {name}"),
    N_("No such option {name!r}."),
    N_("Option {name!r} does not take a value."),
    N_("Option {name!r} requires an argument."),
    N_("default: {default}"),
    N_("Missing option"),
    N_("Missing parameter"),
    N_("Invalid value: {message}"),
    N_("Invalid value for {param_hint}: {message}"),
    N_("{value} is not in the range {range}."),
)
"""Sentences of click's own code, which looks them up by gettext and comes without catalogs."""
OF_PROTOCOL = (N_("a token begins with scs_"),)
"""A sentence that `secure_protocol.token` puts together from parts."""

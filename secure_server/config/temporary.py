"""Settings that an administrator sets in the running server, until its restart: which, and what one may be.

They are bounds and deadlines, for what is wrong at the moment (a flood, a slow link, a full disk); whatever says who
may do what, or how the server is made up, is said in the file, where it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import msgspec

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.config.file import Setting, settings, with_values
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.config.taken import Taken

TABLES = ("limits", "timeouts", "penalties", "log")
"""Of which settings can be set."""


@cache
def settable() -> Mapping[str, Setting]:
    """Return those that can be set, by their keys."""
    return {
        setting.key: setting
        for setting in settings()
        if setting.key.partition(".")[0] in TABLES and setting.taken is not Taken.RESTART
    }


def read(key: str, text: str) -> object:
    """Return a value as the file would have it; whether it is allowed is for `with_set` to find.

    Args:
        key: such as `limits.max_clients`.
        text: as people write it: `100`, `10s`, `64KB`, `10.0.0.0/8,::1`, or as TOML.

    Raises:
        ConfigError: there is no such setting, or it cannot be set while the server runs.
    """
    setting = settable().get(key)
    if setting is None:
        raise ConfigError(_refusal(key))
    if setting.kind is int and re.fullmatch(r"[+-]?\d{1,20}", text):
        return int(text)
    if setting.kind is not tuple:
        return text
    try:
        listed = msgspec.json.decode(text, type=list[str])
    except msgspec.DecodeError:
        listed = [word.strip() for word in text.split(",")]
    return [word for word in listed if word]


def _refusal(key: str) -> Sentence:
    known = {setting.key: setting for setting in settings()}
    shown = printable(key, 60)
    if key not in known:
        return Sentence("There is no setting {key}; CONFIG SHOW lists them.", key=shown)
    if known[key].taken is Taken.RESTART:
        return Sentence("{key} takes a restart: say it in the file, and start the server anew.", key=shown)
    return Sentence(
        "{key} is not set until a restart, as it would not be found again: say it in the file, and send CONFIG RELOAD.",
        key=shown,
    )


def with_set(config: Config, values: Mapping[str, object]) -> Config:
    """Return a configuration with what is set in the place of what it says, checked as a file is.

    Args:
        config: as the file has it.
        values: by their keys, as `read` returned them.

    Raises:
        ConfigError: they, or they and the file, cannot be used together.
    """
    return with_values(config, values) if values else config

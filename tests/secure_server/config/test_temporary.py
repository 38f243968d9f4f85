"""What can be set until the restart, and what one may set it to."""

from __future__ import annotations

import re

import pytest

from secure_server.config.file import load, settings
from secure_server.config.quantities import Duration, Size
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.config.taken import Taken
from secure_server.config.temporary import TABLES, read, settable, with_set


def test_bounds_and_deadlines_can_be_set_and_what_takes_a_restart_cannot() -> None:
    """All of those tables, and nothing of others."""
    assert {key.partition(".")[0] for key in settable()} == set(TABLES)
    assert all(item.taken is not Taken.RESTART for item in settable().values())
    assert [item.key for item in settings() if item.key.partition(".")[0] in TABLES] == list(settable())


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("limits.max_clients", "7", 7),
        ("timeouts.idle", "5m", Duration(300)),
        ("timeouts.idle", "0", Duration(0)),
        ("log.max_size", "64KB", Size(65536)),
        ("penalties.exempt", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        ("penalties.exempt", '["10.0.0.0/8"]', ("10.0.0.0/8",)),
        ("penalties.exempt", "", ()),
    ],
)
def test_a_value_is_read_as_the_file_has_it(key: str, text: str, value: object) -> None:
    """Numbers, quantities and lists; all else stays as it is."""
    before = load(None, {"limits": {"commands_burst": 3}})
    table, _, name = key.partition(".")
    after = with_set(before, {key: read(key, text)})
    assert getattr(getattr(after, table), name) == value
    assert after.limits.commands_burst == 3
    assert with_set(after, {key: read(key, text)}) == after


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("limits.max_clients", "0", "limits.max_clients: expected a whole number from 1 to 10000000, found 0."),
        ("limits.max_clients", "many", 'limits.max_clients: expected a whole number from 1 to 10000000, found "many".'),
        ("timeouts.idle", "soon", 'timeouts.idle: expected a duration such as "10s" or "5m", from 0s to 7d'),
        ("timeouts.linger", "8d", "timeouts.linger: expected a duration"),
        ("penalties.exempt", "here", 'penalties.exempt: "here" is no network'),
        ("limits.pending_total", "4KB", "limits.pending_bytes (1MB) is more than limits.pending_total (4KB)"),
    ],
)
def test_what_the_file_could_not_say_cannot_be_set(key: str, text: str, why: str) -> None:
    """By the same types, the same bounds and the same contradictions, in the same words."""
    with pytest.raises(ConfigError, match=re.escape(why)):
        with_set(Config(), {key: read(key, text)})


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("limits.colour", "There is no setting limits.colour; CONFIG SHOW lists them."),
        ("threads.workers", "threads.workers takes a restart: say it in the file, and start the server anew."),
        ("authentication.mechanisms", "say it in the file, and send CONFIG RELOAD."),
    ],
)
def test_why_others_cannot_be_set_is_told(key: str, why: str) -> None:
    """And what to do instead."""
    with pytest.raises(ConfigError, match=re.escape(why)):
        read(key, "1")

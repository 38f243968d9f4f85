"""What differs between what runs and what the file says, and what of it takes a restart."""

from __future__ import annotations

import pytest

from secure_server.config.changes import Change, Reloaded, differences, with_what_takes_a_restart
from secure_server.config.file import load, settings
from secure_server.config.settings import Config
from secure_server.config.taken import Taken

DISK = {"run": ["df", "{a}", "{b}"], "arguments": {"a": {}, "b": {}}}


def config(**tables: object) -> Config:
    """What a file with these tables says."""
    return load(None, tables)


def commands(**declared: object) -> Config:
    """What a file with these commands says."""
    return config(commands=declared)


def test_nothing_differs_from_itself() -> None:
    """Defaults said are no change either."""
    assert differences(Config(), config(listen={"port": 5000}, timeouts={"idle": 1800})) == []
    assert differences(commands(DISK=DISK), commands(DISK=DISK)) == []


def test_settings_are_told_as_the_file_has_them() -> None:
    """Key, both values, and whether it takes a restart."""
    found = differences(Config(), config(listen={"port": 7}, timeouts={"idle": "2h"}, penalties={"exempt": ["::1"]}))
    assert found == [
        Change(("listen", "port"), "5000", "7", restart=True),
        Change(("timeouts", "idle"), '"30m"', '"2h"', restart=False),
        Change(("penalties", "exempt"), "[]", '["::1"]', restart=False),
    ]
    assert Reloaded.of(found) == Reloaded(("timeouts.idle", "penalties.exempt"), ("listen.port",))


def test_commands_are_told_key_by_key() -> None:
    """Added, changed and removed ones; each is one subject of the reload."""
    before = commands(OLD={"run": ["ls"]}, DISK=DISK)
    after = commands(DISK={**DISK, "run": ["du", "{a}", "{b}"], "timeout": 1}, NEW={"run": ["true"]})
    found = differences(before, after)
    assert found == [
        Change(("commands", "DISK", "run"), '["df", "{a}", "{b}"]', '["du", "{a}", "{b}"]', restart=False),
        Change(("commands", "DISK", "timeout"), None, "1", restart=False),
        Change(("commands", "NEW", "run"), None, '["true"]', restart=False),
        Change(("commands", "OLD", "run"), '["ls"]', None, restart=False),
    ]
    assert Reloaded.of(found) == Reloaded(("commands.DISK", "commands.NEW", "commands.OLD"), ())


def test_the_order_of_arguments_counts() -> None:
    """By it peers give them."""
    other = {**DISK, "arguments": {"b": {}, "a": {}}}
    assert differences(commands(DISK=DISK), commands(DISK=other)) == [
        Change(("commands", "DISK", "arguments"), '["a", "b"]', '["b", "a"]', restart=False)
    ]


def test_what_is_equal_to_python_and_not_to_a_reader_differs() -> None:
    """`1` is no `true`."""
    before, after = commands(DISK={"idempotent": True}), commands(DISK={"idempotent": 1})
    assert [change.file for change in differences(before, after)] == ["1"]


def test_a_changed_secret_is_a_change_and_stays_hidden() -> None:
    """It differs by what it is, and is shown masked."""
    before, after = commands(DISK={"environment": {"KEY": "a"}}), commands(DISK={"environment": {"KEY": "b"}})
    key = ("commands", "DISK", "environment", "KEY")
    assert differences(before, after) == [Change(key, '"***"', '"***"', restart=False)]


def test_certificates_are_subjects_of_their_own() -> None:
    """With a name in quotes where it takes them."""
    tls = {"client_certificates": "optional"}
    before = config(tls=tls, certificates={"a.b": {"role": "user"}})
    after = config(tls=tls, certificates={"a.b": {"role": "admin"}, "c": {"role": "user", "allow": ["X"]}})
    assert Reloaded.of(differences(before, after)).changed == ('certificates."a.b"', "certificates.c")


OTHER: dict[str, object] = {
    "language": "pt_BR", "certs_dir": "elsewhere", "data_dir": "elsewhere",
    "listen": {"addresses": ["127.0.0.1:7"], "backlog": 7},
    "limits": {"max_clients": 7}, "threads": {"workers": 7}, "commands": {"modules": ["ops"], "DISK": DISK},
}  # fmt: skip


def test_what_takes_a_restart_stays_as_it_runs() -> None:
    """And all else is the file's; so the next look finds the same differences, and none more."""
    kept = with_what_takes_a_restart(Config(), config(**OTHER))
    assert (kept.certs_dir, kept.data_dir, kept.listen) == ("certs", "data", Config().listen)
    assert (kept.threads, kept.commands.modules) == (Config().threads, ())
    assert (kept.language, kept.limits.max_clients, list(kept.commands.declared)) == ("pt_BR", 7, ["DISK"])
    left = differences(kept, config(**OTHER))
    assert [change for change in differences(Config(), config(**OTHER)) if change.restart] == left


@pytest.mark.parametrize("setting", list(settings()), ids=lambda setting: setting.key)
def test_each_setting_says_from_when_on_a_change_holds(setting: object) -> None:
    """There is no third way but these four; what a setting says is what `differences` goes by."""
    taken = getattr(setting, "taken", None)
    assert isinstance(taken, Taken)

"""CONFIG SHOW, SET and UNSET: what holds, and what holds until the restart."""

from __future__ import annotations

from secure_server.auth.principal import Role
from secure_server.config.file import load
from secure_server.config.quantities import Duration
from secure_server.config.settings import Config
from secure_server.reloading import told
from secure_server.session.session import Session
from tests.secure_server.host import Host

MOST = "limits.max_clients"


def rows(host: Host, session: Session, command: str) -> dict[str, list[str]]:
    """A table's rows, by their first column."""
    lines = host.ask(session, command).splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines[1:-1]}


def test_all_that_holds_is_shown_with_where_it_comes_from(host: Host) -> None:
    """Defaults, the file, the command line and what was set; what programs find is masked."""
    me = host.local()
    disk = {"run": ["df"], "environment": {"K": "hunter2"}}
    host.file = load(None, {"timeouts": {"idle": "5m"}, "commands": {"DISK": disk}})
    host.ask(me, "CONFIG RELOAD")
    host.ask(me, f"CONFIG SET {MOST} 7")
    found = rows(host, me, "CONFIG SHOW")
    assert found["timeouts.idle"] == ['"5m"', "file", '"30m"']
    assert found["timeouts.write"] == ['"10s"', "default", '"10s"']
    assert found[MOST] == ["7", "set", "10000"]
    assert found["commands.DISK.environment.K"] == ['"***"', "file", "-"]
    assert "hunter2" not in host.ask(me, "CONFIG SHOW")


def test_prefixes_choose(host: Host) -> None:
    """In any case; where none fits, how many there are is told."""
    me = host.local()
    assert {key.partition(".")[0] for key in rows(host, me, "CONFIG SHOW LIMITS.max penalties")} == {
        "limits",
        "penalties",
    }
    answer = host.ask(me, "CONFIG SHOW colour")
    assert answer.startswith("None of the ")
    assert answer.endswith(" settings begin with colour.\n.\n")


def test_what_is_set_holds_over_a_reload_until_it_is_taken_back(host: Host) -> None:
    """Told in each answer, shown by DIFF, and on record with the key."""
    took: list[Config] = []
    host.parts.append(told(took.append))
    me = host.local()
    assert host.ask(me, f"CONFIG SET {MOST} 7") == (
        f"{MOST} is 7 until the restart or CONFIG UNSET; it was 10000. This holds at once.\n"
    )
    assert (took[-1].limits.max_clients, host.reloading.running.limits.max_clients) == (7, 7)
    assert host.reloads[-1] == ("local:root", "set CONFIG SET", {"changed": MOST})
    assert rows(host, me, "CONFIG DIFF") == {MOST: ["7", "10000", "no"]}
    host.file = load(None, {"limits": {"max_clients": 9, "commands_burst": 5}})
    stays = f"Stays as it was set, whatever the file says: {MOST}."
    assert host.ask(me, "CONFIG CHECK") == f"A reload would take up: limits.commands_burst. {stays}\n"
    assert host.ask(me, "CONFIG RELOAD") == f"Taken up: limits.commands_burst. {stays}\n"
    assert (took[-1].limits.max_clients, took[-1].limits.commands_burst) == (7, 5)
    assert host.ask(me, "CONFIG RELOAD") == f"Nothing to take up. {stays}\n"
    assert host.ask(me, f"CONFIG UNSET {MOST}") == f"{MOST} is 9 again; it was 7. This holds at once.\n"
    assert host.reloads[-1] == ("local:root", "unset CONFIG UNSET", {"changed": MOST})
    assert took[-1].limits.max_clients == 9
    assert host.ask(me, "CONFIG RELOAD") == "Nothing to take up.\n"
    assert host.ask(me, f"CONFIG UNSET {MOST}").startswith(
        f"ERROR: The configuration is kept as it is: {MOST} is not set; CONFIG SHOW says what is."
    )


def test_a_file_that_changed_meanwhile_is_not_taken_up_by_a_set(host: Host) -> None:
    """Nor need it be usable: what it said last is what counts."""
    me = host.local()
    host.file = load(None, {"limits": {"commands_burst": 5}})
    host.ask(me, f"CONFIG SET {MOST} 7")
    host.ask(me, "CONFIG SET timeouts.idle 5m")
    host.ask(me, f"CONFIG UNSET {MOST}")
    limits = host.reloading.running.limits
    assert (limits.max_clients, limits.commands_burst, host.reloading.running.timeouts.idle) == (
        10_000,
        100,
        Duration(300),
    )


def test_what_the_file_says_already_can_be_set_all_the_same(host: Host) -> None:
    """It stays so when the file changes."""
    me = host.local()
    answer = host.ask(me, f"CONFIG SET {MOST} 10000")
    assert answer == f"{MOST} is so already, and stays so until the restart.\n"
    host.file = load(None, {"limits": {"max_clients": 9}})
    host.ask(me, "CONFIG RELOAD")
    assert host.reloading.running.limits.max_clients == 10_000
    host.file = load(None)
    assert host.ask(me, f"CONFIG UNSET {MOST}") == f"{MOST} is 9 again; it was 10000. This holds at once.\n"


def test_a_refusal_changes_nothing_and_is_on_record(host: Host) -> None:
    """Whether the value is wrong, a part of the server cannot take it, or the setting is none of those."""
    me = host.local()
    kept = "ERROR: The configuration is kept as it is: "
    assert host.ask(me, f"CONFIG SET {MOST} no").startswith(f"{kept}{MOST}: expected a whole number from 1 to ")
    assert host.ask(me, "CONFIG SET threads.workers 9") == (
        f"{kept}threads.workers takes a restart: say it in the file, and start the server anew.\n"
    )
    assert host.ask(me, "CONFIG SET limits.colour 9").startswith(f"{kept}There is no setting limits.colour;")
    assert [outcome for _, outcome, _ in host.reloads] == ["kept CONFIG SET"] * 3
    assert host.reloading.running == host.config
    assert set(rows(host, me, f"CONFIG SHOW {MOST}")[MOST]) >= {"default"}


def test_a_reload_that_contradicts_what_is_set_is_refused(host: Host) -> None:
    """All or nothing, also of what stands over the file."""
    me = host.local()
    host.ask(me, "CONFIG SET limits.pending_bytes 2MB")
    host.file = load(None, {"limits": {"pending_total": "1MB"}})
    assert "limits.pending_bytes (2MB) is more than limits.pending_total (1MB)" in host.ask(me, "CONFIG RELOAD")
    assert host.reloading.running.limits.pending_bytes == 2 * 1024**2
    assert host.ask(me, "CONFIG UNSET limits.pending_bytes").startswith('limits.pending_bytes is "1MB" again; ')
    assert host.ask(me, "CONFIG RELOAD") == "Taken up: limits.pending_total.\n"


def test_keys_and_present_values_are_completed(host: Host) -> None:
    """What can be set, what it is now, and what can be taken back."""
    me = host.local()
    host.ask(me, "CONFIG SET timeouts.idle 5m")
    assert host.ask(me, "COMPLETE CONFIG SET limits.max_c") == f"{MOST}\n.\n"
    assert host.ask(me, f'COMPLETE CONFIG SET {MOST} ""') == "10000\n.\n"
    assert host.ask(me, 'COMPLETE CONFIG SET timeouts.idle ""') == "5m\n.\n"
    assert host.ask(me, 'COMPLETE CONFIG UNSET ""') == "timeouts.idle\n.\n"
    assert host.ask(me, "COMPLETE CONFIG SHOW thr").splitlines()[0] == "threads"


def test_nobody_else_may(host: Host) -> None:
    """Operators neither; and what changes something is on disk before the answer."""
    operator = host.user(role=Role.OPERATOR)
    for name, arguments in (("CONFIG SHOW", ""), ("CONFIG SET", "a b"), ("CONFIG UNSET", "a")):
        command = host.registry.named(name)
        assert command is not None
        assert command.durable == (name != "CONFIG SHOW")
        assert "needs the role admin" in host.ask(operator, f"{name} {arguments}")

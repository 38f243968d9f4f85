"""SERVER DRAIN and SERVER SHUTDOWN, as an administrator sees them."""

from __future__ import annotations

from pathlib import Path

from secure_server.auth.principal import Role
from tests.secure_server.host import Host, taken

TAKE_BACK = "Take it back with SERVER DRAIN --cancel.\n"


def turn_all(host: Host) -> None:
    """Do what was handed over to the sessions' threads."""
    while not host.handed_over.empty():
        host.turn()


def test_a_drain_is_begun_told_changed_and_taken_back(host: Host) -> None:
    """Who asks stays; alone the command tells how far it is."""
    user, me = host.user(), host.user("root", Role.ADMIN)
    answer = host.ask(me, "SERVER DRAIN")
    assert answer == f"Draining: clients that have to leave: 1, at the latest in 30s. {TAKE_BACK}"
    turn_all(host)
    assert user.closing
    assert b"retry-after=10 " in taken(user)
    host.wait(10)
    left = "clients that have to leave: 0, at the latest in"
    assert host.ask(me, "SERVER DRAIN") == f"Draining: {left} 20s. {TAKE_BACK}"
    assert host.ask(me, "SERVER DRAIN --within 5m") == f"Draining: {left} 5m. {TAKE_BACK}"
    assert "\ndraining:1\n" in host.ask(me, "INFO server")
    assert host.ask(me, "SERVER DRAIN --cancel") == "The drain is over: everybody may come in again.\n"
    assert "\ndraining:0\n" in host.ask(me, "INFO server")
    assert host.ask(me, "SERVER DRAIN --cancel") == "ERROR: There is no drain to take back.\n"


def test_before_a_drain_it_is_told_whom_it_would_meet(host: Host) -> None:
    """And there is nothing to be asked about where it is taken back, or already on."""
    host.user(), host.user("bob")
    stranger, me, root = host.session(), host.local(), host.program(3, "root", Role.ADMIN)
    heading, row, end = host.ask(me, "PREVIEW DRAIN --within 10s").splitlines()
    assert (heading.split(), row.split(), end) == (["leave", "busy", "stay", "jobs"], ["2", "0", "3", "0"], ".")
    assert not host.draining.on
    assert host.call(root, "PREVIEW", "DRAIN", "--cancel") == b"_\r\n"
    host.ask(me, "SERVER DRAIN")
    turn_all(host)
    assert host.call(root, "PREVIEW", "DRAIN") == b"_\r\n"
    assert not stranger.closing, "it has a deadline of its own, and may be an administrator"


def test_what_contradicts_itself_is_refused(host: Host) -> None:
    """Nothing is begun then."""
    me = host.local()
    sentence = "--cancel goes with nothing else; write SERVER DRAIN --cancel"
    assert host.ask(me, "SERVER DRAIN --cancel --within 5s") == f"ERROR: {sentence}\n"
    assert host.ask(me, "SERVER DRAIN --within 8d").startswith("ERROR: ")
    assert host.ask(me, "SERVER DRAIN --retry-after soon").startswith("ERROR: ")
    assert not host.draining.on
    host.draining.end()
    assert host.ask(host.local(), "SERVER DRAIN") == "ERROR: The server is shutting down already.\n"


def test_jobs_that_go_on_are_told(host: Host, tmp_path: Path) -> None:
    """A drain ends sessions, and no job."""
    host.command("WORK", lambda context: context.cancelled.wait(30), job=True)
    host.keep_jobs()
    user, me = host.user(), host.local()
    host.send(user, b"WORK\n")
    turn_all(host)
    assert host.jobs is not None
    while not host.jobs.all:
        host.turn()
    assert "Jobs that go on: 1." in host.ask(me, "SERVER DRAIN --within 0s")
    turn_all(host)
    assert user.closing
    assert not host.jobs.all[0].state.ended
    assert tmp_path.exists()


def test_a_shutdown_is_answered_and_asked_of_who_runs_the_server(host: Host) -> None:
    """With the seconds for the drain, where they are said."""
    me = host.local()
    assert host.ask(me, "SERVER SHUTDOWN") == "The server shuts down: it drains, and then ends.\n"
    host.ask(me, "SERVER SHUTDOWN --within 5s")
    assert host.ended == [None, 5.0]


def test_only_administrators_may_and_clients_ask_first(host: Host) -> None:
    """Both are questions before they are commands, and are on record before the answer."""
    for name in ("SERVER DRAIN", "SERVER SHUTDOWN"):
        command = host.registry.named(name)
        assert command is not None
        assert command.confirm
        assert command.durable
        assert host.ask(host.user(name.split()[1], Role.OPERATOR), name).startswith("ERROR: NOPERM ")

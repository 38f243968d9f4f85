"""What of a session's life goes into the audit trail, and what into the log."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pytest

from secure_protocol.errors import CommandError
from secure_protocol.reasons import CloseReason
from secure_protocol.sentence import Sentence
from secure_server.admission.admission import Admission
from secure_server.audit import running
from secure_server.audit.offline import OFF
from secure_server.audit.record import Entry, Record, Withheld
from secure_server.audit.trail import AuditTrail
from secure_server.audit.who import Who
from secure_server.auth.principal import Role
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.commands.programs.program import declare
from secure_server.commands.registry import Registry
from secure_server.config.settings import Audit, Log
from secure_server.dispatch.dispatcher import Dispatcher
from secure_server.recording.activity_log import ActivityLog
from secure_server.recording.recording import BAD_CERTIFICATE, NO_CERTIFICATE, Recording
from secure_server.starting import open_trail
from tests.integration.running import eventually
from tests.secure_server.audit.conftest import Books
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host

SECRET = "what nobody may read"


@dataclass
class Recorded:
    """A host whose hooks are those of a server."""

    host: Host
    trail: AuditTrail
    books: Books
    recording: Recording

    def records(self, event: str = "command") -> list[Record]:
        """Write, and read."""
        self.trail.write()
        return [record for record in self.books.records() if record.event == event]

    def last(self, event: str = "command") -> Record:
        """The newest of that event."""
        return self.records(event)[-1]


@pytest.fixture
def recorded(make_host: MakeHost, tmp_path: Path) -> Iterator[Recorded]:
    """With the defaults."""
    host, books = make_host(), Books(tmp_path)
    activity = ActivityLog(tmp_path, Log())
    trail = AuditTrail(tmp_path, Audit(), clock=books.clock)
    recording = Recording(activity, trail, host.statistics)
    host.dispatcher = Dispatcher(host.registry, host.services, host.workers.submit, recording)
    admission = Admission(
        host.authenticator, host.sessions, host.penalties, host.banning, host.draining, recording.authentication
    )
    object.__setattr__(host.services, "admission", admission)
    yield Recorded(host, trail, books, recording)
    trail.stop()
    activity.stop()


def built_in() -> Iterator[Command]:
    """Every built-in command."""
    registry = Registry()
    registry.load(BUILT_IN)
    return iter(registry)


def greet(_context: Context, name: str, *, loud: bool = False) -> str:
    """Greet somebody."""
    return f"hello, {name}{'!' if loud else ''}"


def explode(_context: Context, what: str) -> str:
    """Fail."""
    raise RuntimeError(what)


def test_a_command_is_recorded_with_who_where_and_how(recorded: Recorded) -> None:
    """Its arguments as they came, and its outcome."""
    recorded.host.command("GREET", greet)
    session = recorded.host.user("ada")
    recorded.host.ask(session, 'greet --loud "two  words"')
    record = recorded.last()
    assert (record.command, record.outcome, record.arguments) == ("GREET", "ok", ("--loud", "two  words"))
    assert (record.who, record.address, record.session) == ("ada", session.peer.address, session.number)


@pytest.mark.parametrize("inline", [True, False])
def test_a_command_that_fails_is_recorded_with_its_code(recorded: Recorded, inline: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """On the loop and on a worker."""
    recorded.host.command("EXPLODE", explode, inline=inline)
    recorded.host.ask(recorded.host.user(), "EXPLODE x")
    assert (recorded.last().outcome, recorded.last().arguments) == ("internal-error", ("x",))


def hand_in(
    context: Context,
    name: str,
    body: Annotated[bytes, Argument(body=True)],
    password: Annotated[str, Argument(secret=True)],
) -> str:
    """Take a file."""
    return f"{context.command.name} {name} {len(body)} {len(password)}"


@pytest.mark.parametrize("inline", [True, False])
def test_a_secret_argument_is_not_recorded_and_data_are_by_their_hash(recorded: Recorded, inline: bool) -> None:  # noqa: FBT001 - as above
    """Whether it ran, was refused by its handler or at the gate."""
    host = recorded.host
    host.command("HAND-IN", hand_in, inline=inline)
    session = host.user()
    host.ask(session, f'HAND-IN x "a body" "{SECRET}"')
    record = recorded.last()
    assert (record.outcome, record.arguments) == ("ok", ("x", Withheld.of(b"a body"), None))
    host.ask(session, f'HAND-IN x "a body" {SECRET}')
    record = recorded.last()
    assert (record.outcome, record.arguments, record.arguments_secret) == ("ERR", (), True)
    for file in recorded.books.directory.iterdir():
        assert SECRET.split()[2].encode() not in file.read_bytes(), file


def test_a_command_that_was_left_is_recorded_again_when_it_ends(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator's, too, whose deeds wait for the disk: who answers without the handler waits for nothing."""
    begun, release, host = threading.Event(), threading.Event(), recorded.host
    durably, waited = recorded.trail.put_durably, list[str]()

    def put_durably(entry: Entry) -> None:
        waited.append(threading.current_thread().name)
        durably(entry)

    monkeypatch.setattr(recorded.trail, "put_durably", put_durably)

    def sweep(_context: Context, _what: str) -> None:
        begun.set()
        assert release.wait(PATIENCE)

    host.command("SWEEP", sweep, role=Role.ADMIN, timeout=2.0)
    session = host.local()
    host.send(session, b"SWEEP all\n")
    assert begun.wait(PATIENCE)
    host.wait(2.0)
    first = recorded.last()
    assert (first.command, first.outcome, first.arguments, first.detail) == ("SWEEP", "TIMEOUT", ("all",), {"ms": 2000})
    release.set()
    eventually(lambda: len(recorded.records()) == 2)
    last = recorded.last()
    assert (last.command, last.outcome, last.arguments) == ("SWEEP", "late", ("all",))
    assert last.detail == {"handler": "ok", "ms": 2000}
    assert (last.who, last.session) == (first.who, first.session) == ("local:root", session.number)
    assert [name.partition("-")[0] for name in waited] == ["worker"]


@pytest.mark.parametrize("inline", [True, False])
def test_a_commands_record_has_how_long_it_took(recorded: Recorded, inline: bool) -> None:  # noqa: FBT001 - as above
    """In milliseconds, of the handler alone; one that was refused took no time."""
    host = recorded.host

    def take_long(_context: Context) -> str:
        host.clock.now += 1.25
        return "done"

    host.command("SLOW", take_long, inline=inline)
    session = host.user()
    host.ask(session, "SLOW")
    assert recorded.last().detail == {"ms": 1250}
    host.ask(session, "SLOW too many")
    assert recorded.last().detail == {}


@pytest.mark.skipif(os.name != "posix", reason="programs run on POSIX systems only")
@pytest.mark.parametrize(
    ("script", "outcome", "code"), [("exit 0", "ok", 0), ("exit 3", "ERR", 3), ("kill -TERM $$", "ERR", -15)]
)
def test_a_programs_record_has_its_exit_code(recorded: Recorded, script: str, outcome: str, code: int) -> None:
    """Negative for the signal that ended it."""
    recorded.host.registry.add(declare("RUN", {"run": ["sh", "-c", script]}, {"PATH": "/usr/bin:/bin"}))
    session = recorded.host.user()
    recorded.host.send(session, b"RUN\n")
    while session.busy:
        recorded.host.turn()
    record = recorded.last()
    assert (record.outcome, record.detail) == (outcome, {"ms": 0, "exit_code": code})


def test_a_command_that_takes_long_is_on_record_while_it_runs(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the server be killed meanwhile, the trail knows of it."""
    monkeypatch.setattr(running, "LONG_SECONDS", 0.0)
    seen: list[Record] = []

    def look(_context: Context) -> str:
        seen.extend(recorded.records())
        return "done"

    recorded.host.command("PEEK", look)
    recorded.host.ask(recorded.host.user("bia"), "PEEK")
    assert [(record.command, record.outcome, record.who) for record in seen] == [("PEEK", "running", "bia")]
    assert recorded.last().outcome == "ok"


def test_a_refused_command_is_recorded(recorded: Recorded) -> None:
    """Who may not, and what was wrong."""
    recorded.host.command("GREET", greet)
    session = recorded.host.user("ada")
    recorded.host.ask(session, "KICK 7")
    recorded.host.ask(session, "GREET x y")
    recorded.host.ask(session, "NONSENSE x y")
    recorded.host.ask(session, 'RESET "')
    found = [(record.command, record.outcome, record.arguments) for record in recorded.records()]
    assert found == [("KICK", "NOPERM", ("7",)), ("GREET", "ERR", ("x", "y")), ("?", "ERR", ()), ("?", "malformed", ())]


def test_of_a_secret_command_nothing_but_the_name_is_recorded(recorded: Recorded) -> None:
    """Run, refused for its arguments, or crashed."""
    recorded.host.command("HIDE", greet, secret=True)
    session = recorded.host.user()
    for line in (f"HIDE '{SECRET}'", f"HIDE '{SECRET}' --no", "HIDE"):
        recorded.host.ask(session, line)
    assert [record.arguments_secret for record in recorded.records()] == [True] * 3
    assert SECRET not in b"".join(recorded.books.lines()).decode()


def test_only_trivial_commands_are_not_recorded() -> None:
    """None that does anything to others, none of a higher role, none that an operator writes."""
    silent = {item.name for item in built_in() if not item.audit}
    assert {"PING", "ECHO", "TIME"} <= silent
    assert silent == {
        *("AUTH", "HELLO"),  # recorded as authentications
        "CA",  # what strangers may ask
        *("ECHO", "TIME", "PING", "EXIT", "QUIT", "LANG", "NOTIFY", "WHOAMI", "ACL WHOAMI"),
        *("JOBS", "DETACH", "JOB START", "JOB RERUN"),  # a list; and a job is on record itself
        *("CANCEL", "RESET", "ENROLL"),  # what they lead to is on record: a command's end, another login, a token
        *("HELP", "COMMANDS", "COMPLETE", "COMMAND", "INFO", "SELECT"),  # clients send these by themselves
        *("CLIENT ID", "CLIENT GETNAME", "CLIENT SETNAME", "CLIENT SETINFO", "CLIENT REPLY"),
        *("CLIENT NO-EVICT", "CLIENT NO-TOUCH", "CLIENT INFO"),
        "TOKEN REFRESH",  # our programs ask for it after a change, which is on record itself
        *("SERVER STATS", "SERVER TOP", "CLIENTS"),  # a screen asks them each second
        "SERVER METRICS",  # and Prometheus four times a minute
    }
    raised = {item.name for item in built_in() if not item.audit and item.role not in (Role.NOBODY, Role.USER)}
    assert raised == {"TOKEN REFRESH", "SERVER STATS", "SERVER TOP", "SERVER METRICS", "CLIENTS"}


def test_trivial_commands_are_not_recorded(recorded: Recorded) -> None:
    """Though the log has them."""
    session = recorded.host.user()
    for line in ("PING", "ECHO x", "TIME", "HELP"):
        recorded.host.ask(session, line)
    assert recorded.records() == []


def test_what_administrators_do_is_durable() -> None:
    """Every built-in of that role but those that only look."""
    durable = {item.name for item in built_in() if item.durable}
    assert durable >= {"KICK", "CLIENT KILL", "BROADCAST", "PENALTY CLEAR"}
    assert not durable & {"CLIENTS", "CLIENT LIST", "TOKENS", "AUDIT", "PENALTY LIST", "PENALTY EXPLAIN", "RESET"}


def test_what_an_administrator_does_is_on_disk_before_the_answer(recorded: Recorded) -> None:
    """Though nobody called `write`; what a user does is not waited for."""
    recorded.host.command("GREET", greet)
    recorded.host.ask(recorded.host.user(), "GREET x")
    assert recorded.books.directory.joinpath("audit.head").exists() is False
    assert recorded.host.ask(recorded.host.local(), "PENALTY CLEAR all") == "Cleared: 0.\n"
    assert [record.command for record in recorded.books.records()] == ["", "GREET", "PENALTY CLEAR"]
    assert recorded.books.directory.joinpath("audit.head").read_text(encoding="ascii").startswith("0" * 17 + "3:")


def test_an_inline_command_of_an_administrator_leaves_the_loop(host: Host) -> None:
    """It waits for the disk, which no loop may; one that only looks stays."""
    ran: dict[str, str] = {}

    def act(context: Context) -> None:
        ran[context.command.name] = threading.current_thread().name

    for item in (
        command("ACT", role="admin", inline=True),
        command("LOOK", role="admin", inline=True, idempotent=True),
    ):
        host.registry.add(vars(item(act))["__command__"][-1])
    session = host.local()
    host.ask(session, "ACT")
    host.ask(session, "LOOK")
    assert ran["ACT"].startswith("worker-")
    assert ran["LOOK"] == threading.current_thread().name


def test_authentications_are_recorded_both_ways(recorded: Recorded) -> None:
    """With mechanism, token id and reason; never the token."""
    token = recorded.host.token("ada")
    session = recorded.host.session()
    wrong = type(token)(token.id, "0" * 43)
    recorded.host.ask(session, f"AUTH {wrong.reveal()}")
    recorded.host.ask(session, "AUTH hunter2")
    recorded.host.ask(session, f"AUTH {token.reveal()}")
    refused, malformed, accepted = recorded.records("authentication")
    assert (refused.who, refused.outcome, refused.address) == ("", "refused", session.peer.address)
    assert refused.detail == {"mechanism": "bearer", "reason": "wrong-secret", "token": token.id}
    assert malformed.detail == {"mechanism": "bearer", "reason": "malformed"}
    assert (accepted.who, accepted.outcome) == ("ada", "accepted")
    assert accepted.detail == {"mechanism": "bearer", "token": token.id}
    written = b"".join(recorded.books.lines()).decode()
    assert token.secret not in written
    assert "hunter2" not in written


def test_logins_without_end_on_one_connection_are_counted(recorded: Recorded) -> None:
    """One token, thousands of times a second: the disk would be full within days. The first is on record as it is."""
    token = recorded.host.token("ada")
    session = recorded.host.session()
    for _ in range(200):
        recorded.host.ask(session, f"AUTH {token.reveal()}")
        recorded.host.ask(session, "RESET")
    recorded.trail.write()
    recorded.books.clock.now += 1
    first, *others = recorded.records("authentication")
    assert (first.who, first.detail) == ("ada", {"mechanism": "bearer", "token": token.id})
    assert others[0].detail == {"mechanism": "bearer", "reason": "again", "token": token.id}
    assert others[-1].detail == {"reason": f"again token={token.id}", "count": 179}
    assert (others[-1].outcome, len(others)) == ("accepted", 21)


def test_moves_without_end_are_counted(recorded: Recorded) -> None:
    """Who has a token can have another address each millisecond; the first ones are on record as they are."""
    session = recorded.host.user("ada")
    recorded.records()
    for port in range(200):
        session.peer = replace(session.peer, address=f"127.0.0.1:{port}")
        recorded.recording.moved(session.who(session.principal), "127.0.0.1:40000")
    recorded.trail.write()
    recorded.books.clock.now += 1
    first, *others = recorded.records("moved")
    assert (first.who, first.address, first.detail) == ("ada", "127.0.0.1:0", {"from": "127.0.0.1:40000"})
    assert others[-1].outcome == "ok"
    assert others[-1].detail == {"count": 200 - len(others)}


def test_strangers_moves_are_not_recorded(recorded: Recorded) -> None:
    """They are no deeds, and there may be any number of them; the log has them."""
    session = recorded.host.session()
    recorded.recording.moved(session.who(session.principal), "127.0.0.1:40000")
    assert recorded.records("moved") == []


def test_what_costs_a_user_nothing_is_not_recorded(recorded: Recorded) -> None:
    """Whatever its rate: these have none, or may be asked for without end."""
    session = recorded.host.user("ada")
    for line in ("CANCEL", "ENROLL", "RESET"):
        recorded.host.ask(session, line)
    assert recorded.records() == []


def test_whoever_comes_through_the_admin_socket_is_recorded(recorded: Recorded) -> None:
    """It authenticates, too; and who may not is turned away."""
    session = recorded.host.local()
    recorded.recording.local(session.who(session.principal))
    recorded.recording.stranger_at_the_admin_socket(1234)
    accepted, refused = recorded.records("authentication")
    assert session.principal is not None
    assert (accepted.who, accepted.detail) == (session.principal.name, {"mechanism": "unix"})
    assert (refused.outcome, refused.detail["uid"]) == ("refused", 1234)


def test_a_flood_of_strangers_is_counted(recorded: Recorded) -> None:
    """Commands before authentication as well."""
    session = recorded.host.session()
    for _ in range(50):
        recorded.host.ask(session, "CLIENT LIST")
    recorded.trail.write()
    recorded.books.clock.now += 1
    counts = [int(record.detail.get("count") or 1) for record in recorded.records()]
    assert sum(counts) == 50
    assert len(counts) <= 22


def test_a_token_changed_through_the_server_is_recorded(recorded: Recorded) -> None:
    """Durably: though nobody called `write`; with who did it, from where and in which session."""
    token, session = recorded.host.tokens, recorded.host.user("ada")
    token.create("bia")
    recorded.recording.tokens(
        session.who(session.principal), "purged", [record for record in token.list() if record.name == "bia"] * 3
    )
    found = [record for record in recorded.books.records() if record.event == "token"]
    assert [(record.outcome, record.detail["name"]) for record in found] == [("purged", "bia")] * 3
    by = ("ada", session.peer.address, session.number)
    assert {(record.who, record.address, record.session) for record in found} == {by}


def test_who_asked_is_recorded_though_the_session_forgets_it(recorded: Recorded) -> None:
    """As RESET makes a stranger of it."""

    def leave(context: Context) -> None:
        context.session.reset(0.0)

    recorded.host.command("LEAVE", leave, inline=True)
    session = recorded.host.user("ada")
    recorded.host.ask(session, "LEAVE")
    assert session.principal is None
    assert (recorded.last().command, recorded.last().who) == ("LEAVE", "ada")


def test_while_suspended_only_the_way_in_and_administrators_run(host: Host) -> None:
    """Nothing that would go unrecorded; the code is stable, and permission still comes first."""
    host.command("GREET", greet)
    user = host.user("ada")
    host.suspended = True
    said = (
        "ERROR: UNAVAILABLE The audit trail cannot be written, and nothing may run unrecorded; tell an administrator.\n"
    )
    assert host.ask(user, "GREET x") == said
    assert host.ask(user, "ECHO x") == said
    assert "NOPERM" in host.ask(user, "CLIENT LIST")
    assert host.ask(user, "PING") == "PONG\n"
    assert host.ask(host.local(), "PENALTY CLEAR all") == "Cleared: 0.\n"
    assert host.ask(host.user("bia"), "EXIT") == "Goodbye.\n"
    host.suspended = False
    assert host.ask(user, "GREET x") == "hello, x\n"


def ignore(_sentence: Sentence) -> None:
    """Nobody is there to be told."""


def test_without_a_trail_all_goes_on(tmp_path: Path, host: Host) -> None:
    """`audit.trail = off`: the log alone, and programs beside the server are told."""
    assert open_trail(tmp_path, Audit(trail="off"), ignore) is None
    assert (tmp_path / OFF).exists()
    log = ActivityLog(tmp_path, Log())
    recording = Recording(log, None, host.statistics)
    assert not recording.suspends()
    session = host.user()
    recording.command(session.who(None), None, [], "ERR", ran=False)
    recording.authentication(session.who(None), "refused", "unknown", "bearer")
    recording.stranger_at_the_admin_socket(1)
    recording.stopped()
    log.stop()
    assert open_trail(tmp_path, Audit(), ignore) is not None
    assert not (tmp_path / OFF).exists()


def test_a_directory_that_takes_no_mark_is_told_of(
    tmp_path: Path, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The server starts all the same."""
    assert open_trail(tmp_path / "gone", Audit(trail="off"), ignore) is None
    assert "cannot be told whether there is an audit trail" in caplog.text


def test_a_failing_handler_raises_no_more_than_its_code(recorded: Recorded) -> None:
    """A refusal of a handler's own is an outcome, too."""

    def refuse(_context: Context) -> str:
        raise CommandError("Not {what}.", what="today")

    recorded.host.command("REFUSE", refuse)
    recorded.host.ask(recorded.host.user(), "REFUSE")
    assert recorded.last().outcome == "ERR"


def test_a_handshake_that_fails_for_the_client_certificate_is_a_refused_authentication(recorded: Recorded) -> None:
    """Missing, or not trusted; one that fails for other reasons is for the log alone."""
    peer = Who(0, "", "192.0.2.7:1", "192.0.2.7")
    for detail in (NO_CERTIFICATE, f"{BAD_CERTIFICATE}: certificate has expired", "UNSUPPORTED_PROTOCOL", ""):
        recorded.recording.handshake_failed(peer, CloseReason.HANDSHAKE_FAILED, detail)
    found = recorded.records("authentication")
    assert [record.detail["reason"] for record in found] == ["no-certificate", "certificate has expired"]
    assert {(item.outcome, item.address, item.detail["mechanism"]) for item in found} == {
        ("refused", "192.0.2.7:1", "certificate")
    }


def test_a_client_certificate_is_a_mechanism_of_its_own(recorded: Recorded) -> None:
    """As the way in for certificates tells of it; a mutual handshake is another."""
    session = recorded.host.session()
    who = session.who(None)
    recorded.recording.authentication(who, "refused", "expired certificate=00ff", "certificate")
    recorded.recording.authentication(who, "accepted", "token=abc", "SCRAM-SHA-256-PLUS")
    expired, other = recorded.records("authentication")
    assert expired.detail == {"mechanism": "certificate", "reason": "expired", "certificate": "00ff"}
    assert other.detail == {"mechanism": "SCRAM-SHA-256-PLUS", "token": "abc"}
